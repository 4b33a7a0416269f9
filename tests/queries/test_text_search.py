"""Search in documents, products, vendors and bills: the index of trigrams finds what reading each text finds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, insert, text, update

from crm import clock
from crm.db import db, transaction
from crm.domain import invoice_filters, product_filters, purchase_filters, quote_filters, sales_content
from crm.models import Bill, Product, SalesDocument, Vendor
from crm.queries import bills, invoices, products, quotes, text_search, vendors

TODAY = date(2026, 3, 1)
SEARCHES = ["resin", "epoxy resin", "hinge 12", "hi", "h", "12 ep", 'a"b', "100%_", "nothing", "oxy", "q inv", "e h"]


def fill(size: int) -> None:
    """Even ones are invoices, odd ones quotes; every third says epoxy resin, every fifth hinge."""
    now, documents, goods = clock.now(), [], []
    sellers, asked = [], []
    for n in range(1, size + 1):
        said = f"{'Epoxy resin' if n % 3 == 0 else 'Oak board'} {'hinge' if n % 5 == 0 else ''} {n}"
        documents.append(
            {"id": n, "kind": "estimate" if n % 2 else "invoice", "number": f"N-{n}", "date": TODAY, "state": "open",
             "search_text": sales_content.search_text([f"N-{n}", said]), "created_at": now, "updated_at": now}
        )  # fmt: skip
        goods.append(
            {"id": n, "name": said, "sort_name": said.lower(), "sku": f"S-{n}", "members": [], "active": True,
             "search_text": product_filters.search_text(name=said, sku=f"S-{n}", category="", description="with care"),
             "created_at": now, "updated_at": now}
        )  # fmt: skip
        words = sales_content.search_text([said])
        sellers.append({"id": n, "display_name": said, "sort_name": f"{n:04}", "active": True, "address": {},
                        "search_text": words, "record": {}, "created_at": now, "updated_at": now})  # fmt: skip
        asked.append({"id": n, "vendor_id": size + 1 - n, "date": TODAY, "lines": [], "payments": [], "record": {},
                      "search_text": words, "created_at": now, "updated_at": now})  # fmt: skip
    with transaction() as session:
        session.execute(insert(SalesDocument), documents)
        session.execute(insert(Vendor), sellers)
        session.execute(insert(Bill), asked)
        session.execute(insert(Product), goods)


def quotes_found(q: str) -> list[int]:
    return [row.id for row in quotes.page(quote_filters.read({"q": q}), today=TODAY, size=500).rows]


def invoices_found(q: str) -> list[int]:
    return [row.id for row in invoices.page(invoice_filters.read({"q": q}), today=TODAY, size=500).rows]


def products_found(q: str) -> list[int]:
    return [row.id for row in products.page(product_filters.read({"q": q}), size=500).rows]


def picked(q: str) -> list[int]:
    return [row.id for row in products.pick(db.session(), q, 7)]


def vendors_found(q: str) -> list[int]:
    return [row.id for row in vendors.page(purchase_filters.vendor_filters({"q": q}), today=TODAY).rows]


def bills_found(q: str) -> list[int]:
    return [row.id for row in bills.page(purchase_filters.bill_filters({"q": q}), today=TODAY).rows]


@pytest.mark.parametrize("found", [quotes_found, invoices_found, products_found, picked, vendors_found, bills_found])
def test_common_and_rare_terms_find_the_same_with_the_index_and_without(
    app: Flask, monkeypatch: pytest.MonkeyPatch, found: Callable[[str], list[int]]
) -> None:
    fill(60)
    by_index = [found(q) for q in SEARCHES]
    monkeypatch.setattr(text_search, "COMMON", 1)
    assert [found(q) for q in SEARCHES] == by_index and by_index[0] and not by_index[8]
    monkeypatch.setattr(text_search, "_has_index", lambda name: False)
    assert [found(q) for q in SEARCHES] == by_index


def test_words_are_found_anywhere_and_two_letters_where_a_word_begins(app: Flask) -> None:
    fill(24)
    assert set(quotes_found("poxy resi")) == {3, 9, 15, 21} == set(quotes_found("ep")) and not quotes_found("xy")
    assert quotes_found("hinge epoxy") == [15] and not invoices_found("hinge epoxy")
    assert set(invoices_found("hinge")) == {10, 20} == set(invoices_found("hi")) and not invoices_found("ge")
    assert products_found("hinge resin") == [15] and picked("s-24") == [24]


def test_a_bill_is_found_by_its_own_words_and_by_its_vendors(app: Flask) -> None:
    fill(12)
    assert vendors_found("hinge") == [5, 10] and vendors_found("hinge resin") == []
    assert set(bills_found("hinge")) == {5, 10, 12 + 1 - 5, 12 + 1 - 10}
    assert bills_found("hinge resin") == [10, 3], "the bill says one word, its vendor is called the other"


def test_a_text_is_searched_as_it_is_now(app: Flask) -> None:
    fill(12)
    with transaction() as session:
        session.execute(update(SalesDocument).where(SalesDocument.id == 3).values(search_text=" n 3 walnut"))
        session.execute(update(Product).where(Product.id == 3).values(search_text=" walnut"))
        session.execute(delete(SalesDocument).where(SalesDocument.id == 9))
        session.execute(delete(Product).where(Product.id == 9))
    assert quotes_found("walnut") == [3] == products_found("walnut") and not invoices_found("walnut")
    assert not quotes_found("resin") and products_found("resin") == [12, 6]


@pytest.mark.parametrize("table", ["sales_documents", "products", "vendors", "bills"])
def test_the_database_looks_rare_words_up_in_its_index(app: Flask, table: str) -> None:
    fill(60)
    if db.engine.dialect.name == "postgresql":
        if not db.session.scalar(text("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")):
            pytest.skip("this server has no pg_trgm")
        db.session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = f"EXPLAIN SELECT id FROM {table} WHERE search_text LIKE '%hinge%'"  # noqa: S608
        assert f"ix_{table}_search_text" in str(db.session.execute(text(plan)).all())
        return
    texts: Any = {"sales_documents": quotes._TEXTS, "products": products.TEXTS, "vendors": vendors.TEXTS,
                  "bills": bills._TEXTS}[table]  # fmt: skip
    assert text_search._has_index(texts.index), "SQLite since 3.34 knows trigrams"
    assert text_search.search(texts, ["hinge"]).leads
    check = f"INSERT INTO {texts.index}({texts.index}, rank) VALUES ('integrity-check', 1)"  # noqa: S608
    with transaction() as session:
        session.execute(text(check))  # raises where the index and the texts differ
