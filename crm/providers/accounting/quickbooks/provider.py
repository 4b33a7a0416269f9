"""The accounting port for one QuickBooks company: what services read the books through.

Pages come ordered by id with inactive names included, one page in memory at a time. A page starts on the last row of
the page before: where that row is no longer there, rows were removed meanwhile and the scan steps back one page, so
that none is passed over (a row may then come twice). What is written goes out as `pushing` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from crm.domain.errors import UnexpectedAnswer, Unreadable
from crm.domain.preflight import legible
from crm.domain.records import CompanyPreferences, CompanyRecord, Record, Refusal
from crm.providers.accounting.base import (
    Admit,
    Changes,
    Config,
    Draft,
    OnCall,
    Page,
    Pushed,
    Receivable,
    Spec,
    unlimited,
)
from crm.providers.accounting.quickbooks import mapper
from crm.providers.accounting.quickbooks.bodies import PUSH_KINDS
from crm.providers.accounting.quickbooks.changes import CHANGE_KINDS, asked, changes_in
from crm.providers.accounting.quickbooks.client import API, API_SANDBOX, Client, literal, parsed, secrets_of
from crm.providers.accounting.quickbooks.preferences import to_preferences
from crm.providers.accounting.quickbooks.pushing import PUSH_SIZE, batch_of, outcomes
from crm.providers.accounting.quickbooks.reports import NAME as AGED_RECEIVABLES
from crm.providers.accounting.quickbooks.reports import asked as asked_aged
from crm.providers.accounting.quickbooks.reports import receivables_in

PAGE_SIZE = 1000
"""The most QuickBooks gives; left unsaid it gives 100."""
FETCH_SIZE = 200
"""Ids in one query; how long a statement may be is not documented."""
FIND_SIZE = 100
"""Names in one query, each in two spellings."""
FOUND_MOST = 1000
"""Of one look-up, the newest first."""

#: Transactions have no `Active`; names are left out of queries when inactive unless both are asked for.
SALES = ("estimate", "invoice", "credit_memo", "sales_receipt", "refund_receipt")
DOCUMENTS = frozenset({*SALES, "payment", "bill", "bill_payment"})
#: By what a kind is looked up; several properties are asked one after the other, since there is no OR.
NAMED_BY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("customer", "vendor", "employee"), ("DisplayName",)), "item": ("Name", "Sku"),
    **dict.fromkeys(("estimate", "invoice", "credit_memo", "bill"), ("DocNumber",)), "payment": ("PaymentRefNum",),
}  # fmt: skip
#: Whose document it is.
PARTIES = {**dict.fromkeys(("estimate", "invoice", "credit_memo", "payment"), "CustomerRef"), "bill": "VendorRef"}
SPEC = Spec(
    name="quickbooks",
    title="QuickBooks Online",
    kinds=tuple(kind for kind in mapper.ENTITIES if kind != "company"),
    page_size=PAGE_SIZE,
    push_size=PUSH_SIZE,
    push_kinds=PUSH_KINDS,
    change_kinds=CHANGE_KINDS,
    name_kinds=("customer", "vendor", "employee"),
    find_kinds=tuple(NAMED_BY),
    recent_kinds=tuple(PARTIES),
    send_kinds=(*SALES, "payment"),
    pdf_kinds=(*SALES, "payment"),
)


class QuickBooks:
    """One company's books, by one access token."""

    spec = SPEC

    def __init__(
        self, config: Config, *, realm_id: str, access_token: str, on_call: OnCall, admit: Admit = unlimited
    ) -> None:
        api_url = config.api_url or (API_SANDBOX if config.sandbox else API)
        self._realm_id = realm_id
        self._secrets = secrets_of(realm_id, access_token)
        self._client = Client(api_url, realm_id=realm_id, access_token=access_token, on_call=on_call, admit=admit)

    def company(self) -> CompanyRecord:
        body = self._client.read("CompanyInfo", self._realm_id)
        record = mapper.to_record("company", body)
        if isinstance(record, Refusal):
            raise UnexpectedAnswer(f"The company's own data cannot be read: {record.reason}")
        assert isinstance(record, CompanyRecord)
        return record

    def preferences(self) -> CompanyPreferences:
        return to_preferences(self._client.read("Preferences"))

    def count(self, kind: str) -> int:
        return self._client.count(f"SELECT COUNT(*) FROM {_source(kind)}")  # noqa: S608

    def scan(self, kind: str, cursor: str | None = None) -> Page:
        """One page. The cursor is `position:id` of the last row seen."""
        position, last_id = _place(cursor)
        entity = _entity(kind)
        rows = self._client.query(
            entity,
            f"SELECT * FROM {_source(kind)} ORDERBY Id ASC STARTPOSITION {position} MAXRESULTS {PAGE_SIZE}",  # noqa: S608
        )
        full = len(rows) >= PAGE_SIZE
        end = position + len(rows) - 1
        if last_id:
            if not rows or _id(rows[0]) != last_id:
                return Page(records=(), cursor=f"{max(1, position - PAGE_SIZE)}:")
            rows = rows[1:]
        return _page(kind, rows, cursor=f"{end}:{_id(rows[-1])}" if full else None)

    def fetch(self, kind: str, ids: Sequence[str]) -> Page:
        """Ids that are not numbers exist nowhere and would make QuickBooks refuse the others with them."""
        entity, wanted = _entity(kind), [one for one in dict.fromkeys(ids) if _is_id(one)]
        rows: list[Mapping[str, Any]] = []
        for start in range(0, len(wanted), FETCH_SIZE):
            listed = ", ".join(literal(one) for one in wanted[start : start + FETCH_SIZE])
            rows += self._client.query(
                entity,
                f"SELECT * FROM {_source(kind, f'Id IN ({listed})')} MAXRESULTS {PAGE_SIZE}",  # noqa: S608
            )
        return _page(kind, rows, cursor=None)

    def changes(self, kinds: Sequence[str], since: datetime) -> Changes:
        return changes_in(self._client.changes(asked(kinds, since)), kinds)

    def find(self, kind: str, names: Sequence[str]) -> Page:
        """Inactive ones bear the suffix QuickBooks gave them; both spellings are asked for."""
        _among(kind, SPEC.find_kinds)
        wanted = list(dict.fromkeys(name for name in map(legible, names) if name))
        rows: dict[str, Mapping[str, Any]] = {}
        for property_ in NAMED_BY[kind]:
            for start in range(0, len(wanted), FIND_SIZE):
                asked_for = wanted[start : start + FIND_SIZE]
                if property_ in ("DisplayName", "Name"):
                    asked_for = [spelt for name in asked_for for spelt in (name, f"{name} (deleted)")]
                listed = ", ".join(literal(spelt) for spelt in asked_for)
                rows |= {_id(row): row for row in self._asked(kind, f"{property_} IN ({listed})")}
        return _page(kind, list(rows.values()), cursor=None)

    def recent(self, kind: str, party_id: str, since: datetime) -> Page:
        """The newest thousand; times there have whole seconds: the part of one is cut off, never added."""
        _among(kind, SPEC.recent_kinds)
        if not _is_id(party_id):
            return Page(records=())
        moment = since.astimezone(UTC).isoformat(timespec="seconds")
        condition = f"{PARTIES[kind]} = {literal(party_id)} AND MetaData.CreateTime >= {literal(moment)}"
        return _page(kind, self._asked(kind, condition), cursor=None)

    def send(self, kind: str, remote_id: str, *, to: str, key: str) -> Record:
        _among(kind, SPEC.send_kinds)
        record = mapper.to_record(kind, self._client.send(_entity(kind), remote_id, to=to, key=key))
        if isinstance(record, Refusal):
            raise Unreadable(f"QuickBooks sent the document, but its answer cannot be read. {record.reason}")
        return record

    def pdf(self, kind: str, remote_id: str) -> bytes:
        _among(kind, SPEC.pdf_kinds)
        return self._client.pdf(_entity(kind), remote_id)

    def _asked(self, kind: str, condition: str) -> Sequence[Mapping[str, Any]]:
        statement = f"SELECT * FROM {_source(kind, condition)} ORDERBY Id DESC MAXRESULTS {FOUND_MOST}"  # noqa: S608
        return self._client.query(_entity(kind), statement)

    def receivables(self, as_of: date) -> Sequence[Receivable]:
        return receivables_in(self._client.report(AGED_RECEIVABLES, asked_aged(as_of)))

    def push(self, drafts: Sequence[Draft], *, key: str) -> Sequence[Pushed]:
        content = batch_of(drafts, key=key)
        if not drafts:
            return ()
        answer = self._client.batch(content, key=key)
        return outcomes(drafts, parsed(answer.content), answer, secrets=self._secrets)


def _page(kind: str, rows: Sequence[Mapping[str, Any]], *, cursor: str | None) -> Page:
    records: list[Record] = []
    refusals: list[Refusal] = []
    for row in rows:
        read = mapper.to_record(kind, row)
        if isinstance(read, Refusal):
            refusals.append(read)
        else:
            records.append(read)
    return Page(tuple(records), tuple(refusals), cursor)


def _among(kind: str, kinds: Sequence[str]) -> None:
    if kind not in kinds:
        raise ValueError(f"QuickBooks does not do this for {kind!r}; it does for {', '.join(kinds)}")


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _entity(kind: str) -> str:
    try:
        return mapper.ENTITIES[kind]
    except KeyError:
        raise ValueError(f"QuickBooks has no kind {kind!r}; it has {', '.join(mapper.ENTITIES)}") from None


def _source(kind: str, condition: str = "") -> str:
    """Entity and conditions of a statement. Nothing from outside enters one but by `literal`."""
    conditions = [condition] if condition else []
    if kind not in DOCUMENTS:
        conditions.append("Active IN (true,false)")
    return _entity(kind) + (f" WHERE {' AND '.join(conditions)}" if conditions else "")


def _place(cursor: str | None) -> tuple[int, str]:
    if cursor is None:
        return 1, ""
    position, _, last_id = cursor.partition(":")
    if not position.isdigit():
        raise ValueError(f"{cursor!r} is not a cursor of a QuickBooks scan")
    return max(1, int(position)), last_id


def _id(row: Any) -> str:
    return str(row.get("Id", "")) if isinstance(row, Mapping) else ""
