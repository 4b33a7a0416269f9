"""Fields, names, searching and files of contacts: the pure part."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.domain import contact_files as files
from crm.domain import contact_filters as filters
from crm.domain import contacts
from crm.domain.contacts import Entry
from crm.domain.documents import estimate_state, invoice_state
from crm.domain.errors import Invalid


@pytest.mark.parametrize(
    ("name", "sorted_by"),
    [("O'Brien, Ánna", "obrien anna"), ("  ACME & Sons  ", "acme sons"), ("Smith (deleted)", "smith"), ("&&", "&&"),
     ("株式会社", "株式会社")],
)  # fmt: skip
def test_names_sort_without_case_accents_and_marks(name: str, sorted_by: str) -> None:
    assert contacts.sort_name(name) == sorted_by


@pytest.mark.parametrize(
    ("typed", "terms"),
    [
        ("(555) 010-2233", ("5550102233",)),
        ("+1 555.010.2233 ext. 12", ("5550102233",)),
        ("011 44 20 7946 0958", ("442079460958",)),
        ("+44 (0)20 7946 0958", ("442079460958",)),
        ("020 7946 0958", ("2079460958",)),
        ("01234", ("01234",)),
        ("010-22", ("01022",)),
        ("12 Oak St.", ("12", "oak", "st")),
        ("Amy@X.example SMITH", ("amy@x.example", "smith")),
        ("", ()),
        ("--", ()),
    ],
)
def test_a_search_says_what_must_be_found(typed: str, terms: tuple[str, ...]) -> None:
    assert contacts.search_terms(typed) == terms


def test_everything_searched_for_stands_in_the_search_text() -> None:
    text = contacts.search_text(
        names=["Anna O'Brien", None, "Brien Bakery"], phones=["+15550102233", "555 ask"], emails=["A@B.example"],
        address=["12 Oak St.", "Atlanta", ""],
    )  # fmt: skip
    for typed in ("obrien", "bakery", "555-010-2233", "1 (555) 010 2233", "a@b.ex", "oak st", "atl"):
        assert all(term in text for term in contacts.search_terms(typed)), typed
    assert text.startswith(" ")


def test_each_wrong_field_has_its_sentence() -> None:
    values = {"display_name": "", "postal_code": "9" * 31, "type": "king", "website": "javascript:alert(1)"}
    entries = [Entry("phone", "none"), Entry("phone", "555 010 2233"), Entry("email", "amy at home")]
    found = contacts.problems(values, entries)
    assert set(found) == {"display_name", "postal_code", "type", "website", "phone-0", "email-0"}
    assert "shorten it to 30" in found["postal_code"]
    assert contacts.problems({"display_name": "A"}, entries, known=frozenset(("none", "amy at home"))) == {}


def test_lines_that_cannot_be_read_are_kept_as_typed() -> None:
    two = contacts.read_lines("phone", "555 010 2233 x4 or 555-010-9988")
    assert [(line.normal, line.extension) for line in two] == [("+15550102233", "4"), ("+15550109988", "")]
    assert contacts.read_lines("phone", "ask Bob 12")[0].normal == ""
    assert [line.normal for line in contacts.read_lines("email", "Amy <A@x.example>; b@x.example")] == [
        "a@x.example", "b@x.example",
    ]  # fmt: skip


def test_headings_of_usual_programs_are_understood() -> None:
    header = [
        "First Name",
        "Last Name",
        "E-mail Address",
        "Mobile Phone",
        "Business Phone",
        "Home Street",
        "ZIP",
        "Hobby",
    ]
    assert files.guess(header) == {
        "0": "given_name", "1": "family_name", "2": "email", "3": "phone.mobile", "4": "phone.work", "6": "postal_code",
    }  # fmt: skip
    ours = files.guess(files.EXPORT)
    assert {"display_name", "phone", "email", "street", "postal_code", "owner", "tags", "type"} <= set(ours.values())


def test_a_quoted_comma_does_not_mislead_the_delimiter() -> None:
    assert files.delimiter_of('Name;City\n"Smith, Bob";"Rome, GA"\n"Ode, Kim";x\n') == ";"
    assert files.delimiter_of("Name\nAnna\n") == ","


def test_rows_longer_or_shorter_than_the_head_are_read() -> None:
    table = files.read_table(b"\nName,City\nAnna\nBen,Rome,extra\n,,\n")
    assert list(table.rows) == [(3, ["Anna", ""]), (4, ["Ben", "Rome"])]
    with pytest.raises(Invalid, match="columns"):
        files.read_table((",".join(["x"] * 500) + "\n1\n").encode())


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("Name\nÉmile\n", "utf-8"), ("\ufeffName\nÉmile\n", "utf-8"), ("Name\r\nÉmile\r\n", "cp1252"),
     ("Name;Note\nÉmile;\"a\nb\"\n", "utf-16"), ("Name\rÉm\x00ile\r", "utf-8")],
)  # fmt: skip
def test_a_file_of_any_encoding_and_line_ends_is_read(text: str, encoding: str) -> None:
    table = files.read_table(text.encode(encoding))
    assert table.header[0] == "Name" and [cells[0] for _, cells in table.rows] == ["Émile"]


def test_an_encoding_is_told_by_the_whole_file() -> None:
    start = b"Name\n" + b"Anna\n" * files.PIECE
    assert files.encoding_of(start + "Émile\n".encode()) == "utf-8-sig"
    assert files.encoding_of(start + "Émile\n".encode("cp1252")) == files.encoding_of(b"Name\n\xc3") == "cp1252"


def test_a_file_without_rows_or_with_too_many_is_refused_in_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_ROWS", 2)
    assert len(list(files.read_table(b"Name\na\nb\n").rows)) == 2
    for data, sentence in ((b"Name\na\nb\nc\n", "more than 2 rows"), (b"Name\n,\n", "no contacts below")):
        with pytest.raises(Invalid, match=sentence):
            list(files.read_table(data).rows)
    with pytest.raises(Invalid, match="empty"):
        files.read_table(b"\xef\xbb\xbf \n")


def test_filters_read_what_they_understand_and_leave_the_rest() -> None:
    found = filters.read(
        {"q": " anna ", "owner": "x", "tag": "none", "balance": "$1,500", "since": "2026-02-30", "sort": "-sales"}
    )
    assert found.query() == {"q": "anna", "tag": "none", "balance": "1500", "sort": "-sales"}
    assert found.amount() == Decimal(1500) and found.without("q").q == ""
    now = datetime(2026, 3, 31, tzinfo=UTC)
    assert filters.read({"since": "7d"}).moment(now) == datetime(2026, 3, 24, tzinfo=UTC)
    for text in ("NaN", "-5", "1e400", "Infinity"):
        assert filters.read({"balance": text}).balance == ""


@pytest.mark.parametrize(
    ("balance", "due", "void", "state"),
    [("0", date(2020, 1, 1), False, "paid"), ("10", date(2026, 1, 1), False, "open"),
     ("10", date(2025, 12, 31), False, "overdue"), ("4", None, False, "partly_paid"),
     ("4", date(2025, 1, 1), False, "overdue"), ("10", date(2020, 1, 1), True, "void")],
)  # fmt: skip
def test_an_invoice_is_in_the_state_people_would_say(balance: str, due: date | None, void: bool, state: str) -> None:
    today = date(2026, 1, 1)
    assert invoice_state(total=Decimal(10), balance=Decimal(balance), due_date=due, today=today, void=void) == state


def test_a_pending_quote_past_its_date_has_expired() -> None:
    today = date(2026, 1, 2)
    assert estimate_state("Pending", expires_on=date(2026, 1, 1), today=today) == "expired"
    assert estimate_state("accepted", expires_on=date(2026, 1, 1), today=today) == "accepted"


@given(st.text(max_size=120), st.text(max_size=120))
@settings(max_examples=200, deadline=None)
def test_any_text_can_be_searched_for_and_stand_in_a_contact(one: str, other: str) -> None:
    text = contacts.search_text(names=[one, other], phones=[one], emails=[other], address=[one])
    assert text.startswith(" ") or not text
    assert all(term and not term.isspace() for term in contacts.search_terms(one))
