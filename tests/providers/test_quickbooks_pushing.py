"""Writes to QuickBooks: the bodies, the batch they go out as, and what each answer means for each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

import sandbox
from crm.domain import errors
from crm.domain.preflight import legible
from crm.domain.records import (
    Address,
    BillRecord,
    CustomerRecord,
    DocumentRecord,
    ItemRecord,
    LineRecord,
    ListRecord,
    Origin,
    PaymentRecord,
    PhoneField,
    Ref,
    VendorRecord,
)
from crm.domain.shared_fields import TITLES
from crm.providers.accounting.base import CallInfo, Config, Draft, Pushed
from crm.providers.accounting.quickbooks.bodies import body, exact_json
from crm.providers.accounting.quickbooks.provider import QuickBooks
from tests.providers.listener import Listener, Reply, Request, listening
from tests.providers.recordings import RECORDED, Schema, exchanges, needs_recordings
from tests.providers.writing import PERSON

CURRENT = replace(
    PERSON,
    origin=Origin("58", "3"),
    middle_name="Q",
    shipping_address=Address(line1="9 Dock"),
    extra={"BillAddr": {"Id": "7", "Lat": "1", "Long": "INVALID"}, "PrintOnCheckName": "X"},
)


def update(wanted: CustomerRecord, *fields: str, current: CustomerRecord = CURRENT) -> dict[str, Any]:
    """What is sent beside the id."""
    made = body("customer", "update", wanted, fields=fields, current=current)
    assert (made.pop("Id"), made.pop("SyncToken"), made.pop("sparse")) == (*_origin(current), True)
    return made


def _origin(record: CustomerRecord) -> tuple[str, str]:
    return record.origin.remote_id, record.origin.version


# --- bodies


@needs_recordings
@pytest.mark.parametrize("wanted", [PERSON, CustomerRecord(Origin(""), "Bare")], ids=["whole", "bare"])
def test_quickbooks_knows_and_takes_every_property_that_is_sent(wanted: CustomerRecord) -> None:
    schema = Schema()
    for made in (
        body("customer", "create", wanted),
        body("customer", "update", wanted, fields=TITLES, current=CURRENT),
        body("customer", "deactivate", None, current=CURRENT),
        body("customer", "reactivate", None, current=CURRENT),
    ):
        made.pop("sparse", None)
        assert schema.complaints("Customer", made) == []


def test_a_create_has_no_id_and_nothing_that_is_computed() -> None:
    made = body("customer", "create", replace(CURRENT, balance=Decimal(5), full_path="X", is_project=True))
    assert not made.keys() & {"Id", "SyncToken", "sparse", "MetaData", "Balance", "FullyQualifiedName", "IsProject"}


@pytest.mark.parametrize("field", TITLES)
def test_an_update_names_only_its_own_field(field: str) -> None:
    properties = {
        "display_name": {"DisplayName"}, "given_name": {"GivenName", "MiddleName"}, "family_name": {"FamilyName"},
        "company_name": {"CompanyName"}, "website": {"WebAddr"}, "address": {"BillAddr"}, "phone": {"PrimaryPhone"},
        "mobile": {"Mobile"}, "other": {"AlternatePhone"}, "fax": {"Fax"}, "email": {"PrimaryEmailAddr"},
    }  # fmt: skip
    assert update(PERSON, field).keys() == properties[field]


def test_the_first_name_takes_the_middle_name_in_and_clears_it_only_where_there_is_one() -> None:
    wanted = replace(PERSON, given_name="Mary", middle_name="Quincy")
    assert update(wanted, "given_name") == {"GivenName": "Mary Quincy", "MiddleName": ""}
    assert update(wanted, "given_name", current=replace(CURRENT, middle_name="")) == {"GivenName": "Mary Quincy"}


def test_an_address_is_sent_whole_with_its_id_and_without_its_old_place() -> None:
    sent = update(replace(CURRENT, billing_address=Address(line1="2 Side St", city="Salem")), "address")
    assert sent == {"BillAddr": {
        "Id": "7", "Line1": "2 Side St", "Line2": "", "Line3": "", "Line4": "", "Line5": "", "City": "Salem",
        "CountrySubDivisionCode": "", "PostalCode": "", "Country": "",
    }}  # fmt: skip


def test_a_street_that_is_their_lines_joined_stays_in_its_lines() -> None:
    there = replace(CURRENT, billing_address=Address(line1="Unit 4", line2="1 Main St", city="Springfield"))
    moved = replace(there, billing_address=Address(line1="Unit 4, 1 Main St", city="Salem"))
    sent = update(moved, "address", current=there)["BillAddr"]
    assert (sent["Line1"], sent["Line2"], sent["City"]) == ("Unit 4", "1 Main St", "Salem")
    other = replace(there, billing_address=Address(line1="Unit 5, 1 Main St"))
    assert update(other, "address", current=there)["BillAddr"]["Line1"] == "Unit 5, 1 Main St"


def test_an_address_that_is_cleared_does_not_come_back_from_the_shipping_address() -> None:
    bare = replace(CURRENT, billing_address=None)
    assert update(bare, "address").keys() == {"BillAddr"}  # another place: not ours to clear
    for billing in (None, CURRENT.shipping_address):
        sent = update(bare, "address", current=replace(CURRENT, billing_address=billing))
        assert sent.keys() == {"BillAddr", "ShipAddr"}
        assert not any(value for part, value in (sent["BillAddr"] | sent["ShipAddr"]).items() if part != "Id")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("Ann \U0001f600 Lee", "Ann Lee"),
        ("\u2764\ufe0f Ann", "\u2764 Ann"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467 Family", "Family"),
        ("A\tB\nC", "A B C"),
        ("Zoë Łuc 中文", "Zoë Łuc 中文"),
        ("\U00020000", ""),
    ],
)
def test_names_lose_what_quickbooks_fails_on(given: str, sent: str) -> None:
    assert legible(given) == sent
    if sent:
        assert body("customer", "create", replace(PERSON, display_name=given))["DisplayName"] == sent
    else:
        with pytest.raises(errors.InvalidValue, match="name is empty"):
            body("customer", "create", replace(PERSON, display_name=given))


def test_what_was_never_said_is_a_fault_of_ours() -> None:
    for kind, operation, current in (("employee", "create", None), ("customer", "freeze", CURRENT),
                                     ("customer", "update", None), ("customer", "delete", None)):  # fmt: skip
        with pytest.raises(ValueError, match=r"takes no|needs the record"):
            body(kind, operation, PERSON, current=current)
    with pytest.raises(KeyError):
        body("customer", "update", PERSON, fields=["shoe_size"], current=CURRENT)


def test_amounts_survive_a_json_column_and_go_out_as_the_very_same_numbers() -> None:
    kept = {"A": Decimal("12345678901.4500001"), "B": [Decimal("0.10"), 3, True, None], "C": {"D": Decimal("1E+3")}}
    item = ItemRecord(Origin("1", "0"), "Slab", type="service", price=Decimal(1))
    wanted = replace(item, price=kept["A"])  # type: ignore[arg-type]
    made = json.loads(json.dumps(body("item", "update", wanted, current=item)))
    assert made["UnitPrice"] == {"$number": "12345678901.4500001"}
    assert b'"UnitPrice":12345678901.4500001' in exact_json(made)
    assert exact_json(kept) == b'{"A":12345678901.4500001,"B":[0.10,3,true,null],"C":{"D":1000}}'


# --- the batch and its answer


def answered(*items: Any, status: int = 200, **headers: str) -> Reply:
    return Reply({"BatchItemResponse": list(items), "time": "2026-11-20T00:00:00-08:00"}, status, headers)


def fault(code: str, item: str = "e1", kind: str = "ValidationFault") -> dict[str, Any]:
    error = {"Message": "No", "Detail": "Because", "code": code, "element": "X"}
    return {"bId": item, "Fault": {"Error": [error], "type": kind}}


def customer(item: str = "e1", **changes: Any) -> dict[str, Any]:
    return {"bId": item, "Customer": {"Id": "58", "SyncToken": "4", "DisplayName": "A", **changes}}


def drafts(count: int = 1) -> list[Draft]:
    return [Draft(f"e{n}", "customer", "create", {"DisplayName": f"C{n}"}) for n in range(1, count + 1)]


class Asked:
    """A scripted QuickBooks and what was heard of the calls to it."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.calls: list[CallInfo] = []
        config = Config("id", "secret", api_url=listener.url)
        self.books = QuickBooks(config, realm_id="99", access_token="token-of-the-test", on_call=self.calls.append)


def push(reply: Reply, sent: list[Draft] | None = None) -> tuple[list[Pushed], Asked]:
    with listening(lambda _: reply) as listener:
        asked = Asked(listener)
        return list(asked.books.push(sent or drafts(), key="a-key")), asked


def refused(reply: Reply) -> errors.ProviderError:
    with listening(lambda _: reply) as listener:
        asked = Asked(listener)
        with pytest.raises(errors.ProviderError) as caught:
            asked.books.push(drafts(), key="a-key")
        assert len(listener.requests) == 1
        assert [call.operation for call in asked.calls] == ["batch"]
        assert not asked.calls[0].metered
        assert "token-of-the-test" not in f"{caught.value} {caught.value.cause}"
    return caught.value


def test_the_request_is_one_batch_under_its_key() -> None:
    sent = [
        Draft("e1", "customer", "create", {"DisplayName": "C"}),
        Draft("e2", "customer", "deactivate", {"Id": "1", "SyncToken": "0", "sparse": True, "Active": False}),
        Draft("e3", "invoice", "void", {"Id": "2", "SyncToken": "0", "sparse": True}),
        Draft("e4", "payment", "delete", {"Id": "3", "SyncToken": "0"}),
    ]
    _, asked = push(answered(), sent)
    (request,) = asked.listener.requests
    assert request.method == "POST"
    assert sorted(request.path.partition("?")[2].split("&")) == ["minorversion=75", "requestid=a-key"]
    assert request.path.startswith("/v3/company/99/batch?")
    assert json.loads(request.body)["BatchItemRequest"] == [
        {"bId": "e1", "operation": "create", "Customer": {"DisplayName": "C"}},
        {"bId": "e2", "operation": "update", "Customer": sent[1].body},
        {"bId": "e3", "operation": "update", "Invoice": sent[2].body, "optionsData": "void"},
        {"bId": "e4", "operation": "delete", "Payment": sent[3].body},
    ]


def test_outcomes_are_matched_by_item_in_any_order_and_what_is_missing_is_unknown() -> None:
    pushed, _ = push(answered(fault("5010", "e3"), customer("e1"), customer("e9"), "odd", {"bId": "e4"}), drafts(4))
    found = {one.item: one for one in pushed}
    assert isinstance(found["e1"].record, CustomerRecord)
    assert type(found["e2"].error) is errors.OutcomeUnknown
    assert type(found["e3"].error) is errors.Stale
    assert type(found["e4"].error) is errors.OutcomeUnknown
    assert set(found) == {"e1", "e2", "e3", "e4"}


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        (fault("6240"), errors.DuplicateName),
        (fault("610"), errors.Gone),
        (fault("2050"), errors.InvalidValue),
        (fault("3001"), errors.RateLimited),
        (fault("140"), errors.Unavailable),
        (fault("99999"), errors.Rejected),
        # the service's own trouble: perhaps it was written
        (fault("10000"), errors.OutcomeUnknown),
        (fault("1020"), errors.OutcomeUnknown),
        (fault("99999", kind="SystemFault"), errors.OutcomeUnknown),
    ],
)
def test_each_refused_item_becomes_our_error_with_the_trace_of_the_call(
    item: dict[str, Any], kind: type[errors.ProviderError]
) -> None:
    (pushed,), asked = push(answered(item, **{"intuit_tid": "1-trace"}))
    assert type(pushed.error) is kind
    assert (pushed.error.cause.code, pushed.error.cause.trace_id) == (item["Fault"]["Error"][0]["code"], "1-trace")
    assert pushed.error.cause.field == "X"
    assert asked.calls[0].error == ""


def test_what_was_written_and_cannot_be_read_says_so() -> None:
    (pushed,), _ = push(answered(customer(MetaData={"CreateTime": "yesterday"}), intuit_tid="1-trace"))
    assert type(pushed.error) is errors.Unreadable
    assert "wrote the customer (id 58)" in str(pushed.error)
    assert (pushed.error.cause.code, pushed.error.cause.field, pushed.error.cause.trace_id) == (
        "written", "58", "1-trace",
    )  # fmt: skip


def test_a_deletion_leaves_nothing_to_show() -> None:
    gone = {"bId": "e1", "Invoice": {"status": "Deleted", "Id": "2", "domain": "QBO"}}
    (pushed,), _ = push(answered(gone), [Draft("e1", "invoice", "delete", {"Id": "2", "SyncToken": "0"})])
    assert pushed == Pushed("e1")


@pytest.mark.parametrize(
    "reply",
    [
        Reply("<html>Bad gateway</html>", 502, {"Content-Type": "text/html"}),
        Reply("<html>Welcome</html>", 200, {"Content-Type": "text/html"}),
        Reply({"Fault": {"Error": [{"code": "10000"}], "type": "SystemFault"}}, 500),
        Reply({"Fault": {"Error": [{"code": "10000"}], "type": "SystemFault"}}, 200),
        Reply('{"BatchItemResponse":[{"bId":"e1","Cust', 200),
        Reply({"time": "x"}, 200),
        Reply({"BatchItemResponse": {}}, 200),
        Reply("", 504),
        Reply("", 408),
        Reply(drop=True),
    ],
)
def test_an_answer_that_may_have_come_after_the_work_leaves_the_outcome_unknown(reply: Reply) -> None:
    assert type(refused(reply)) is errors.OutcomeUnknown


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply({"fault": {"error": [{"code": "3200", "detail": "Token expired: token-of-the-test"}]}}, 401),
         errors.AccessExpired),
        (Reply({"fault": {"error": [{"code": "3100"}]}}, 403), errors.PermissionLost),
        (Reply({"fault": {"error": [{"code": "3001"}]}}, 429), errors.RateLimited),
        (Reply("", 429), errors.RateLimited),
        (Reply({"Fault": {"Error": [{"code": "6190"}]}}, 400), errors.SubscriptionLapsed),
        (Reply({"Fault": {"Error": [{"code": "1040"}]}}, 400), errors.UnexpectedAnswer),
        (Reply({"Fault": {"Error": [{"code": "150"}]}}, 503), errors.Unavailable),
        (Reply("", 413), errors.UnexpectedAnswer),
    ],
)  # fmt: skip
def test_what_was_refused_at_the_gate_was_not_done(reply: Reply, kind: type[errors.ProviderError]) -> None:
    assert type(refused(reply)) is kind


def test_nobody_there_is_no_unknown_outcome() -> None:
    config = Config("id", "secret", api_url="http://127.0.0.1:9")
    with pytest.raises(errors.Unavailable) as caught:
        QuickBooks(config, realm_id="9", access_token="t", on_call=lambda _: None).push(drafts(), key="k")
    assert type(caught.value) is errors.Unavailable


@pytest.mark.parametrize(("items", "key"), [(["e1", "e1"], "k"), (["e1"], ""), (["e1"], "k" * 37),
                                            (["e" * 11], "k"), ([""], "k")])  # fmt: skip
def test_a_batch_that_cannot_be_told_apart_is_never_sent(items: list[str], key: str) -> None:
    def never(_: Request) -> Reply:
        raise AssertionError("sent")

    with listening(never) as listener, pytest.raises(ValueError, match=r"item"):
        Asked(listener).books.push([replace(drafts()[0], item=item) for item in items], key=key)


@needs_recordings
def test_the_recorded_batch_is_read() -> None:
    recorded = exchanges(RECORDED / "batch_response.json")[0]
    items = recorded["response"]["body"]["BatchItemResponse"]
    sent = [Draft("bid2", "invoice", "delete", {"Id": "129", "SyncToken": "0"})]
    (pushed,), _ = push(Reply(json.loads(json.dumps({"BatchItemResponse": items}, default=float))), sent)
    assert type(pushed.error) is errors.Gone


# --- documents, against the look-alike


@pytest.fixture(scope="module")
def books() -> Iterator[QuickBooks]:
    with sandbox.serving(companies=1) as served:
        config = Config("id", "secret", api_url=served.url)
        token = served.connect().access
        yield QuickBooks(config, realm_id=served.realm, access_token=token, on_call=lambda _: None)


def done(books: QuickBooks, kind: str, operation: str, record: Any, current: Any = None) -> Any:
    kept = json.loads(json.dumps(body(kind, operation, record, current=current)))
    (pushed,) = books.push([Draft("e1", kind, operation, kept)], key=f"{kind}-{operation}-{id(record)}"[:36])
    assert pushed.error is None, pushed.error
    return pushed.record


@pytest.mark.parametrize("kind", ["estimate", "invoice", "credit_memo"])
def test_documents_are_created_changed_voided_and_deleted(books: QuickBooks, kind: str) -> None:
    pattern = cast(DocumentRecord, next(iter(books.scan(kind).records)))
    plain = replace(pattern, number="", linked=(), due_date=None)
    new = done(books, kind, "create", plain)
    assert (new.total, new.customer.remote_id) == (pattern.total, pattern.customer.remote_id)
    changed = done(books, kind, "update", replace(new, private_note="Noted"), new)
    assert (changed.private_note, changed.total, len(changed.lines)) == ("Noted", new.total, len(new.lines))
    if kind != "estimate":
        changed = done(books, kind, "void", None, changed)
        assert (changed.void, changed.total) == (True, 0)
    assert done(books, kind, "delete", None, changed) is None
    assert books.fetch(kind, [new.origin.remote_id]).records == ()


def test_payments_and_items_are_written_too(books: QuickBooks) -> None:
    invoice = cast(DocumentRecord, next(r for r in books.scan("invoice").records if r.balance))  # type: ignore[union-attr]
    payment = PaymentRecord(Origin(""), invoice.customer, date=invoice.date, total=Decimal("0.37"))
    new = done(books, "payment", "create", payment)
    assert (new.total, new.unapplied) == (Decimal("0.37"), Decimal("0.37"))
    assert done(books, "payment", "void", None, new).total == 0
    pattern = next(r for r in books.scan("item").records if isinstance(r, ItemRecord) and r.type == "service")
    item = done(books, "item", "create", replace(pattern, name="Drain tile", full_path=""))
    item = done(books, "item", "update", replace(item, price=Decimal("7.95")), item)
    assert item.price == Decimal("7.95")
    away = done(books, "item", "deactivate", None, item)
    assert (away.active, away.name) == (False, "Drain tile")
    back = done(books, "item", "reactivate", None, away)
    assert (back.active, back.name) == (True, "Drain tile")


def test_vendors_and_bills_are_written_and_found(books: QuickBooks) -> None:
    said = VendorRecord("vendor", Origin(""), "Lumber & Nails", company_name="Lumber", account_number="77",
                        phones=(PhoneField("primary", "555-0100"),), email_text="l@n.example",
                        address=Address(line1="1 Mill Rd", city="Salem"))  # fmt: skip
    vendor = done(books, "vendor", "create", said)
    assert (vendor.display_name, vendor.account_number, vendor.phones) == (said.display_name, "77", said.phones)
    assert (vendor.address, vendor.email_text) == (said.address, "l@n.example")
    changed = done(books, "vendor", "update", replace(vendor, account_number="78"), vendor)
    assert (changed.account_number, changed.address, changed.company_name) == ("78", said.address, "Lumber")
    assert books.find("vendor", ["LUMBER & nails"]).records == (changed,)
    expense = next(Ref(one.origin.remote_id) for one in books.scan("account").records
                   if isinstance(one, ListRecord) and one.details.get("type") == "Expense")  # fmt: skip
    line = LineRecord(None, "account", "Boards", Decimal("120.50"), account=expense)
    bill = done(books, "bill", "create", BillRecord(
        Origin(""), Ref(vendor.origin.remote_id), number="L-9", date=date(2026, 11, 20), private_note="Paper copy",
        lines=(line,)))  # fmt: skip
    assert (bill.total, bill.balance, bill.number, bill.lines[0].account.remote_id) == (
        Decimal("120.50"), Decimal("120.50"), "L-9", expense.remote_id,
    )  # fmt: skip
    more = (*bill.lines, replace(line, amount=Decimal("9.50")))
    after = done(books, "bill", "update", replace(bill, lines=more, private_note=""), bill)
    assert (after.total, after.private_note, after.number) == (130, "Paper copy", "L-9")
    assert after.lines[0].remote_id == bill.lines[0].remote_id
    assert after in books.recent("bill", vendor.origin.remote_id, datetime.now(UTC) - timedelta(minutes=1)).records
    assert done(books, "bill", "delete", None, after) is None
    away = done(books, "vendor", "deactivate", None, changed)
    assert (away.active, away.display_name) == (False, "Lumber & Nails")


def test_an_item_that_counts_stock_is_created_and_never_counted_again(books: QuickBooks) -> None:
    items = [one for one in books.scan("item").records if isinstance(one, ItemRecord)]
    pattern = next(one for one in items if one.type == "inventory" and one.asset_account)
    said = replace(pattern, origin=Origin(""), name="Contract pump", full_path="", sku="", parent=None,
                   tracks_quantity=None,
                   quantity_on_hand=Decimal(7), inventory_start=date(2026, 1, 2), extra={})  # fmt: skip
    item = done(books, "item", "create", said)
    assert (item.quantity_on_hand, item.tracks_quantity, item.inventory_start) == (7, True, date(2026, 1, 2))
    wanted = replace(item, quantity_on_hand=Decimal(99), reorder_point=Decimal(3))
    changed = done(books, "item", "update", wanted, item)
    assert (changed.quantity_on_hand, changed.reorder_point) == (7, 3)


def test_the_companys_preferences_answer_for_its_sales_forms(books: QuickBooks) -> None:
    said = books.preferences()
    assert said.home_currency == "USD"
    assert said.tax_mode("US") in ("us_manual", "us_automated", "none")
    assert (said.own_document_numbers, said.allows_estimates) == (False, True)
    assert said.default_terms is not None
