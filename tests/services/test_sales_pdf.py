"""PDFs: read back by their text and pages. How they look was looked at by eye."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pypdf
import pytest
from flask import Flask

from crm import clock, config
from crm.db import db, transaction
from crm.domain.sales import Line
from crm.domain.sales_content import Content
from crm.models import SalesDocument
from crm.services import sales_documents, sales_papers, sales_pdf
from crm.services.audit import Actor
from tests.factories import ContactFactory

KIM, NOW = Actor("kim@example.com"), clock.now()
HOSTILE = '#panic("x") *bold* $1+1$ @ref <label> \\ #import "@preview/x:1.0.0" // end'


def line(at: int, description: str = "") -> Line:
    return Line(key=str(at), name=f"Strap {at}", description=description, quantity=Decimal(2), unit_price=Decimal("10"))


def made(lines: tuple[Line, ...], kind: str = "estimate", **more: object) -> SalesDocument:
    with transaction():
        contact = ContactFactory.create(display_name="Αθήνα Ломоносов Đặng Łukasz")
        content = Content(
            contact_id=contact.id, number="Q-7", title="North wall", date=date(2026, 11, 20), lines=lines,
            expires_on=date(2026, 12, 20), billing_address={"line1": "1 Main St", "city": "Atlanta", "region": "GA"},
        )  # fmt: skip
        return sales_documents.new(kind, replace(content, **more), state="draft", actor=KIM, now=NOW)


def pages(document: SalesDocument) -> list[str]:
    data = sales_pdf.render(document.id, now=NOW)
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages]


def test_it_says_who_what_and_how_much_in_any_alphabet_we_bring_along(app: Flask) -> None:
    rows = (
        Line(kind="section", key="s", description="Wall"),
        line(1, "each"),
        Line(kind="group", key="g", name="Crack kit"),
        Line(key="m", name="Resin", quantity=Decimal("1.125"), unit_price=Decimal("33.335"), within="g"),
        Line(key="o", name="Paint", unit_price=Decimal("99"), optional=True),
    )
    text = pages(made(rows, customer_memo="Thank you\nvery much", discount_kind="percent", discount_value=Decimal(10),
                      deposit_kind="amount", deposit_value=Decimal(5)))[0]  # fmt: skip
    for words in (
        "Quote", "Q-7", "Nov 20, 2026", "Valid until", "Αθήνα Ломоносов Đặng Łukasz", "Atlanta, GA",
        "Wall", "1.125", "$33.335", "Option, not included", "($99.00)", "Discount (10%)", "-$5.75", "$51.75",
        "Deposit asked for", "Thank you", "very much", "Page 1 of 1",
    ):  # fmt: skip
        assert words in text, words
    assert "North wall" not in text, "the title is for colleagues"


def test_what_people_type_is_text_and_never_markup(app: Flask) -> None:
    rows = (Line(key="1", name=HOSTILE, description=f"Also {HOSTILE}", unit_price=Decimal(1)),)
    text = " ".join(pages(made(rows, title=HOSTILE, customer_memo=HOSTILE, billing_address={"line1": HOSTILE})))
    # name, description, memo, address: all of it, as typed (the title is for colleagues)
    assert re.sub(r"\s+", "", text).count(re.sub(r"\s+", "", HOSTILE)) == 4


@pytest.mark.parametrize("count", range(12, 32))
def test_the_sums_never_stand_on_a_page_without_a_line(app: Flask, count: int) -> None:
    found = pages(made(tuple(line(at) for at in range(1, count + 1))))
    assert len(found) <= 2
    last = next(page for page in found if "Subtotal" in page)
    assert f"Strap {count}\n" in last or f"Strap {count} " in last
    assert [f"Page {at} of {len(found)}" in page for at, page in enumerate(found, 1)] == [True] * len(found)


@pytest.mark.parametrize("count", range(14, 30))
def test_a_heading_is_never_the_last_on_its_page(app: Flask, count: int) -> None:
    rows = (*(line(at) for at in range(1, count)), Line(kind="section", key="s", description="Roofing"), line(99))
    page = next(page for page in pages(made((*rows, *(line(at) for at in range(200, 210))))) if "Roofing" in page)
    assert "Strap 99" in page[page.index("Roofing") :]


def test_long_documents_and_long_lines_run_over_pages_and_lose_nothing(app: Flask) -> None:
    words = " ".join(f"word{at}" for at in range(2500))
    rows = (*(line(at) for at in range(1, 150)), line(500, words), line(501, words))
    found = pages(made(rows))
    text = " ".join(found)
    assert len(found) > 8
    assert all(f"Strap {at}" in text for at in range(1, 150))
    assert re.sub(r"\s+", "", text).count("word2499") == 2
    assert all("Description" in page for page in found[:-1])


def test_an_invoice_says_what_is_still_to_be_paid(app: Flask) -> None:
    invoice = made((line(1),), kind="invoice", due_date=date(2026, 12, 1))
    with transaction():
        found = db.session.get_one(SalesDocument, invoice.id)
        found.balance = Decimal("12.50")
    text = pages(found)[0]
    assert "Invoice" in text and "Due" in text and "Bill to" in text
    assert "Paid" in text and "-$7.50" in text and "Amount due" in text and "$12.50" in text


def test_a_logo_that_cannot_be_drawn_is_left_out(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    document = made((line(1),))
    folder = Path(config.current().instance_dir) / "logos"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    paper = sales_papers.of_document(document, now=NOW)
    paper = replace(paper, header=replace(paper.header, logo="broken.png"))
    assert sales_pdf.of_paper(paper, now=NOW).startswith(b"%PDF")
    assert "broken.png" in caplog.text


def test_the_same_document_makes_the_same_bytes(app: Flask) -> None:
    document = made((line(1),))
    assert sales_pdf.render(document.id, now=NOW) == sales_pdf.render(document.id, now=NOW)


def test_the_fonts_are_those_that_were_recorded(app: Flask) -> None:
    import hashlib

    folder = sales_pdf.FOLDER / "fonts"
    for row in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = row.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
