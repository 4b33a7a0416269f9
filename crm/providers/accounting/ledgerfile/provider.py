"""The accounting port for one company of a folder: what services read the books through.

Reads are repeated twice while the disk fails; a push is carried out draft by draft, each whole or not at all, and
remembered by its key. A scan goes through the ids in order; its cursor is the last id seen.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import uuid4

from crm.domain.errors import ProviderError, RateLimited, Unavailable
from crm.domain.money import bucket
from crm.domain.records import CompanyPreferences, CompanyRecord, Record, Refusal
from crm.providers.accounting.base import (
    Admit,
    CallInfo,
    Changes,
    Config,
    Draft,
    OnCall,
    Page,
    Pushed,
    Receivable,
    Spec,
    Tombstone,
    unlimited,
)
from crm.providers.accounting.ledgerfile import mapper, rules
from crm.providers.accounting.ledgerfile.errors import Says, error_from
from crm.providers.accounting.ledgerfile.ledger import DRAWERS, OWNER, Ledger, Money, Paper, digest, root_of, stamp
from crm.providers.accounting.ledgerfile.oauth import check_pass

T = TypeVar("T")

PAGE_SIZE = 200
CHANGES_MOST = 500
REPEAT = 2
BUCKETS = ("current", "1-30", "31-60", "61-90", "over-90")
#: Where names and numbers stand that are looked up.
NAMED_BY = {
    "customer": ("label",), "item": ("label", "code"),
    **dict.fromkeys(("estimate", "invoice", "credit_memo", "payment"), ("no",)),
}  # fmt: skip
PARTIES = {**OWNER, "estimate": "for"}
SPEC = Spec(
    name="ledgerfile",
    title="Folder of JSON files",
    kinds=tuple(DRAWERS),
    page_size=PAGE_SIZE,
    push_size=12,
    push_kinds=mapper.PUSH_KINDS,
    change_kinds=tuple(DRAWERS),
    changes_days=365,
    name_kinds=("customer",),
    find_kinds=tuple(NAMED_BY),
    recent_kinds=tuple(PARTIES),
)


class Ledgerfile:
    """One company's books, by one pass. `realm_id` is the name of its folder."""

    spec = SPEC

    def __init__(
        self, config: Config, *, realm_id: str, access_token: str, on_call: OnCall, admit: Admit = unlimited
    ) -> None:
        self._root = root_of(config.api_url)
        self._company = realm_id
        self._pass = access_token
        self._on_call = on_call
        self._admit = admit
        self._ledger = Ledger(self._root, realm_id)

    def company(self) -> CompanyRecord:
        return mapper.to_company(self._read("company", self._ledger.company))

    def preferences(self) -> CompanyPreferences:
        paper = self._read("preferences", self._ledger.company)
        return CompanyPreferences(home_currency=str(paper.get("money") or ""), sales_tax=False, extra=paper)

    def count(self, kind: str) -> int:
        _known(kind)
        return self._read("count", lambda: len(self._ledger.ids(kind)))

    def scan(self, kind: str, cursor: str | None = None) -> Page:
        _known(kind)

        def page() -> Page:
            ids = [one for one in self._ledger.ids(kind) if cursor is None or one > cursor]
            return self._page(kind, ids[:PAGE_SIZE], cursor=ids[PAGE_SIZE - 1] if len(ids) > PAGE_SIZE else None)

        return self._read("scan", page)

    def fetch(self, kind: str, ids: Sequence[str]) -> Page:
        _known(kind)
        return self._read("fetch", lambda: self._page(kind, list(dict.fromkeys(ids))))

    def changes(self, kinds: Sequence[str], since: datetime) -> Changes:
        for kind in kinds:
            _known(kind)

        def look() -> Changes:
            until, limit = datetime.now(UTC), stamp(since)
            changed: list[tuple[str, str]] = []
            for kind in kinds:
                papers = ((one, self._ledger.raw(kind, one) or {}) for one in self._ledger.ids(kind))
                changed += [(kind, one) for one, paper in papers if str(paper.get("touched", limit)) >= limit]
            read = [self._page(kind, [one]) for kind, one in changed[:CHANGES_MOST]]
            gone = [one for one in self._ledger.removed() if one["kind"] in kinds and one["at"] >= limit]
            return Changes(
                records=tuple(record for page in read for record in page.records),
                gone=tuple(Tombstone(one["kind"], one["id"], datetime.fromisoformat(one["at"])) for one in gone),
                refusals=tuple(refusal for page in read for refusal in page.refusals),
                until=until,
                complete=len(changed) <= CHANGES_MOST,
            )

        return self._read("changes", look)

    def find(self, kind: str, names: Sequence[str]) -> Page:
        if kind not in SPEC.find_kinds:
            raise ValueError(f"names of {kind!r} cannot be looked up; those of {', '.join(SPEC.find_kinds)} can")
        wanted = list(names)
        return self._read(
            "find", lambda: self._page(kind, self._ledger.bearers(wanted, kind=kind, names=NAMED_BY[kind]))
        )

    def recent(self, kind: str, party_id: str, since: datetime) -> Page:
        if kind not in SPEC.recent_kinds:
            raise ValueError(f"{kind!r} belongs to nobody; what does is {', '.join(SPEC.recent_kinds)}")

        def look() -> Page:
            papers = ((one, self._ledger.raw(kind, one) or {}) for one in self._ledger.ids(kind))
            mine = ((one, paper) for one, paper in papers if paper.get(PARTIES[kind]) == party_id)
            return self._page(kind, [one for one, paper in mine if str(paper.get("made", "")) >= stamp(since)])

        return self._read("recent", look)

    def send(self, kind: str, remote_id: str, *, to: str, key: str) -> Record:
        raise ValueError("a folder e-mails nothing")

    def pdf(self, kind: str, remote_id: str) -> bytes:
        raise ValueError("a folder prints nothing")

    def receivables(self, as_of: date) -> Sequence[Receivable]:
        return self._read("receivables", lambda: self._receivables(as_of))

    def push(self, drafts: Sequence[Draft], *, key: str) -> Sequence[Pushed]:
        items = [draft.item for draft in drafts]
        if len(drafts) > SPEC.push_size or len(set(items)) != len(items):
            raise ValueError(f"a push takes at most {SPEC.push_size} drafts, each with an item of its own")
        for draft in drafts:
            if draft.kind not in SPEC.push_kinds or draft.operation not in mapper.OPERATIONS:
                raise ValueError(f"a ledger takes no {draft.operation!r} of {draft.kind!r}")
        if not drafts:
            return ()

        def carry_out() -> list[Pushed]:
            with self._ledger.writing():
                return [self._pushed(draft, key) for draft in drafts]

        return self._call("batch", carry_out, writing=True)

    # --- one call

    def _read(self, operation: str, ask: Callable[[], T]) -> T:
        for _ in range(REPEAT):
            try:
                return self._call(operation, ask)
            except RateLimited:
                raise
            except Unavailable:
                continue
        return self._call(operation, ask)

    def _call(self, operation: str, ask: Callable[[], T], *, writing: bool = False) -> T:
        started, trace_id = time.monotonic(), uuid4().hex
        failure: ProviderError | None = None
        answer: Any = None
        with self._admit(operation):
            try:
                self._enter()
                answer = ask()
            except Says as said:
                failure = error_from(said, trace_id)
            except OSError as broken:
                failure = error_from(broken, trace_id, writing=writing)
        spent = round((time.monotonic() - started) * 1000)
        self._on_call(CallInfo(operation, False, None, trace_id, spent, type(failure).__name__ if failure else ""))
        if failure:
            raise failure  # outside the handlers: what the disk said holds paths
        answered: T = answer
        return answered

    def _enter(self) -> None:
        check_pass(self._root, self._company, self._pass)

    # --- reading

    def _page(self, kind: str, ids: list[str], *, cursor: str | None = None) -> Page:
        records: list[Record] = []
        refusals: list[Refusal] = []
        money = str(self._ledger.company().get("money") or "")
        for paper in self._ledger.papers(kind, ids):
            read = mapper.to_record(kind, paper, money=money)
            if isinstance(read, Refusal):
                refusals.append(read)
            else:
                records.append(read)
        return Page(tuple(records), tuple(refusals), cursor)

    def _receivables(self, as_of: date) -> list[Receivable]:
        """Invoices age from the day they are due; credits and receipts not used yet from their own day."""
        rows: dict[str, dict[str, Decimal]] = {}
        money = Money(self._ledger)
        for kind, owner in OWNER.items():
            for one in self._ledger.ids(kind):
                paper = self._ledger.raw(kind, one) or {}
                open_ = Decimal(money.figures(kind, one)["open"]) * (1 if kind == "invoice" else -1)
                day = str(paper.get("due") or paper.get("day") or as_of.isoformat())
                if open_ and str(paper.get("day") or "") <= as_of.isoformat():
                    row = rows.setdefault(str(paper.get(owner)), dict.fromkeys((*BUCKETS, "total"), Decimal(0)))
                    row[BUCKETS[bucket((as_of - date.fromisoformat(day)).days)]] += open_
                    row["total"] += open_
        papers = {one: self._ledger.raw("customer", one) or {} for one in rows}
        return [Receivable(one, str(papers[one].get("label", "")), row) for one, row in sorted(rows.items())]

    # --- writing

    def _pushed(self, draft: Draft, key: str) -> Pushed:
        trace_id = uuid4().hex
        try:
            remote_id = self._carry_out(draft, key)
            found = self._page(draft.kind, [remote_id])
        except Says as said:
            return Pushed(draft.item, error=error_from(said, trace_id))
        return Pushed(draft.item, next(iter(found.records), None))

    def _carry_out(self, draft: Draft, key: str) -> str:
        """The id it was done to. Raises Says."""
        kept, said = (
            digest(key, draft.item),
            digest(draft.kind, draft.operation, json.dumps(draft.body, sort_keys=True)),
        )
        done = self._ledger.answered(kept, said)
        if done is not None:
            return str(done["id"])
        if draft.operation == "create":
            remote_id, paper = self._ledger.new_id(draft.kind), dict(draft.body["set"])
        else:
            remote_id, paper = self._current(draft)
        if draft.operation == "delete":
            self._ledger.check_free(remote_id)
            self._ledger.drop(draft.kind, remote_id, key=kept, said=said)
        else:
            paper = rules.completed(self._ledger, draft.kind, paper)
            rules.check(self._ledger, draft.kind, remote_id, paper)
            self._ledger.put(draft.kind, remote_id, paper, key=kept, said=said)
        return remote_id

    def _current(self, draft: Draft) -> tuple[str, Paper]:
        """Id and paper of what a draft changes, as it shall be. Raises Says where it is another version or gone."""
        remote_id = str(draft.body.get("id"))
        paper = self._ledger.raw(draft.kind, remote_id)
        if paper is None:
            raise Says("not-here", about=remote_id)
        if paper["etag"] != draft.body.get("etag"):
            raise Says("outdated", about=remote_id)
        for path, value in draft.body.get("set", {}).items():
            outer, _, inner = path.partition(".")
            paper[outer] = {**(paper.get(outer) or {}), inner: value} if inner else value
        return remote_id, paper


def _known(kind: str) -> None:
    if kind not in DRAWERS:
        raise ValueError(f"a ledger has no kind {kind!r}; it has {', '.join(DRAWERS)}")
