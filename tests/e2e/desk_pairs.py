"""Fifty doubtful questions of eleven patterns, as they are found in real books and lists of contacts.

`stand` makes them all: contacts, and books that are imported. Each family name has one pattern, and no two have a name,
a number or an address in common. Who is twice in the books is asked about twice: as customers, and as their contacts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from crm import clock
from crm.db import db, transaction
from crm.domain.records import Address, CustomerRecord
from crm.models import Connection
from crm.services import duplicates
from tests.flows.imports import opened, run_import
from tests.services.test_sync_matching import Books, customer, have

SURNAMES = ("Abernathy", "Brzezinski", "Castellanos", "Dragomir", "Eisenhower", "Fitzwilliam", "Grzywacz",
            "Hollingsworth", "Ivanchuk", "Jorgensen", "Katsaros", "Lindqvist", "Mukherjee", "Nakamura", "Oyelaran",
            "Papadakis", "Quintanilla", "Rautenberg", "Szymborska", "Tchaikovsky", "Underhill", "Vandenberg",
            "Wojciechowski", "Xanthopoulos", "Yamaguchi", "Zimmerman", "Achterberg", "Bellweather", "Cunningham",
            "Delacroix", "Estrada", "Featherstone", "Gallagher", "Hutchinson", "Izquierdo", "Jablonski", "Kowalczyk",
            "Lombardozzi", "Montgomery", "Nightingale", "Ostrander", "Pellegrini", "Ravensworth", "Silverstein",
            "Thorvaldsen", "Ulyanov")  # fmt: skip


class Made(NamedTuple):
    """What one question needs: `people` are contacts, `books` customers, and `sort` is the question that is asked."""

    sort: str
    people: Sequence[dict[str, Any]]
    books: Sequence[dict[str, Any]] = ()


def couple(name: str, line: str) -> Made:
    return Made("match", [{"name": f"{given} {name}", "phones": (line,)} for given in ("Robert", "Amy")],
                [{"name": f"Bob & Amy {name}", "phone": line}])  # fmt: skip


def nickname(name: str, line: str) -> Made:
    return Made("match", [{"name": f"Rebecca {name}", "phones": (line,)}], [{"name": f"Becca {name}"}])


def shared_line(name: str, line: str) -> Made:
    others = [{"name": f"{given} {name[::-1].title()}", "phones": (line,)} for given in ("Ruth", "Omar", "Lin")]
    return Made(
        "match", [{"name": f"Anna {name}", "phones": (line,)}, *others], [{"name": f"A. {name}", "phone": line}]
    )


def father_and_son(name: str, line: str) -> Made:
    return Made("match", [{"name": f"John {name}", "phones": (line,)}], [{"name": f"John {name} Jr.", "phone": line}])


def business_and_owner(name: str, line: str) -> Made:
    firm = f"{name} Roofing LLC"
    return Made("match", [{"name": f"Ahmed {name}", "phones": (line,)}],
                [{"name": firm, "company_name": firm, "phone": line}])  # fmt: skip


def moved(name: str, line: str) -> Made:
    there = Address(line1=f"{line[-3:]} Mill Road", city="Salina", postal_code="67401")
    here = {"street": f"9{line[-3:]} Oak Street", "city": "Salina", "postal_code": "67401"}
    return Made("match", [{"name": f"Gloria {name}", **here}], [{"name": f"Gloria {name}", "billing_address": there}])


def slip_in_the_email(name: str, line: str) -> Made:
    mail = f"gina.{name.lower()}@mail.example"
    return Made(
        "match",
        [{"name": f"Gina {name}", "email": mail, "phones": (line,)}],
        [{"name": f"Gina {name}", "email": mail.replace("gina", "gna"), "phone": line[:-4] + line[:-5:-1]}],
    )


def with_a_job(name: str, line: str) -> Made:
    return Made("match", [{"name": f"T. {name}", "phones": (line,)}],
                [{"name": f"Thea {name}", "phone": line}, {"name": f"{name} Kitchen", "parent": True}])  # fmt: skip


def turned_names(name: str, line: str) -> Made:
    return Made("contact", [{"name": f"Martin {name}", "phones": (line,)}, {"name": f"{name} Martin"}])


def role_address(name: str, line: str) -> Made:
    mail = f"info@{name.lower()}.example"
    who = (f"Clara {name}", f"C. {name}", f"Piotr {name[::-1].title()}")
    return Made("contact", [{"name": one, "email": mail} for one in who])


def twice_in_the_books(name: str, line: str) -> Made:
    return Made("customer", [], [{"name": f"Edgar {name}", "phone": line}, {"name": f"E. {name}", "phone": line}])


PATTERNS: tuple[Callable[[str, str], Made], ...] = (
    couple, nickname, shared_line, father_and_son, business_and_owner, moved, slip_in_the_email, with_a_job,
    turned_names, role_address, twice_in_the_books,
)  # fmt: skip


def pattern_of(at: int) -> Callable[[str, str], Made]:
    """Of the question about SURNAMES[at]."""
    return PATTERNS[at % len(PATTERNS)]


def stand(connection: Connection) -> None:
    """All of them, found."""
    people: list[dict[str, Any]] = []
    books: list[CustomerRecord] = []
    for at, name in enumerate(SURNAMES):
        one = pattern_of(at)(name, f"65{at % 10}-55{at // 10}-{(at * 1373 + 2017) % 10000:04}")
        people += one.people
        parent = ""
        for values in one.books:
            number = len(books) + 1
            job = {"parent_id": parent} if values.get("parent") else {}
            books.append(customer(number, **{k: v for k, v in values.items() if k != "parent"}, **job))
            parent = str(number)
    ids = have(*people)
    with transaction():
        duplicates.note_contacts(ids, now=clock.now())
    run_import(connection.id, open_books=opened(Books(books)))
    db.session.remove()
