"""What the bell is rung for, kept instead of sent to a broker."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from crm import bell


def listen(monkeypatch: pytest.MonkeyPatch, *, delays: bool = False) -> list[Any]:
    """From now on each ring is a (task, ids), with the seconds it waits where `delays` are asked for.

    What is rung a moment later by the bell's own thread is left out: it may be of this test or of one before, and comes
    whenever that thread wakes up.
    """
    heard: list[Any] = []

    def sent(task: str, ids: tuple[int | str, ...], countdown: float = 0) -> None:
        if threading.current_thread().name != "bell":
            heard.append((task, ids, countdown) if delays else (task, ids))

    monkeypatch.setattr(bell, "_send", sent)
    return heard
