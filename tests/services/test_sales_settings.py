"""Sales settings: every question has a default found in the company, with its reason; answers are versions."""

from __future__ import annotations

import struct
import zlib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Changed, Invalid, NotFound
from crm.domain.pictures import read_picture
from crm.domain.sales_settings import QUESTIONS
from crm.models import AuditEntry, Item, ListEntry, SalesDocument, SalesSettings
from crm.queries import sales_settings as queries
from crm.services import sales_settings
from crm.services.audit import Actor
from tests.engine_rows import add, company

KIM = Actor("kim@example.com", shown_as="Kim")
ACCOUNTS = (
    ("1", "Services", "Income", "ServiceFeeIncome"), ("2", "Sales of Product Income", "Income", "SalesOfProductIncome"),
    ("3", "Repair Income", "Income", "OtherPrimaryIncome"), ("4", "Undeposited Funds", "Other Current Asset",
    "UndepositedFunds"), ("5", "Checking", "Bank", "Checking"), ("6", "Rent", "Expense", "RentOrLeaseOfBuildings"),
)  # fmt: skip


def books(*, lists: bool = True, **preferences: Any) -> int:
    connection_id = company(preferences=preferences)
    if lists:
        for remote_id, name, type_, subtype in ACCOUNTS:
            entry(connection_id, "account", remote_id, name, type=type_, subtype=subtype)
        entry(connection_id, "term", "4", "Net 30", due_days=30)
        entry(connection_id, "tax_code", "2", "Kansas City")
        entry(connection_id, "tax_code", "3", "Topeka")
    return connection_id


def entry(connection_id: int, kind: str, remote_id: str, name: str, **details: Any) -> None:
    add(ListEntry(connection_id=connection_id, kind=kind, remote_id=remote_id, name=name, details=details,
                  seen_at=clock.now()))  # fmt: skip


def item(connection_id: int, number: int, account: str, *, type_: str = "service", taxable: bool = False) -> None:
    record = {"income_account": {"remote_id": account}, "taxable": taxable}
    add(Item(connection_id=connection_id, remote_id=f"i{number}", name=f"Item {number}", type=type_, record=record,
             seen_at=clock.now()))  # fmt: skip


def document(connection_id: int, kind: str, number: str, *, days: int | None = None) -> None:
    made = date(2026, 11, 1)
    until = None if days is None else date.fromordinal(made.toordinal() + days)
    add(SalesDocument(connection_id=connection_id, kind=kind, number=number, date=made, expires_on=until,
                      created_at=clock.now(), updated_at=clock.now()))  # fmt: skip


def now_for(connection_id: int | None) -> sales_settings.Current:
    db.session.remove()
    return sales_settings.current(db.session(), connection_id)


def save(connection_id: int, version: int, **answers: str) -> sales_settings.Current:
    with transaction() as session:
        return sales_settings.save(session, connection_id, answers, version=version, actor=KIM, now=clock.now())


def refused(connection_id: int, **answers: str) -> dict[str, str]:
    with pytest.raises(Invalid) as problem:
        save(connection_id, 0, **answers)
    return problem.value.fields


def test_there_are_six_questions_at_most_and_each_field_has_a_default_with_its_reason(app: Flask) -> None:
    assert len(QUESTIONS) <= 6
    for connection_id in (None, books(lists=False)):
        found = now_for(connection_id)
        assert found.defaults.keys() == found.answers.keys()
        assert all(one.reason.endswith(".") for one in found.defaults.values())


def test_the_income_account_is_the_one_most_products_of_the_kind_use(app: Flask) -> None:
    connection_id = books()
    for number in range(4):
        item(connection_id, number, "3" if number else "1")
    item(connection_id, 9, "2", type_="inventory", taxable=True)
    found = now_for(connection_id)
    assert found.income_account("service") == "3" and found.income_account("inventory") == "2"
    assert found.defaults["income_service"].reason == "Repair Income: used by 3 of your 4 services."
    assert found.defaults["taxable"].reason == "1 of your 5 products are taxable." and not found.taxable


def test_without_products_the_account_that_fits_by_its_kind_is_taken(app: Flask) -> None:
    found = now_for(books())
    assert (found.income_account("service"), found.income_account("non_inventory")) == ("1", "2")
    assert found.deposit_account == "4" and "Undeposited Funds" in found.defaults["deposit_account"].reason


@pytest.mark.parametrize(
    ("preferences", "country", "mode", "begins"),
    [({"sales_tax": False}, "US", "none", "none"), ({"sales_tax": True}, "US", "us_manual", "us"),
     ({"sales_tax": True, "automated_sales_tax": True}, "US", "us_automated", "us"),
     ({"sales_tax": True}, "CA", "global", "exclusive"), ({}, "US", "us_manual", "us")],
)  # fmt: skip
def test_the_tax_mode_is_found_in_the_company(
    app: Flask, preferences: dict[str, Any], country: str, mode: str, begins: str
) -> None:
    found = now_for(company(preferences=preferences, country=country))
    assert (found.books_tax, found.tax_mode) == (mode, begins)
    assert found.taxable is (mode != "none")


def test_the_preferences_of_the_company_give_terms_tax_code_discounts_and_deposits(app: Flask) -> None:
    refs = {"default_terms": {"remote_id": "4", "name": "Net 30"}, "default_tax_code": {"remote_id": "3"}}
    found = now_for(books(allows_discount=False, allows_deposit=True, **refs))
    assert (found.terms, found.tax_code, found.discounts, found.deposits) == ("4", "3", False, "field")
    assert "switched off" in found.defaults["discounts"].reason


def test_terms_kept_as_an_id_alone_are_understood_too(app: Flask) -> None:
    assert now_for(books(default_terms_id="4")).terms == "4"


def test_numbers_go_on_after_the_latest_in_their_own_width(app: Flask) -> None:
    connection_id = books(own_document_numbers=True)
    for number in ("INV-0041", "INV-0042", "9000"):
        document(connection_id, "invoice", number)
    document(connection_id, "estimate", "", days=45)
    document(connection_id, "invoice", "INV-0040")
    found = now_for(connection_id)
    rule = found.numbers("invoice")
    assert (rule.rule, rule.prefix, rule.next, rule.digits) == ("ours", "INV-", 43, 4)
    assert found.quote_days == 45 and found.numbers("estimate").next == 1001


def test_who_numbers_follows_the_switch_in_the_books(app: Flask) -> None:
    assert now_for(books(own_document_numbers=False)).answers["numbers"] == "books"


def test_only_what_differs_from_the_default_is_kept_and_a_better_default_reaches_who_never_chose(app: Flask) -> None:
    connection_id = books()
    saved = save(connection_id, 0, income_service="3", quote_days="30")
    assert saved.version == 1 and saved.chosen == {"income_service"}
    item(connection_id, 1, "1", type_="inventory")
    assert now_for(connection_id).income_account("inventory") == "1"
    assert now_for(connection_id).income_account("service") == "3"


def test_none_is_an_answer_where_it_may_be(app: Flask) -> None:
    connection_id = books(default_terms_id="4")
    assert save(connection_id, 0, terms="").terms == ""
    assert now_for(connection_id).terms == ""


def test_saving_what_stands_already_makes_no_version(app: Flask) -> None:
    connection_id = books()
    assert save(connection_id, 0, quote_days="30").version == 0
    assert db.session.query(SalesSettings).count() == 0


def test_a_change_is_audited_in_words_and_stands_in_the_history(app: Flask) -> None:
    connection_id = books()
    save(connection_id, 0, quote_days="14")
    save(connection_id, 1, quote_days="21")
    db.session.remove()
    lines = [entry.summary for entry in db.session.query(AuditEntry).order_by(AuditEntry.id)]
    assert lines == ["Days a quote is valid: as found → 14.", "Days a quote is valid: 14 → 21."]
    assert [one.changes for one in queries.history(db.session(), connection_id)] == [
        ["Days a quote is valid: 14 → 21"], ["Days a quote is valid: as found → 14"],
    ]  # fmt: skip


def test_who_saves_over_a_newer_version_is_told_and_nothing_is_written(app: Flask) -> None:
    connection_id = books()
    save(connection_id, 0, quote_days="14")
    with pytest.raises(Changed, match="Kim changed"):
        save(connection_id, 0, quote_days="60")
    assert now_for(connection_id).quote_days == 14


def test_answers_that_cannot_be_are_refused_each_with_its_sentence(app: Flask) -> None:
    connection_id = books(allows_discount=False, own_document_numbers=False)
    wrong = refused(
        connection_id, income_service="6", terms="99", deposit_account="1", quote_days="0", discounts="total",
        numbers="ours", taxable="maybe",
    )  # fmt: skip
    assert wrong.keys() == {
        "income_service",
        "terms",
        "deposit_account",
        "quote_days",
        "discounts",
        "numbers",
        "taxable",
    }
    assert all(sentence.endswith(".") for sentence in wrong.values())


@pytest.mark.parametrize("value", ["-1", "1.5", "٣", "1" * 40, "x"])
def test_a_counter_is_a_whole_number(app: Flask, value: str) -> None:
    assert "invoice_next" in refused(books(own_document_numbers=True), invoice_next=value)


def test_a_company_that_is_not_there_is_said_so(app: Flask) -> None:
    with pytest.raises(NotFound):
        save(4711, 0, quote_days="14")


def test_the_header_follows_the_name_in_the_books_until_somebody_writes_another(app: Flask) -> None:
    connection_id = books()
    typed = {"name": "Bedrock", "address": " 2100 Quarry  Street \r\n\r\nKansas City, MO", "email": "a@b.example"}
    with transaction() as session:
        saved = sales_settings.save_header(session, connection_id, typed, version=0, actor=KIM, now=clock.now())
    assert saved.header.address == "2100 Quarry Street\nKansas City, MO"
    assert "name" not in db.session.query(SalesSettings).one().answers
    save(connection_id, 1, quote_days="10")
    assert now_for(connection_id).header.email == "a@b.example", "answers do not take the header away"


def test_a_header_needs_a_name_and_an_address_that_is_one(app: Flask) -> None:
    connection_id = books()
    with pytest.raises(Invalid) as problem, transaction() as session:
        sales_settings.save_header(
            session, connection_id, {"name": "", "email": "none"}, version=0, actor=KIM, now=clock.now()
        )
    assert problem.value.fields.keys() == {"name", "email"}


def png(width: int = 40, height: int = 20) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\x00" + b"\x00\x80\xff" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08\x00\x20\x00\x30\x01\x01\x11\x00\xff\xd9"


def test_a_logo_is_a_whole_png_or_jpeg_of_a_size_that_prints() -> None:
    found = read_picture(png())
    assert not isinstance(found, str) and (found.extension, found.width, found.height) == ("png", 40, 20)
    found = read_picture(JPEG)
    assert not isinstance(found, str) and (found.extension, found.width, found.height) == ("jpg", 48, 32)
    for bad in (b"<svg/>", png()[:-5], png(8, 8), JPEG[:-2], png() + b"\x00" * 1024 * 1024, b""):
        assert isinstance(read_picture(bad), str)


def test_a_logo_is_kept_by_its_content_and_can_be_taken_away(app: Flask, tmp_path: Path) -> None:
    connection_id = books()
    with transaction() as session:
        kept = sales_settings.save_logo(
            session, connection_id, png(), instance=tmp_path, version=0, actor=KIM, now=clock.now()
        )
    path = sales_settings.logo(kept.header, tmp_path)
    assert path is not None and path.read_bytes() == png() and path.suffix == ".png"
    with transaction() as session:
        gone = sales_settings.save_logo(
            session, connection_id, b"", instance=tmp_path, version=1, actor=KIM, now=clock.now()
        )
    assert sales_settings.logo(gone.header, tmp_path) is None


def test_a_file_that_is_no_picture_is_refused_and_not_kept(app: Flask, tmp_path: Path) -> None:
    connection_id = books()
    with pytest.raises(Invalid, match="PNG"), transaction() as session:
        sales_settings.save_logo(
            session, connection_id, b"<svg/>", instance=tmp_path, version=0, actor=KIM, now=clock.now()
        )
    assert not list(tmp_path.rglob("*.*"))
