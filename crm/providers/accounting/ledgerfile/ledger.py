"""One company's books in a folder: what is in the files, what the figures come to, and what may be written.

    company.json                 who it is
    customers/cus_k3x9.json      one record per file, named by its id; wares/, offers/, invoices/ ... likewise
    removed/inv_7fq2.json        what was deleted, and when
    answers/<digest>.json        what became of a draft, so that its repetition does nothing
    begun.json                   a write under way; whoever writes next finishes it first

A record's version is a digest of its file. Open amounts are nowhere stored: they follow from receipts and credits.
Raises `errors.Says` and OSError. Used by `provider`, and by `desk` for the owner's own hand.
"""

from __future__ import annotations

import json
import re
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from crm.providers.accounting.ledgerfile import files
from crm.providers.accounting.ledgerfile.errors import Says

#: Our kind -> (folder, beginning of its ids).
DRAWERS = {
    "customer": ("customers", "cus"), "invoice": ("invoices", "inv"), "credit_memo": ("credits", "cre"),
    "payment": ("receipts", "rec"), "item": ("wares", "war"), "estimate": ("offers", "off"),
}  # fmt: skip
OWNER = {"invoice": "for", "credit_memo": "for", "payment": "from"}
"""The field of a document that names its customer, of those that count as money. An offer names it by `for` too."""
ID = re.compile(r"[a-z]{3}_[a-z0-9]{4,24}")
LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
LONGEST_LABEL = 120
ZERO = Decimal(0)

Paper = dict[str, Any]
"""The content of a record's file; with `id`, `etag` and its open figures when it was read."""


def root_of(address: str) -> Path:
    """The folder of a file:// address."""
    parts = urlsplit(address)
    if parts.scheme != "file" or not parts.path:
        raise ValueError(f"a ledger's address begins with file:///, not {parts.scheme or 'nothing'}")
    return Path(unquote(parts.path))


def parse(content: bytes) -> Paper:
    """Raises Says("torn") for what is no JSON object."""
    try:
        value = json.loads(content)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Says("torn")
    return value


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:24]


def amount(value: Any) -> Decimal:
    """Amounts are texts. What is none counts as nothing here; the mapper refuses the record."""
    try:
        return Decimal(value) if isinstance(value, str) else ZERO
    except InvalidOperation:
        return ZERO


class Ledger:
    def __init__(self, root: Path, company: str) -> None:
        self.folder = root / company

    def company(self) -> Paper:
        content = files.read(self.folder / "company.json")
        return {**parse(content), "id": self.folder.name, "etag": digest(content.decode())}

    def ids(self, kind: str) -> list[str]:
        return [name for name in files.names(self.folder / DRAWERS[kind][0]) if ID.fullmatch(name)]

    def raw(self, kind: str, remote_id: str) -> Paper | None:
        """The record without open figures, None where there is no such file. A torn file is `{"torn": True}`."""
        if not ID.fullmatch(remote_id):
            return None
        try:
            content = files.read(self._path(kind, remote_id))
        except FileNotFoundError:
            self.folder.stat()  # raises: the whole folder is away, which says nothing about the record
            return None
        try:
            paper = parse(content)
        except Says:
            paper = {"torn": True}
        return {**paper, "id": remote_id, "etag": digest(content.decode("utf-8", "replace"))}

    def papers(self, kind: str, ids: list[str] | None = None) -> Iterator[Paper]:
        """Records with their open figures; those that do not exist are left out."""
        money = Money(self)
        for remote_id in self.ids(kind) if ids is None else ids:
            paper = self.raw(kind, remote_id)
            if paper is not None:
                yield {**paper, **money.figures(kind, remote_id)}

    def removed(self) -> Iterator[Paper]:
        for name in files.names(self.folder / "removed"):
            yield parse(files.read(self.folder / "removed" / f"{name}.json"))

    # --- writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Alone with the folder; a write that somebody began and did not end is ended first."""
        with files.locked(self.folder):
            begun = self.folder / "begun.json"
            if begun.exists():
                self._carry_out(parse(files.read(begun)))
            yield

    def answered(self, key: str, said: str) -> Paper | None:
        """What was done under this key. Raises Says when that was something else."""
        path = self.folder / "answers" / f"{key}.json"
        if not path.exists():
            return None
        answer = parse(files.read(path))
        if answer["said"] != said:
            raise Says("key-reused")
        return answer

    def put(self, kind: str, remote_id: str, paper: Mapping[str, Any], *, key: str = "", said: str = "") -> None:
        """Write a record as a whole. To be called within `writing`, after `check`."""
        now = stamp(datetime.now(UTC))
        content = {**{name: paper[name] for name in paper if name not in ("id", "etag")}, "touched": now}
        content.setdefault("made", now)
        self._begin({"kind": kind, "id": remote_id, "paper": content, "key": key, "said": said})

    def drop(self, kind: str, remote_id: str, *, key: str = "", said: str = "") -> None:
        at = stamp(datetime.now(UTC))
        self._begin({"kind": kind, "id": remote_id, "paper": None, "at": at, "key": key, "said": said})

    def new_id(self, kind: str) -> str:
        return f"{DRAWERS[kind][1]}_{''.join(secrets.choice(LETTERS) for _ in range(8))}"

    def check_customer(self, remote_id: str, paper: Mapping[str, Any]) -> None:
        """The folder's rules for a customer. Raises Says."""
        label = paper.get("label")
        if not isinstance(label, str) or not label.strip() or len(label) > LONGEST_LABEL:
            raise Says("bad-value", f"A label has 1 to {LONGEST_LABEL} characters.", remote_id)
        holder = next((one for one in self.bearers([label]) if one != remote_id), None)
        if holder:
            raise Says("name-taken", f"{holder} bears it.", holder)
        if paper.get("under") and self.raw("customer", str(paper["under"])) is None:
            raise Says("no-parent", about=str(paper["under"]))

    def check_free(self, remote_id: str) -> None:
        """No document and no customer names this record. Raises Says."""
        for kind, field in {**OWNER, "customer": "under", "estimate": "for"}.items():
            papers = (self.raw(kind, one) or {} for one in self.ids(kind))
            if any(remote_id in (paper.get(field), *_shared(paper)) for paper in papers):
                raise Says("in-use", about=remote_id)

    def bearers(self, labels: list[str], *, kind: str = "customer", names: tuple[str, ...] = ("label",)) -> list[str]:
        """Ids of those that bear one of these names in one of these fields, in any case."""
        wanted = {label.strip().casefold() for label in labels} - {""}
        found = ((one, self.raw(kind, one) or {}) for one in self.ids(kind))
        return [
            one for one, paper in found if wanted & {str(paper.get(name) or "").strip().casefold() for name in names}
        ]

    def _begin(self, deed: Paper) -> None:
        files.write(self.folder / "begun.json", json.dumps(deed).encode())
        self._carry_out(deed)

    def _carry_out(self, deed: Paper) -> None:
        """Each step may be done again: whatever moment it breaks off at, doing it all once more ends it."""
        kind, remote_id = deed["kind"], deed["id"]
        if deed["paper"] is None:
            gone = {"kind": kind, "id": remote_id, "at": deed["at"]}
            files.write(self.folder / "removed" / f"{remote_id}.json", json.dumps(gone).encode())
            files.remove(self._path(kind, remote_id))
        else:
            files.write(self._path(kind, remote_id), json.dumps(deed["paper"], indent=1).encode())
        if deed["key"]:
            answer = {"kind": kind, "id": remote_id, "said": deed["said"]}
            files.write(self.folder / "answers" / f"{deed['key']}.json", json.dumps(answer).encode())
        files.remove(self.folder / "begun.json")

    def _path(self, kind: str, remote_id: str) -> Path:
        return self.folder / DRAWERS[kind][0] / f"{remote_id}.json"


def _shared(paper: Paper) -> list[str]:
    """Ids of the documents it was applied to."""
    return [str(share.get("to")) for share in paper.get("shares") or ()]


class Money:
    """What is open, worked out of all documents at their first need."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._worked_out = False
        self.open: dict[str, Decimal] = {}
        """Document -> what is unpaid or unused of it."""
        self.owes: dict[str, Decimal] = defaultdict(lambda: ZERO)
        """Customer -> invoices less credits and receipts, its own."""
        self.below: dict[str, Decimal] = defaultdict(lambda: ZERO)
        """The same with all customers under it."""

    def figures(self, kind: str, remote_id: str) -> dict[str, str]:
        if not self._worked_out:
            self._work_out()
        if kind == "customer":
            return {"owes": str(self.owes[remote_id]), "owes_below": str(self.below[remote_id])}
        return {"open": str(self.open.get(remote_id, ZERO))}

    def _work_out(self) -> None:
        self._worked_out = True
        papers = {kind: [self._ledger.raw(kind, one) or {} for one in self._ledger.ids(kind)] for kind in OWNER}
        live = {kind: [paper for paper in found if not paper.get("cancelled")] for kind, found in papers.items()}
        self.open = {paper["id"]: amount(paper.get("sum")) for found in live.values() for paper in found}
        for paper in (*live["payment"], *live["credit_memo"]):
            for share in paper.get("shares") or ():
                if share.get("to") in self.open:
                    self.open[paper["id"]] -= amount(share.get("sum"))
                    self.open[share["to"]] -= amount(share.get("sum"))
        for kind, found in live.items():
            for paper in found:
                sign = 1 if kind == "invoice" else -1
                self.owes[str(paper.get(OWNER[kind]))] += sign * self.open[paper["id"]]
        self._gather()

    def _gather(self) -> None:
        above = {one: (self._ledger.raw("customer", one) or {}).get("under") for one in self._ledger.ids("customer")}
        for one in above:
            at: Any = one
            seen = set()
            while at and at not in seen:
                seen.add(at)
                self.below[at] += self.owes[one]
                at = above.get(at)
