"""The embedded broker: nobody reads half a message."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection

from crm import broker


@pytest.fixture
def channels(tmp_path: Path) -> tuple[broker.Channel, broker.Channel]:
    broker.install()
    folders = {name: tmp_path / name for name in ("queue", "processed", "control")}
    for folder in folders.values():
        folder.mkdir()
    options = {
        "data_folder_in": str(folders["queue"]), "data_folder_out": str(folders["queue"]),
        "processed_folder": str(folders["processed"]), "control_folder": str(folders["control"]),
    }  # fmt: skip
    first, second = (Connection(broker.URL, transport_options=options).channel() for _ in range(2))
    return first, second


def test_a_message_appears_whole_or_not_at_all(
    channels: tuple[broker.Channel, broker.Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, reader = channels
    found: list[object] = []
    written = os.replace

    def look_first(source: object, target: object) -> None:
        with pytest.raises(Empty):
            reader._get("jobs")  # it is written by now, but nobody sees it yet
        written(source, target)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "replace", look_first)
    sender._put("jobs", {"task": "one"})
    found.append(reader._get("jobs"))
    assert found == [{"task": "one"}]


def test_readers_and_writers_at_once_lose_and_break_nothing(channels: tuple[broker.Channel, broker.Channel]) -> None:
    sender, reader = channels
    writing = threading.Thread(target=lambda: [sender._put("jobs", {"number": number}) for number in range(300)])
    writing.start()
    found: list[int] = []
    while writing.is_alive() or len(found) < 300:
        try:
            found.append(reader._get("jobs")["number"])
        except Empty:
            continue
    writing.join()
    assert sorted(found) == list(range(300))
