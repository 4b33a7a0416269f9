"""Usual notations are read at one look; what comes out is what the whole reading makes of them."""

from __future__ import annotations

import random

import pytest

from crm.domain import addresses, names, person_names, phones
from crm.domain.name_tables import words
from sandbox.seed import dirt

TRIES = 3_000
AROUND = ("cell", "(cell)", "C:", "*", "x", "ext", "Amy", "tel:", "a", "#", "/", "fax ", "-", "+", "1", ";", "(", "é")
WORDS = sorted(words("""
    John Bob Amy Smith Jones Kowalska Van Der Mary Dr. Mrs Jr. Sr III 2nd & and y / , - Acme Plumbing LLC Co. The A B.
    Estate Family (rental) dba c/o O'Brien Núñez 王小明 Church Smith's trading as by MD J Li BOB SMITH Bros Cars Route 4
"""))
STREETS = sorted(words("""
    12 12a 4 Oak Main St Street Apt Unit # #4 Box box12 PO P.O. O'Neil Suite 5B Ave. 2nd North 12-14 Boxwood Fl
"""))


def some(stream: random.Random, number: str) -> str:
    before, after = (stream.choice((*AROUND, "", "", "")) for _ in range(2))
    return f"{before}{stream.choice(('', ' '))}{number}{stream.choice(('', ' '))}{after}"


@pytest.mark.parametrize("region", ["US", "CA"])
def test_a_number_among_words_is_read_as_libphonenumber_reads_it(region, monkeypatch):
    stream = random.Random(region)
    digits = [f"{stream.choice('23456789')}{stream.randrange(10**9):09}" for _ in range(TRIES)]
    texts = [some(stream, dirt.written_phone(number, stream)) for number in digits]
    assert sum(phones._read_worded(text, "") is not None for text in texts) > TRIES / 20
    quick = [phones.read_phones(text, region) for text in texts]
    monkeypatch.setattr(phones, "_read_worded", lambda text, label: None)
    assert quick == [phones.read_phones(text, region) for text in texts]


def test_a_plain_street_is_read_as_any_other_line(monkeypatch):
    stream = random.Random(3)
    lines = [" ".join(stream.choices(STREETS, k=stream.randrange(1, 6))) for _ in range(TRIES)]
    assert sum(addresses._plain_street(line) is not None for line in lines) > TRIES / 20
    quick = [addresses.read_address(line, city="Springfield") for line in lines]
    monkeypatch.setattr(addresses, "_plain_street", lambda line: None)
    assert quick == [addresses.read_address(line, city="Springfield") for line in lines]


def test_a_plain_name_is_read_as_any_other(monkeypatch):
    stream = random.Random(4)
    rows = []
    for _ in range(TRIES * 3):
        first, last = stream.choices(WORDS, k=2)
        shown = stream.choice((f"{first} {last}", f"{last}, {first}", " ".join(stream.choices(WORDS, k=3))))
        company = " ".join(stream.choices(WORDS, k=2)) if stream.random() < 0.3 else ""
        rows.append((shown, *((first, last) if stream.random() < 0.5 else ("", "")), company))
    read = names.read_names.__wrapped__
    assert sum(names._plain_reading(row[0]) is not None for row in rows) > TRIES / 20
    quick = [read(*row) for row in rows]
    monkeypatch.setattr(names, "_plain_reading", lambda text: None)
    for module in (names, person_names):
        monkeypatch.setattr(module, "person_of_fields", lambda given, family: None)
    assert quick == [read(*row) for row in rows]
