"""QuickBooks' recorded bodies through the mapper and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from crm.domain.records import (
    Address,
    Application,
    CustomerRecord,
    CustomFieldDefinition,
    DocumentRecord,
    ItemRecord,
    LineRecord,
    LinkedDocument,
    ListRecord,
    Origin,
    PartyRecord,
    PaymentRecord,
    PhoneField,
    Ref,
    Refusal,
)
from crm.providers.accounting.quickbooks import mapper
from crm.providers.accounting.quickbooks.bodies import PUSH_KINDS
from crm.providers.accounting.quickbooks.preferences import to_preferences
from tests.providers.recordings import RECORDED, Schema, entities, load, needs_recordings

KIND_OF = {entity: kind for kind, entity in mapper.ENTITIES.items()}
SENT = PUSH_KINDS
#: Fields that are written whether or not a (then older) recording has them, with what their absence means.
ADDED = {"Job": False, "IsProject": False, "BillWithParent": False, "Active": True, "UnappliedAmt": 0}


def recorded(*kinds: str) -> list[Any]:
    """One case per recorded object, named by its file."""
    found = [
        pytest.param(kind, body, id=f"{name}-{kind}-{body['Id']}")
        for name, kind, body in entities(KIND_OF)
        if (not kinds or kind in kinds) and body.get("status") != "Deleted"
    ]
    return found or [pytest.param("", {}, marks=needs_recordings, id="none")]


@pytest.mark.parametrize(("kind", "body"), recorded())
def test_a_recorded_body_comes_back_from_its_record_whole(kind: str, body: dict[str, Any]) -> None:
    record = mapper.to_record(kind, body)
    assert not isinstance(record, Refusal), record
    back = mapper.to_body(record)

    for timed in ("MetaData", "DeliveryInfo"):
        assert _times(back.pop(timed, {})) == _times(body.get(timed, {}))
    left_out = ("MetaData", "DeliveryInfo", "domain", "sparse")
    expected = {name: value for name, value in body.items() if name not in left_out}
    for name, meaning in ADDED.items():
        if name not in expected and back.get(name) == meaning:
            del back[name]
    assert back == expected
    assert mapper.to_record(kind, mapper.to_body(record)) == record


@pytest.mark.parametrize(("kind", "body"), recorded(*SENT))
def test_what_may_be_sent_of_a_recorded_body_is_clean_by_the_schema(kind: str, body: dict[str, Any]) -> None:
    record = mapper.to_record(kind, body)
    assert Schema().complaints(mapper.ENTITIES[kind], mapper.to_sent_body(kind, record)) == []


@needs_recordings
def test_every_kind_is_met_in_the_recordings_and_the_schema_knows_them_all() -> None:
    met = {kind for _, kind, _ in entities(KIND_OF)}
    assert met == set(mapper.ENTITIES)


@needs_recordings
def test_the_schema_check_itself_finds_unknown_misplaced_and_read_only_fields() -> None:
    body = {"DisplayName": 5, "Bogus": 1, "Level": 2, "BillAddr": {"Street": "x"}}
    assert Schema().complaints("Customer", body) == [
        "Customer.DisplayName is 5, not string",
        "Customer.Bogus is unknown",
        "Customer.BillAddr.Street is unknown",
        "Customer.Level is read-only",
    ]


@pytest.mark.parametrize(("kind", "body"), recorded())
def test_no_float_is_found_anywhere_in_a_record(kind: str, body: dict[str, Any]) -> None:
    record = mapper.to_record(kind, body)
    assert not [value for value in _leaves(record) if isinstance(value, float)]


@needs_recordings
def test_a_recorded_customer_is_read_into_our_words() -> None:
    body = load(RECORDED / "query_customer_displayname_escaped_quote.json")["response"]["body"]["QueryResponse"][
        "Customer"
    ][0]
    customer = mapper.to_record("customer", body)
    assert isinstance(customer, CustomerRecord)
    assert customer.display_name == "Amy's Bird Sanctuary"
    assert customer.phones == (PhoneField("primary", "(650) 555-3311"),)
    assert customer.email_text == "Birds@Intuit.com"
    assert customer.billing_address == Address(
        line1="4581 Finch St.", city="Bayshore", region="CA", postal_code="94326"
    )
    assert customer.origin.updated_at is not None
    assert customer.origin.updated_at.tzinfo is UTC
    assert type(customer.balance) is Decimal


@needs_recordings
def test_a_recorded_void_is_told_by_zero_amounts_and_its_note() -> None:
    sequence = load(RECORDED / "void_invoice_sequence.json")["exchanges"]
    before, after = (mapper.to_record("invoice", exchange["response"]["body"]["Invoice"]) for exchange in sequence)
    assert isinstance(before, DocumentRecord)
    assert isinstance(after, DocumentRecord)
    assert (before.void, before.status, before.total) == (False, "", Decimal(100))
    assert (after.void, after.status, after.total, after.balance) == (True, "void", Decimal(0), Decimal(0))


@needs_recordings
def test_a_recorded_inactive_employee_is_named_without_the_suffix() -> None:
    inactive = [body for _, kind, body in entities(KIND_OF) if kind == "employee" and not body["Active"]]
    assert inactive
    for body in inactive:
        party = mapper.to_record("employee", body)
        assert isinstance(party, PartyRecord)
        assert body["DisplayName"] == f"{party.display_name} (deleted)"


@needs_recordings
def test_recorded_preferences_answer_the_questions_of_the_house() -> None:
    body = load(RECORDED / "read_preferences_2017.json")["response"]["body"]["Preferences"]
    preferences = to_preferences(body)
    assert preferences.own_document_numbers is False
    assert preferences.default_terms == Ref("3")
    assert (preferences.allows_discount, preferences.allows_deposit) == (True, False)
    assert preferences.discount_account == Ref("86")
    assert preferences.custom_fields == (CustomFieldDefinition("1", "Crew #"),)
    assert (preferences.inventory, preferences.class_tracking) == (True, False)
    assert preferences.tax_mode("US") == "us_manual"
    assert preferences.extra == body


@needs_recordings
def test_recorded_terms_and_rates_carry_their_figures() -> None:
    terms = [mapper.to_record(kind, body) for _, kind, body in entities(KIND_OF) if kind in ("term", "tax_rate")]
    figures = {term.name: term.details for term in terms if isinstance(term, ListRecord)}
    assert figures["Net 60"]["due_days"] == 60
    assert figures["California"]["percent"] == Decimal(8)


def customer(**sent: Any) -> Any:
    return mapper.to_record("customer", {"Id": "7", "SyncToken": "3", "DisplayName": "Amy", "Active": True, **sent})


def test_money_is_kept_to_the_last_digit() -> None:
    record = customer(Balance=Decimal("1234567890123.45"), BalanceWithJobs=7)
    assert record.balance == Decimal("1234567890123.45")
    assert mapper.to_body(record)["Balance"] == Decimal("1234567890123.45")
    assert type(record.balance_with_jobs) is Decimal


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"Balance": 0.1}, "Balance is 0.1, where an exact number belongs."),
        ({"Balance": True}, "Balance is True, where an exact number belongs."),
        ({"DisplayName": ""}, "DisplayName is missing."),
        ({"Id": None}, "The record has no Id."),
        ({"BillAddr": "Main St."}, "BillAddr is not an object."),
        ({"Active": "yes"}, "Active is 'yes', where true or false belongs."),
        ({"PrimaryPhone": {"FreeFormNumber": 5}}, "PrimaryPhone.FreeFormNumber is 5, where text belongs."),
        ({"MetaData": {"CreateTime": "2026-01-01T00:00:00"}}, "which is not a time with its offset."),
        ({"status": "Deleted"}, "The record was deleted in QuickBooks."),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_with_a_sentence_and_kept(sent: dict[str, Any], sentence: str) -> None:
    refusal = customer(**sent)
    assert isinstance(refusal, Refusal)
    assert refusal.reason.startswith("Customer cannot be read: ")
    assert sentence in refusal.reason
    assert refusal.body["SyncToken"] == "3"


def test_something_that_is_no_object_is_refused_too() -> None:
    assert isinstance(mapper.to_record("customer", ["x"]), Refusal)


def test_inactive_names_lose_their_suffix_on_every_level_and_get_it_back() -> None:
    body = {"DisplayName": "Shed (deleted)", "FullyQualifiedName": "Amy (deleted):Shed (deleted)", "Active": False}
    record = customer(**body)
    assert (record.display_name, record.full_path, record.active) == ("Shed", "Amy:Shed", False)
    assert mapper.to_body(record).items() >= body.items()
    assert "DisplayName" not in mapper.to_sent_body("customer", record)


def test_an_active_name_that_ends_like_an_inactive_one_stays_as_it_is() -> None:
    assert customer(DisplayName="Amy (deleted)").display_name == "Amy (deleted)"


def test_an_active_job_of_an_inactive_customer_shows_the_plain_path() -> None:
    record = customer(FullyQualifiedName="Amy (deleted):Shed", DisplayName="Shed")
    assert record.full_path == "Amy:Shed"
    assert mapper.to_body(record)["FullyQualifiedName"] == "Amy (deleted):Shed"


def test_a_customer_brought_back_is_sent_under_the_plain_name() -> None:
    record = replace(customer(DisplayName="Amy (deleted)", Active=False), active=True)
    assert mapper.to_sent_body("customer", record).items() >= {"DisplayName": "Amy", "Active": True}.items()


@pytest.mark.parametrize("number", ["9", 9])
def test_a_tax_exemption_is_told_in_words_and_sent_back_as_it_came(number: str | int) -> None:
    record = customer(TaxExemptionReasonId=number)
    assert record.tax_exemption == "Resale"
    assert mapper.to_sent_body("customer", record)["TaxExemptionReasonId"] == number


def test_an_unknown_tax_exemption_is_shown_by_its_number_and_kept() -> None:
    record = customer(TaxExemptionReasonId="99")
    assert record.tax_exemption == "Reason 99"
    assert mapper.to_sent_body("customer", record)["TaxExemptionReasonId"] == "99"


def test_a_job_is_sent_with_its_parent() -> None:
    body = mapper.to_sent_body("customer", replace(customer(), parent_id="3"))
    assert (body["Job"], body["ParentRef"]) == (True, {"value": "3"})


def test_what_quickbooks_computes_or_masks_is_not_sent() -> None:
    record = customer(Balance=Decimal(5), PrimaryTaxIdentifier="XXXXX6789", BillAddr={"Line1": "a", "Lat": "INVALID"})
    body = mapper.to_sent_body("customer", record)
    assert not body.keys() & {"Balance", "PrimaryTaxIdentifier", "FullyQualifiedName", "IsProject", "MetaData"}
    assert body["BillAddr"] == {"Line1": "a"}


def test_our_change_wins_over_what_the_extra_holds_and_the_rest_of_the_object_stays() -> None:
    record = customer(BillAddr={"Id": "99", "Line1": "Old St.", "Note": "ring twice"})
    body = mapper.to_body(replace(record, billing_address=Address(line1="New St.")))
    assert body["BillAddr"] == {"Id": "99", "Line1": "New St.", "Note": "ring twice"}


def test_writing_a_body_leaves_the_record_untouched() -> None:
    record = customer(BillAddr={"Id": "99", "Line1": "Old St."})
    mapper.to_body(record)["BillAddr"]["Id"] = "changed"
    assert record.extra["BillAddr"] == {"Id": "99"}


def invoice(**sent: Any) -> Any:
    body = {"Id": "1", "SyncToken": "0", "CustomerRef": {"value": "7"}, "TotalAmt": Decimal("10.50"), **sent}
    return mapper.to_record("invoice", body)


def test_a_zero_invoice_without_the_note_is_not_void() -> None:
    assert not invoice(TotalAmt=0).void
    assert not invoice(PrivateNote="Voided by mistake, then entered again").void
    assert invoice(TotalAmt=0, PrivateNote="Voided - Voided: wrong customer").void


@pytest.mark.parametrize("word", ["Closed", "Converted"])
def test_both_words_for_an_invoiced_estimate_mean_closed_and_come_back_as_sent(word: str) -> None:
    body = {"Id": "1", "CustomerRef": {"value": "7"}, "TotalAmt": 1, "TxnStatus": word}
    record = mapper.to_record("estimate", body)
    assert isinstance(record, DocumentRecord)
    assert record.status == "closed"
    assert mapper.to_body(record)["TxnStatus"] == word
    assert mapper.to_body(replace(record, status="accepted"))["TxnStatus"] == "Accepted"


def test_a_line_of_every_sort_is_read_and_comes_back() -> None:
    lines = [
        {"Id": "1", "LineNum": 1, "Amount": 20, "DetailType": "SalesItemLineDetail", "Description": "Fence",
         "SalesItemLineDetail": {"ItemRef": {"value": "4", "name": "Fence"}, "Qty": 2, "UnitPrice": 10,
                                 "TaxCodeRef": {"value": "TAX"}, "ServiceDate": "2026-01-02"}},
        {"Id": "2", "DetailType": "DescriptionOnly", "Description": "Thanks", "DescriptionLineDetail": {}},
        {"Amount": 20, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}},
        {"Amount": 1, "DetailType": "DiscountLineDetail",
         "DiscountLineDetail": {"PercentBased": True, "DiscountPercent": 5}},
        {"Id": "3", "DetailType": "GroupLineDetail",
         "GroupLineDetail": {"GroupItemRef": {"value": "9"}, "Quantity": 3, "Line": [{"Amount": 1}]}},
        {"Id": "4", "DetailType": "SomethingNew", "SomethingNew": {"a": 1}},
    ]  # fmt: skip
    record = invoice(Line=lines)
    assert [line.kind for line in record.lines] == ["item", "text", "subtotal", "discount", "group", "other"]
    first = record.lines[0]
    assert (first.quantity, first.unit_price, first.amount, first.tax_code) == (2, 10, 20, "TAX")
    assert first.item == Ref("4", "Fence")
    assert record.lines[4].item == Ref("9")
    assert mapper.to_body(record)["Line"] == lines
    sent = mapper.to_sent_body("invoice", record)["Line"]
    assert "SubTotalLineDetail" not in [line["DetailType"] for line in sent]
    assert [line["Id"] for line in sent if "Id" in line] == ["1", "2", "3", "4"]


def test_computed_tax_and_payment_links_are_not_sent_with_an_invoice() -> None:
    links = [{"TxnId": "5", "TxnType": "Estimate"}, {"TxnId": "6", "TxnType": "Payment"}]
    record = invoice(LinkedTxn=links, TxnTaxDetail={"TotalTax": Decimal("0.50"), "TxnTaxCodeRef": {"value": "2"}})
    assert record.linked == (LinkedDocument("estimate", "5"), LinkedDocument("payment", "6"))
    assert record.tax == Decimal("0.50")
    body = mapper.to_sent_body("invoice", record)
    assert body["LinkedTxn"] == links[:1]
    assert body["TxnTaxDetail"] == {"TxnTaxCodeRef": {"value": "2"}}


def test_a_payment_says_which_document_got_how_much_and_unknown_words_survive() -> None:
    lines = [
        {"Amount": Decimal("40.25"), "LinkedTxn": [{"TxnId": "1", "TxnType": "Invoice"}]},
        {"Amount": Decimal(5), "LinkedTxn": [{"TxnId": "2", "TxnType": "CreditCardCredit", "TxnLineId": "0"}]},
    ]
    record = mapper.to_record("payment", {"Id": "9", "CustomerRef": {"value": "7"}, "TotalAmt": 46, "Line": lines})
    assert isinstance(record, PaymentRecord)
    assert [(part.kind, part.remote_id, part.amount) for part in record.applied] == [
        ("invoice", "1", Decimal("40.25")),
        ("creditcardcredit", "2", Decimal(5)),
    ]
    assert mapper.to_body(record)["Line"] == lines


def test_a_payment_line_without_a_document_is_kept_as_money_gone_elsewhere() -> None:
    lines = [{"Amount": Decimal(5)}]
    record = mapper.to_record("payment", {"Id": "9", "CustomerRef": {"value": "7"}, "TotalAmt": 5, "Line": lines})
    assert isinstance(record, PaymentRecord)
    assert record.applied == (Application("", "", Decimal(5)),)
    assert mapper.to_body(record)["Line"] == lines


def test_a_voided_payment_is_void_and_an_empty_one_that_links_credits_is_not() -> None:
    body = {"Id": "9", "CustomerRef": {"value": "7"}, "TotalAmt": 0, "UnappliedAmt": 0, "Line": []}
    void = mapper.to_record("payment", {**body, "PrivateNote": "Voided"})
    linking = mapper.to_record("payment", {**body, "PrivateNote": "Created by QB Online to link credits to charges."})
    assert isinstance(void, PaymentRecord)
    assert isinstance(linking, PaymentRecord)
    assert (void.void, linking.void) == (True, False)


def test_a_payment_line_that_names_two_documents_is_refused_rather_than_guessed() -> None:
    links = [{"TxnId": "1", "TxnType": "Invoice"}, {"TxnId": "2", "TxnType": "Invoice"}]
    body = {"Id": "9", "CustomerRef": {"value": "7"}, "TotalAmt": 1, "Line": [{"Amount": 1, "LinkedTxn": links}]}
    refusal = mapper.to_record("payment", body)
    assert isinstance(refusal, Refusal)
    assert "names 2 documents" in refusal.reason


@needs_recordings
@pytest.mark.parametrize(
    ("kind", "record"),
    [
        ("customer", CustomerRecord(
            Origin(""), "Ann Lee", given_name="Ann", family_name="Lee", phones=(PhoneField("mobile", "555"),),
            email_text="a@b.c", billing_address=Address(line1="1 Main"), notes="gate", parent_id="3", currency="USD",
            terms=Ref("3", "Net 30"), tax_exemption="Resale", resale_number="R1")),
        ("item", ItemRecord(Origin(""), "Fence", type="service", price=Decimal("9.99"), income_account=Ref("79"))),
        ("estimate", DocumentRecord("estimate", Origin(""), Ref("7"), date=date(2026, 11, 21), status="pending",
                                    lines=(LineRecord(None, "item", "Fence", Decimal(20), Decimal(2), Decimal(10),
                                                      Ref("4"), "NON", taxable=False),))),
        ("invoice", DocumentRecord("invoice", Origin(""), Ref("7"), number="1001", due_date=date(2026, 12, 1),
                                   email="a@b.c", email_status="to_send", customer_memo="Thanks",
                                   lines=(LineRecord(None, "text", "Hello"),),
                                   linked=(LinkedDocument("estimate", "5"),))),
        ("credit_memo", DocumentRecord("credit_memo", Origin(""), Ref("7"), total=Decimal(5), balance=Decimal(5))),
        ("payment", PaymentRecord(Origin(""), Ref("7"), date=date(2026, 11, 21), total=Decimal(10),
                                  method=Ref("2"), reference="77",
                                  applied=(Application("invoice", "1", Decimal(10)),))),
    ],
)  # fmt: skip
def test_a_body_built_from_nothing_is_clean_by_the_schema_and_says_what_the_record_says(kind: str, record: Any) -> None:
    body = mapper.to_sent_body(kind, record)
    assert Schema().complaints(mapper.ENTITIES[kind], body) == []
    read = mapper.to_record(kind, {**body, "Id": "1", "TotalAmt": body.get("TotalAmt", 0)})
    assert not isinstance(read, Refusal)
    again = replace(read, origin=Origin(""), extra={})
    computed = {"total": record.total, "balance": record.balance} if isinstance(record, DocumentRecord) else {}
    if isinstance(record, PaymentRecord):
        computed = {"unapplied": record.unapplied}
    assert _without_extra(replace(again, **computed)) == _without_extra(record)


def _without_extra(record: Any) -> Any:
    """The record and what it holds, each without its extra: a new line gets an empty detail object, for one."""
    if isinstance(record, tuple):
        return tuple(_without_extra(part) for part in record)
    if not is_dataclass(record) or isinstance(record, type):
        return record
    return {f.name: _without_extra(getattr(record, f.name)) for f in fields(record) if f.name != "extra"}


def _leaves(value: Any) -> Iterator[Any]:
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _leaves(getattr(value, field.name))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _times(meta: dict[str, Any]) -> dict[str, Any]:
    """An object with its times as moments: they come back in UTC."""
    return {
        name: datetime.fromisoformat(value).astimezone(UTC) if name.endswith("Time") else value
        for name, value in meta.items()
    }
