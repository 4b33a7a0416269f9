"""A folder of JSON files as the world of the provider contract, with hands for the owner and for misfortune."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from secrets import token_hex
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from crm.providers.accounting.base import Authorization, Config
from crm.providers.accounting.ledgerfile import desk, files, ledger, webhooks
from crm.providers.accounting.ledgerfile.ledger import DRAWERS, Ledger
from tests.providers.contract import World

COMPANY = "aldgate"
NAMES = (
    "Ada Byron", "Brunel & Sons", "Clifton Bridge Trust", "Dora Marr", "Eiger Nordwand AG", "Fanny Mendelssohn",
    "Grete Hermann", "Hopper, Grace", "Ida Rhodes", "Joule's Law", "Karen Spärck Jones", "Lise Meitner",
    "Mary Somerville", "Noether E.", "Otto Hahn", "Payne-Gaposchkin", "Quine", "Rosalind Franklin", "Sophie Germain",
)  # fmt: skip


def furnish(root: Path) -> Ledger:
    """A small company: two levels of customers, invoices open, paid in part, in full, cancelled."""
    paper = {"name": "Aldgate Instruments", "country": "GB", "money": "GBP", "zone": "Europe/London"}
    desk.lay_out(root, keys={"a-client": "a-secret"}, companies={COMPANY: paper, "brick": {**paper, "name": "Brick"}})
    ledger = Ledger(root, COMPANY)
    customers = [desk.write(ledger, "customer", _customer(number, name)) for number, name in enumerate(NAMES)]
    desk.change(ledger, "customer", customers[3], under=customers[2])
    desk.write(ledger, "item", {"label": "Theodolite", "code": "T-1", "price": "100.00", "archived": False})
    invoices = [
        desk.write(
            ledger,
            "invoice",
            {"for": customers[number % 12], "no": f"A-{number}", "day": f"2026-0{number % 9 + 1}-11",
             "due": f"2026-0{number % 9 + 1}-25", "sum": f"{100 + number}.35", "rows": [
                 {"text": "Theodolite", "sum": f"{100 + number}.35"}]},
        )
        for number in range(24)
    ]  # fmt: skip
    for number in range(0, 24, 3):
        desk.write(
            ledger,
            "payment",
            {"from": customers[number % 12], "day": "2026-10-01", "sum": f"{110 + number}.35", "no": f"bank {number}",
             "shares": [{"to": invoices[number], "sum": f"{(100 if number % 2 else 40) + number}.35"}]},
        )  # fmt: skip
    desk.change(ledger, "invoice", invoices[1], cancelled=True)
    desk.write(ledger, "credit_memo", {"for": customers[2], "no": "C-1", "day": "2026-10-03", "sum": "12.00",
                                       "shares": [{"to": invoices[2], "sum": "5.00"}]})  # fmt: skip
    return ledger


def _customer(number: int, name: str) -> dict[str, Any]:
    first, _, last = name.partition(" ")
    return {
        "label": name,
        "person": {"first": first, "last": last},
        "firm": name if number % 2 else "",
        "web": f"https://{number}.example",
        "reach": {
            "desk": f"+44 20 7946 {number:04}",
            "pocket": f"+44 7700 900{number:03}",
            "mail": f"c{number}@x.example",
        },
        "place": {"street": [f"{number} Minories"], "town": "London", "zip": "EC3N 1AA", "land": "GB"},
        "remarks": "",
        "archived": False,
        "under": None,
        "tags": ["by hand"],
    }


class LedgerWorld(World):
    name = "ledgerfile"
    page_size = 7
    metered = False
    status = None
    secret = "a-seal"

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        # Ids are random; in tests the same each time, so that what is picked by its place is the same too.
        monkeypatch.setattr(ledger, "secrets", SimpleNamespace(choice=Random(7).choice))
        self.root = root
        self.ledger = furnish(root)
        self.realm_id = COMPANY
        self.config = Config("a-client", "a-secret", "http://localhost/back", api_url=root.as_uri())
        self._monkeypatch = monkeypatch
        self._told = self._papers()

    def consent(self, authorization: Authorization, *, agree: bool = True) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(desk.answer(authorization.url, COMPANY, agree=agree)).query))

    def ids(self, kind: str) -> set[str]:
        return {path.stem for path in (self.root / COMPANY / DRAWERS[kind][0]).glob("*.json")}

    def deactivate(self, customer_id: str) -> None:
        desk.change(self.ledger, "customer", customer_id, archived=True)

    def rename(self, customer_id: str, name: str) -> None:
        desk.change(self.ledger, "customer", customer_id, label=name)

    def remove(self, kind: str, remote_id: str) -> None:
        desk.remove(self.ledger, kind, remote_id)

    def spoil(self, kind: str, remote_id: str) -> None:
        desk.change(self.ledger, kind, remote_id, touched="yesterday", label=["no", "text"])

    def trouble(self, what: str, *, times: int | None = 1) -> None:
        """The disk's next answers are bad ones, for ever where `times` is None; or it fails once after a write."""
        if what in LOST:
            self._lose(LOST[what])
            return
        left = [times]

        def read(path: Path) -> bytes:
            if left[0] is None or left[0] > 0:
                left[0] = None if left[0] is None else left[0] - 1
                return TROUBLE[what]()
            return path.read_bytes()

        self._monkeypatch.setattr(files, "read", read)

    def _lose(self, number: int) -> None:
        """The next write is made, and nothing is heard of it."""
        ready, writing = [True], Ledger.writing

        @contextmanager
        def loses(ledger: Ledger) -> Iterator[None]:
            with writing(ledger):
                yield
            if ready.pop() if ready else False:
                raise OSError(number, "no disk")

        self._monkeypatch.setattr(Ledger, "writing", loses)

    def posted(self) -> list[tuple[bytes, dict[str, str]]]:
        before, self._told = self._told, self._papers()
        at = datetime.now(UTC).isoformat()
        news = [
            {"no": token_hex(8), "what": what, "id": one, "at": at}
            for one in sorted(before.keys() | self._told.keys())
            if (what := _happened(before.get(one), self._told.get(one)))
        ]
        body = json.dumps({"book": COMPANY, "news": news}).encode()
        return [(body, {"x-ledger-seal": webhooks.seal(body, self.secret), "x-ledger-sent": at})] if news else []

    def _papers(self) -> dict[str, bytes]:
        folders = [self.root / COMPANY / drawer for drawer, _ in DRAWERS.values()]
        return {path.stem: path.read_bytes() for folder in folders for path in folder.glob("*.json")}

    def crash(self, when: Callable[[Path], bool]) -> None:
        """The disk fails at the first write of such a path, once; the write itself does not happen."""
        ready = [True]
        write = files.write

        def fails(path: Path, content: bytes) -> None:
            if ready[0] and when(path):
                ready[0] = False
                raise OSError(errno.EIO, "the disk is gone")
            write(path, content)

        self._monkeypatch.setattr(files, "write", fails)

    def expire(self) -> None:
        desk.expire_passes(self.root)

    def disconnect(self) -> None:
        desk.end_all(self.root)


def _happened(before: bytes | None, after: bytes | None) -> str:
    if before == after:
        return ""
    return "added" if before is None else "removed" if after is None else "changed"


def _fails(number: int) -> bytes:
    raise OSError(number, "no disk")


LOST = {"lost": errno.EIO, "late": errno.ETIMEDOUT}
TROUBLE: dict[str, Callable[[], bytes]] = {
    "down": lambda: _fails(errno.ENOENT),
    "page": lambda: b"<html>Sign in to the share</html>",
    "dropped": lambda: _fails(errno.EIO),
    "throttled": lambda: _fails(errno.EBUSY),
    "garbled": lambda: json.dumps({"half": "a file"}).encode()[:-4],
}
