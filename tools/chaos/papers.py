"""What people do with quotes and invoices meanwhile, on both sides. Every writing is remembered.

Here by the services of the pages: written, sent, answered, revised, invoiced, voided, deleted; conflicts are decided.
In QuickBooks as the owner would: made, noted, lines rewritten, paid in part, voided, deleted.

Whoever writes lines writes all of them, each with the same mark, which occurs once: so it shows at once where the lines
of two writings were mixed (`tools/chaos/papers_verdict.py`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain import quotes as quote_rules
from crm.domain.errors import Invalid, NotFound, Refused
from crm.domain.sales import Line
from crm.domain.sales_content import Content
from crm.models import Conflict, Item, Link, Product, SalesDocument
from crm.services import conflicts, invoice_drafts, invoices, quote_drafts, quotes, sales_documents
from tools.chaos.edits import PERSON, Deed, People, Writing, persist

TEXTS = {"customer_memo": "CustomerMemo", "private_note": "PrivateNote"}
ENTITIES = {"estimate": "Estimate", "invoice": "Invoice"}
EDITABLE = ("item", "text", "section")
"""Lines that are rewritten; documents with others are only annotated."""
FEW = 6
"""So many of each kind are worked on, so that writings meet."""
CLOSED = ("void", "invoiced", "cancelled")
"""Nobody edits these, nor what is paid."""
FIRST = 1000
"""The first line of a writing costs this and its number: an amount that occurs once."""

Deeds = Callable[[SalesDocument, datetime], object]


def documents(people: People) -> list[Deed]:
    dice = random.Random(f"{people.world.seed}:papers")  # what there is to do depends on how far the work is
    they = Papers(people, dice, stocked(people.connection_id))
    for kind, entity in ENTITIES.items():
        people.papers_there |= {(kind, one["Id"]) for one in people.world.state(entity)}
    return [(14, they.quote_here), (12, they.bill_here), (14, they.note_here), (14, they.rewrite_here),
            (8, they.answer_here), (10, they.invoice_quote), (4, they.end_here), (5, they.decide),
            (10, they.note_there), (10, they.rewrite_there), (16, they.both), (6, they.sell_there),
            (6, they.pay_part_there), (3, they.end_there)]  # fmt: skip


def stocked(connection_id: int) -> list[tuple[int, str]]:
    """(product, item) of the services the company sells; each gets a product that has none yet."""
    found: list[tuple[int, str]] = []
    with transaction() as session:
        mine = (Item.connection_id == connection_id, Item.type == "service", Item.active, Item.gone_at.is_(None))
        for item in session.scalars(select(Item).where(*mine).order_by(Item.id)):
            if item.product_id is None:
                now = clock.now()
                product = Product(name=item.name[:100], sort_name=item.name[:100].lower(), created_at=now,
                                  updated_at=now)  # fmt: skip
                session.add(product)
                session.flush()
                item.product_id = product.id
                session.add(Link(connection_id=connection_id, kind="item", local_id=product.id,
                                 remote_id=item.remote_id, linked_at=now, synced_at=now))  # fmt: skip
            found.append((item.product_id, item.remote_id))
    return found


@dataclass(frozen=True, slots=True)
class Papers:
    people: People
    dice: random.Random
    sold: Sequence[tuple[int, str]]

    # --- here -------------------------------------------------------------------------------------------------

    def quote_here(self) -> None:
        def write() -> None:
            content, told = self._content("estimate")
            with transaction():
                now = clock.now()
                made = quote_drafts.create(content, actor=PERSON, now=now)
                if told.number % 5:
                    made = quotes.send(made.id, lock=made.lock, actor=PERSON, now=now)
                document_id = made.id
            self._remember("here", "estimate", document_id, "lines", told.mark, told.amount)

        self._try("quotes here", write)

    def bill_here(self) -> None:
        def write() -> None:
            content, told = self._content("invoice")
            with transaction():
                now = clock.now()
                made = invoice_drafts.create(content, actor=PERSON, now=now)
                document_id = invoices.finish(made.id, lock=made.lock, actor=PERSON, now=now).id
            self._remember("here", "invoice", document_id, "lines", told.mark, told.amount)

        self._try("invoices here", write)

    def note_here(self) -> None:
        self._annotate(self._one(), self.dice.choice(sorted(TEXTS)))

    def _annotate(self, document_id: int | None, name: str) -> None:
        value = self._told().note
        self._write("documents noted here", document_id, name, value, "", lambda content: {name: value})

    def rewrite_here(self) -> None:
        self._rewrite(self._one())

    def _rewrite(self, document_id: int | None) -> None:
        told, more = self._told(), self.dice.choice((-1, 0, 0, 1))
        self._write("documents rewritten here", document_id, "lines", told.mark, told.amount,
                    lambda content: {"lines": self._rewritten(content.lines, told, more)})  # fmt: skip

    def answer_here(self) -> None:
        accepts = self.dice.random() < 0.7

        def deed(quote: SalesDocument, now: datetime) -> None:
            if accepts:
                quotes.accept(quote.id, lock=quote.lock, by="Chaos customer", actor=PERSON, now=now)
            else:
                quotes.decline(quote.id, lock=quote.lock, why="too dear", actor=PERSON, now=now)

        self._with("quotes answered here", self._one("estimate"), deed)

    def invoice_quote(self) -> None:
        def deed(quote: SalesDocument, now: datetime) -> None:
            made = invoice_drafts.from_quote(quote.id, lock=quote.lock, actor=PERSON, now=now)
            invoices.finish(made.id, lock=made.lock, actor=PERSON, now=now)

        self._with("quotes invoiced here", self._one("estimate"), deed)

    def end_here(self) -> None:
        ends = self.dice.choice((invoices.void, invoices.delete))
        self._with(f"invoices here: {ends.__name__}", self._one("invoice"),
                   lambda one, now: ends(one.id, lock=one.lock, actor=PERSON, now=now))  # fmt: skip

    def decide(self) -> None:
        """A person looks at what is asked about documents."""
        choice = self.dice.choice(("ours", "theirs"))

        def write() -> None:
            mine = (Conflict.state == "open", Conflict.kind.in_(ENTITIES))
            with transaction() as session:
                first = session.scalar(select(Conflict.id).where(*mine).order_by(Conflict.id).limit(1))
                if first is None:
                    raise NotFound("Nothing is asked about documents.")
                conflicts.resolve(first, choice, actor=PERSON, now=clock.now())

        self._try("conflicts of documents decided", write)

    # --- there ------------------------------------------------------------------------------------------------

    def note_there(self) -> None:
        self._annotate_there(self._linked(), self.dice.choice(sorted(TEXTS)))

    def _annotate_there(self, place: tuple[str, str] | None, name: str) -> None:
        value = self._told().note
        given = {TEXTS[name]: {"value": value} if name == "customer_memo" else value}
        self._perform("documents noted in QuickBooks", place, given, name, value, "")

    def rewrite_there(self) -> None:
        self._rewrite_there(self._linked())

    def _rewrite_there(self, place: tuple[str, str] | None) -> None:
        told, more = self._told(), self.dice.choice((-1, 0, 0, 1))
        body = self._body(place)
        lines = [one for one in body.get("Line", ()) if one["DetailType"] != "SubTotalLineDetail"]
        if not lines or any(one["DetailType"] not in ("SalesItemLineDetail", "DescriptionOnly") for one in lines):
            return
        sold = [one for one in lines if one["DetailType"] == "SalesItemLineDetail"]
        if more > 0 or not sold:
            lines.append(self._line_there())
        elif more < 0 and len(lines) > 1 and len(sold) > 1:
            lines.remove(sold[-1])
        first = next(one for one in lines if one["DetailType"] == "SalesItemLineDetail")
        first["Amount"], first["SalesItemLineDetail"]["UnitPrice"] = told.price, told.price
        first["SalesItemLineDetail"]["Qty"] = 1
        for at, line in enumerate(lines, 1):
            line["Description"] = f"{told.mark}{at}"
        self._perform("documents rewritten in QuickBooks", place, {"Line": lines}, "lines", told.mark, told.amount)

    def both(self) -> None:
        """The same field of the same document, before either side can know of the other."""
        place = self._linked()
        if place is None:
            return
        document_id = self._local(*place)
        name = self.dice.choice(("lines", *sorted(TEXTS)))
        sides: list[Callable[[], None]] = [
            lambda: self._rewrite(document_id) if name == "lines" else self._annotate(document_id, name),
            lambda: self._rewrite_there(place) if name == "lines" else self._annotate_there(place, name),
        ]
        self.dice.shuffle(sides)
        for side in sides:
            side()
        self.people.world.did["documents on both sides at once"] += 1

    def sell_there(self) -> None:
        kind, told = self.dice.choice(sorted(ENTITIES)), self._told()
        _, customer = self.people.linked()
        lines = [self._line_there(), self._line_there()]
        for at, line in enumerate(lines, 1):
            line["Description"] = f"{told.mark}{at}"
        made = self.people.world.perform(ENTITIES[kind], "create", {"CustomerRef": {"value": customer}, "Line": lines})
        if made:
            self.people.papers_there.add((kind, made["Id"]))
            self.people.world.did[f"{kind}s made in QuickBooks"] += 1

    def pay_part_there(self) -> None:
        owed = [one for one in self.people.world.state("Invoice") if Decimal(one.get("Balance", 0)) > 1]
        if not owed:
            return
        invoice = self.dice.choice(sorted(owed, key=lambda one: int(one["Id"]))[-FEW:])
        part = (Decimal(invoice["Balance"]) / 3).quantize(Decimal("0.01"))
        link = {"Amount": part, "LinkedTxn": [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]}
        body = {"CustomerRef": invoice["CustomerRef"], "TotalAmt": part, "Line": [link]}
        if self.people.world.perform("Payment", "create", body):
            self.people.world.did["parts paid in QuickBooks"] += 1

    def end_there(self) -> None:
        place = self._linked()
        how = self.dice.choice(("void", "delete"))
        if place is None or (how == "void" and place[0] == "estimate"):
            return
        if self.people.world.perform(ENTITIES[place[0]], how, {"Id": place[1]}):
            self.people.world.did[f"{place[0]}s in QuickBooks: {how}"] += 1

    # --- content ----------------------------------------------------------------------------------------------

    def _told(self) -> Told:
        self.people.number += 1
        return Told(self.people.number)

    def _content(self, kind: str) -> tuple[Content, Told]:
        """A document of up to three products under a heading; one quote in two offers an option as well."""
        contact_id, _ = self.people.linked()
        told, today = self._told(), clock.now().date()
        lines = [Line(kind="section", key="s", description="What is done"),
                 *(self._line(f"{at}") for at in range(self.dice.randint(1, 3)))]  # fmt: skip
        if kind == "estimate" and self.dice.random() < 0.5:
            lines.append(replace(self._line("o"), optional=True))
        last, sold = today + timedelta(days=30), self._rewritten(lines, told, 0)
        content = Content(contact_id=contact_id, date=today, lines=sold)
        return replace(content, due_date=last) if kind == "invoice" else replace(content, expires_on=last), told

    def _line(self, key: str) -> Line:
        product_id, _ = self.dice.choice(self.sold)
        return Line(key=key, item=str(product_id), name=f"Product {product_id}",
                    quantity=Decimal(self.dice.choice(("1", "2.5", "7"))),
                    unit_price=Decimal(self.dice.choice(("19.99", "33.335", "120"))),
                    taxable=self.dice.random() < 0.5)  # fmt: skip

    def _line_there(self) -> dict[str, Any]:
        _, remote_id = self.dice.choice(self.sold)
        return {"DetailType": "SalesItemLineDetail", "Amount": Decimal(125), "SalesItemLineDetail": {
            "ItemRef": {"value": remote_id}, "Qty": 1, "UnitPrice": Decimal(125)}}  # fmt: skip

    def _rewritten(self, lines: Sequence[Line], told: Told, more: int) -> tuple[Line, ...]:
        """All of them under one mark; `more`: one is added, or the last taken out. The first product gets the price."""
        if any(line.kind not in EDITABLE or line.within for line in lines):
            raise Refused("Its lines are not rewritten.")
        sold = [line for line in lines if line.kind == "item" and not line.optional]
        if more < 0 and len(sold) > 1:
            lines = [line for line in lines if line is not sold[-1]]
        if more > 0 or not sold:
            lines = [*lines, self._line("new")]
        first = next(line for line in lines if line.kind == "item" and not line.optional)
        marked = []
        for at, line in enumerate(lines, 1):
            priced = replace(line, quantity=Decimal(1), unit_price=told.price) if line is first else line
            marked.append(replace(priced, description=f"{told.mark}{at}"))
        return tuple(marked)

    # --- which ------------------------------------------------------------------------------------------------

    def _one(self, kind: str = "") -> int | None:
        """One of the newest that may still be changed."""
        found: list[int] = []

        def read() -> None:
            kinds = [kind] if kind else list(ENTITIES)
            found[:] = [id_ for one in kinds for id_ in db.session.scalars(
                select(SalesDocument.id)
                .where(SalesDocument.kind == one, SalesDocument.gone_at.is_(None), SalesDocument.state.not_in(CLOSED),
                       SalesDocument.balance.is_(None) | (SalesDocument.balance > 0))
                .order_by(SalesDocument.id.desc()).limit(FEW)
            )]  # fmt: skip

        persist(read)
        return self.dice.choice(found) if found else None

    def _linked(self) -> tuple[str, str] | None:
        """(kind, remote id) of one of the newest that the books hold."""
        found: list[tuple[str, str]] = []

        def read() -> None:
            found[:] = [(kind, remote_id) for kind in ENTITIES for remote_id in db.session.scalars(
                select(Link.remote_id).where(Link.kind == kind, Link.state == "linked")
                .order_by(Link.id.desc()).limit(FEW)
            )]  # fmt: skip

        persist(read)
        return self.dice.choice(found) if found else None

    def _local(self, kind: str, remote_id: str) -> int | None:
        found: list[int | None] = []
        mine = select(Link.local_id).where(Link.kind == kind, Link.remote_id == remote_id)
        persist(lambda: found.append(db.session.scalar(mine)))
        return found[-1]

    def _body(self, place: tuple[str, str] | None) -> dict[str, Any]:
        if place is None:
            return {}
        return next((one for one in self.people.world.state(ENTITIES[place[0]]) if one["Id"] == place[1]), {})

    # --- done -------------------------------------------------------------------------------------------------

    def _write(
        self, what: str, document_id: int | None, name: str, value: str, amount: str,
        changed: Callable[[Content], dict[str, Any]],
    ) -> None:  # fmt: skip
        """As a person edits: an invoice as it is, a quote the customer has seen as its next version, sent again."""
        done: list[tuple[str, int, datetime]] = []

        def deed(document: SalesDocument, now: datetime) -> None:
            content = sales_documents.content_of(document)
            after = replace(content, **changed(content))
            if document.kind == "invoice":
                invoice_drafts.change(document.id, after, lock=document.lock, actor=PERSON, now=now)
            else:
                _revised(document, after, now)
            done[:] = [(document.kind, document.id, now)]

        if self._with(what, document_id, deed):
            kind, id_, _ = done[0]
            self._remember("here", kind, id_, name, value, amount)

    def _with(self, what: str, document_id: int | None, deed: Deeds) -> bool:
        if document_id is None:
            return False

        def write() -> None:
            with transaction():
                deed(sales_documents.find(document_id), clock.now())

        return self._try(what, write)

    def _try(self, what: str, deed: Callable[[], None]) -> bool:
        """What cannot be done with it at this moment is not done."""
        try:
            persist(deed)
        except (Refused, NotFound, Invalid) as refusal:
            self.people.world.did[f"refused ({what}): {type(refusal).__name__}"] += 1
            return False
        self.people.world.did[what] += 1
        return True

    def _perform(
        self, what: str, place: tuple[str, str] | None, given: dict[str, Any], name: str, value: str, amount: str
    ) -> None:
        if place is None:
            return
        kind, remote_id = place
        body = {"Id": remote_id, "sparse": True, **given}
        if self._body(place).get("PrivateNote", "").startswith("Voided"):
            return
        if self.people.world.perform(ENTITIES[kind], "update", body):
            self._remember("there", kind, remote_id, name, value, amount)
            self.people.world.did[what] += 1

    def _remember(self, side: str, kind: str, id_: int | str, name: str, value: str, amount: str) -> None:
        self.people.writings.append(Writing(side, kind, str(id_), name, value, amount, clock.now()))


@dataclass(frozen=True, slots=True)
class Told:
    """One writing: its mark, and the price it gives to the first product."""

    number: int

    @property
    def mark(self) -> str:
        return f"Writing {self.number}, line "

    @property
    def note(self) -> str:
        return f"Note {self.number}."

    @property
    def price(self) -> Decimal:
        return FIRST + self.number + Decimal("0.37")

    @property
    def amount(self) -> str:
        return f"{self.price:,.2f}"


def _revised(quote: SalesDocument, after: Content, now: datetime) -> None:
    again = quote.state != quote_rules.DRAFT
    if again:
        quote = quotes.revise(quote.id, lock=quote.lock, actor=PERSON, now=now)
    quote = quote_drafts.change(quote.id, after, lock=quote.lock, actor=PERSON, now=now)
    if again:
        quotes.send(quote.id, lock=quote.lock, actor=PERSON, now=now)
