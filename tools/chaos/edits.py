"""What people do with customers meanwhile, on both sides, and the payments that come in. Every edit is remembered.

`People` is also what the deeds of other kinds need: dice, customers to choose from, values that occur once, and what
was done so far. Which deeds there are says `tools/chaos/kinds.py`.

Local edits go through the same services as the pages; remote ones are written as the owner of the company would. Each
value is used once, so that the verdict can follow where it went.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from crm import clock
from crm.db import db, transaction
from crm.domain.contacts import Draft, Entry
from crm.domain.errors import Changed
from crm.models import Contact, Link
from crm.services import contacts, sync
from crm.services.audit import Actor
from tools.chaos.world import World

PERSON = Actor(name="Chaos", source="person")
FIELDS = ("phone", "email", "company_name", "given_name", "address")
PATIENCE = 60
Deed = tuple[int, Callable[[], None]]
"""How often something is done, beside the others, and what."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One value one side was given. `contact_id` or `remote_id` tells whose."""

    side: str
    field: str
    value: str
    """As it was typed; of an address its street."""
    at: datetime
    contact_id: int
    remote_id: str


@dataclass(frozen=True, slots=True)
class Writing:
    """What one side wrote into a quote or invoice (`papers`)."""

    side: str
    kind: str
    id: str
    """Here our document's, there the books'."""
    field: str
    value: str
    """The text; of lines the mark that all of them begin with."""
    amount: str
    """Of lines: what the first product comes to, as people read it."""
    at: datetime


@dataclass
class People:
    """The people on both sides."""

    world: World
    connection_id: int
    dice: random.Random
    edits: list[Edit] = field(default_factory=list)
    created_here: list[tuple[int, str]] = field(default_factory=list)
    created_there: list[tuple[str, str]] = field(default_factory=list)
    writings: list[Writing] = field(default_factory=list)
    papers_there: set[tuple[str, str]] = field(default_factory=set)
    """(kind, id) of quotes and invoices that nobody here made: there at the start, or made by the owner."""
    number: int = 0
    deeds: list[Deed] = field(default_factory=list)

    def learn(self, *more: Iterable[Deed]) -> None:
        for deeds in more:
            self.deeds.extend(deeds)

    def act(self) -> None:
        """One thing somebody does; how often each is done says its weight."""
        [deed] = self.dice.choices([deed for _, deed in self.deeds], weights=[weight for weight, _ in self.deeds])
        deed()

    def linked(self) -> tuple[int, str]:
        """A contact and its customer. Few are edited often, so that edits meet."""
        pairs: list[tuple[int, str]] = []

        def read() -> None:
            rows = db.session.execute(
                select(Link.local_id, Link.remote_id)
                .where(Link.connection_id == self.connection_id, Link.kind == "customer", Link.state == "linked")
                .order_by(Link.local_id)
                .limit(12)
            ).all()
            pairs[:] = [(row.local_id, row.remote_id) for row in rows]

        persist(read)
        return self.dice.choice(pairs)


def customers(people: People) -> list[Deed]:
    they = Customers(people, people.world, people.dice)
    return [(36, they.edit_here), (28, they.edit_there), (10, they.edit_both), (12, they.create_here),
            (5, they.create_there), (6, they.pay_there), (3, they.bill_there)]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Customers:
    """What is done with customers, and what they pay."""

    people: People
    world: World
    dice: random.Random

    # --- here -------------------------------------------------------------------------------------------------

    def edit_here(self) -> None:
        contact_id, remote_id = self.people.linked()
        self._edit_here(contact_id, remote_id, self.dice.choice(FIELDS))

    def _edit_here(self, contact_id: int, remote_id: str, name: str) -> None:
        value = self._value(name)

        def write() -> None:
            now = clock.now()
            with transaction():
                contact = db.session.get_one(Contact, contact_id, populate_existing=True)
                lines = {name: [Entry(name, value)]} if name in ("phone", "email") else {}
                values = {"street": value, "city": "Ladue"} if name == "address" else {} if lines else {name: value}
                contacts.change(contact_id, values, lines=lines, version=contact.version, actor=PERSON, now=now)
            self.people.edits.append(Edit("here", name, value, now, contact_id, remote_id))

        persist(write)
        self.world.did["edits here"] += 1

    def create_here(self) -> None:
        self.people.number += 1
        name = f"Chaos Here {self.people.number}"

        def write() -> None:
            with transaction() as session:
                contact = contacts.create(Draft({"display_name": name, "type": "customer"}), actor=PERSON,
                                          now=clock.now())  # fmt: skip
                sync.ask_create(session, [contact.id], self.people.connection_id, actor=PERSON, now=clock.now())
                made = contact.id
            self.people.created_here.append((made, name))

        persist(write)
        self.world.did["customers created here"] += 1

    # --- there ------------------------------------------------------------------------------------------------

    def edit_there(self) -> None:
        contact_id, remote_id = self.people.linked()
        self._edit_there(contact_id, remote_id, self.dice.choice(FIELDS))

    def _edit_there(self, contact_id: int, remote_id: str, name: str) -> None:
        value = self._value(name)
        given: dict[str, Any] = {
            "phone": {"PrimaryPhone": {"FreeFormNumber": value}}, "email": {"PrimaryEmailAddr": {"Address": value}},
            "company_name": {"CompanyName": value}, "given_name": {"GivenName": value, "MiddleName": ""},
            "address": {"BillAddr": {"Line1": value, "City": "Clayton", "CountrySubDivisionCode": "MO"}},
        }[name]  # fmt: skip
        now = clock.now()
        if self.world.perform("Customer", "update", {"Id": remote_id, "sparse": True, **given}):
            self.people.edits.append(Edit("there", name, value, now, contact_id, remote_id))
            self.world.did["edits in QuickBooks"] += 1

    def edit_both(self) -> None:
        """The same field of the same customer, on both sides, before either can know of the other."""
        contact_id, remote_id = self.people.linked()
        name = self.dice.choice(FIELDS)
        sides = [self._edit_here, self._edit_there]
        self.dice.shuffle(sides)
        for side in sides:
            side(contact_id, remote_id, name)
        self.world.did["edits on both sides at once"] += 1

    def create_there(self) -> None:
        self.people.number += 1
        name = f"Chaos There {self.people.number}"
        made = self.world.perform("Customer", "create", {"DisplayName": name})
        if made:
            self.people.created_there.append((made["Id"], name))
            self.world.did["customers created in QuickBooks"] += 1

    def pay_there(self) -> None:
        owed = [one for one in self.world.state("Invoice") if float(one.get("Balance", 0)) > 0]
        if not owed:
            return
        invoice = self.dice.choice(sorted(owed, key=lambda one: int(one["Id"])))
        link = {"Amount": invoice["Balance"], "LinkedTxn": [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]}
        body = {"CustomerRef": invoice["CustomerRef"], "TotalAmt": invoice["Balance"], "Line": [link]}
        if self.world.perform("Payment", "create", body):
            self.world.did["payments in QuickBooks"] += 1

    def bill_there(self) -> None:
        _, remote_id = self.people.linked()
        services = [one for one in self.world.state("Item") if one["Type"] == "Service"]
        line = {"DetailType": "SalesItemLineDetail", "Amount": 125, "SalesItemLineDetail": {
            "ItemRef": {"value": self.dice.choice(services)["Id"]}, "Qty": 1, "UnitPrice": 125}}  # fmt: skip
        made = self.world.perform("Invoice", "create", {"CustomerRef": {"value": remote_id}, "Line": [line]})
        if made:
            self.people.papers_there.add(("invoice", made["Id"]))
            self.world.did["invoices in QuickBooks"] += 1

    # ----------------------------------------------------------------------------------------------------------

    def _value(self, name: str) -> str:
        self.people.number += 1
        number = self.people.number
        return {
            "phone": f"(314) 555-{number:04d}", "email": f"chaos{number}@mail.example",
            "company_name": f"Chaos Works {number}", "given_name": f"Given{number}", "address": f"{number} Chaos Road",
        }[name]  # fmt: skip


def persist(deed: Callable[[], None]) -> None:
    """Do it, and again while the database is away or somebody else was faster: people press the button again."""
    until = time.monotonic() + PATIENCE
    while True:
        with _fresh_session():
            try:
                deed()
                return
            except (DBAPIError, Changed):
                if time.monotonic() > until:
                    raise
        time.sleep(0.1)


@contextmanager
def _fresh_session() -> Iterator[None]:
    try:
        yield
    finally:
        db.session.remove()
