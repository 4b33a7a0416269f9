"""What is done to products: made, changed, taken out of use and back, sent to the books; and what they cost when.

Called by the pages and the API inside `transaction()`. Every change keeps the columns of sorting and searching true,
remembers a new price or cost, and is noted for the books where they know the product. Whoever changes one says which
version they saw; when it is no longer that one, Changed is raised and nothing is written. What is in stock is the
books' figure: it is read, and never changed or sent from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from crm.domain import product_values
from crm.domain.errors import Changed, Invalid, NotFound, Refused
from crm.domain.names import fold
from crm.domain.product_filters import search_text
from crm.domain.product_values import FIELDS, LABELS, Values
from crm.domain.products import CREATABLE
from crm.models import Link, OutboxEntry, PriceChange, Product
from crm.queries import product_page
from crm.queries import products as queries
from crm.services import audit, sales_settings
from crm.services.audit import Actor
from crm.services.product_checks import BUNDLE, offer, path_of, problems, taken
from crm.services.sync.items import asking, linking, matching
from crm.services.sync.outbox import outbox
from crm.services.sync.outbox.kinds import OUTGOING

KIND = "item"
CHANGED = "Somebody changed this product while you were editing it. Nothing of yours is lost: choose what to keep."


def beginning(session: Session, type_: str) -> Values:
    """What a new product of this type begins with: the accounts found, or chosen in the sales settings, and its tax."""
    company = sales_settings.company_in_use(session)
    asked = offer(session, type_).needs
    taxable = sales_settings.current(session, company).taxable
    accounts: dict[str, Any] = {need.field: need.default for need in asked}
    return replace(Values(type=type_, taxable=taxable), **accounts)


def create(session: Session, values: Values, *, send: bool, actor: Actor, now: datetime) -> Product:
    """A new product; with `send` it goes to the books of the company in use, else with the first document that needs
    it. Raises Invalid with a sentence per field."""
    _refuse(problems(session, values))
    product = Product(
        source="api" if actor.source == "api" else "person", currency=queries.home_currency(session), active=True,
        created_at=now, updated_at=now, members=[], sort_name="", search_text="",
    )  # fmt: skip
    _give(product, values)
    session.add(product)
    session.flush()
    note_price(session, product, by=actor.label, now=now)
    audit.record("product_created", actor=actor, now=now, subject=_subject(product), summary=f"Product {product.name}")
    if send:
        _tell_the_books(session, product, (), actor=actor, now=now, operation="create")
    return product


def change(session: Session, product_id: int, values: Values, *, lock: int, actor: Actor, now: datetime) -> Product:
    """The product becomes `values`. Raises Invalid, NotFound, Changed (carrying the product as it is now)."""
    product = _held(session, product_id, lock)
    if product.type == "group":
        raise Refused(BUNDLE)
    before = product_values.of(product)
    _refuse(problems(session, values, product=product))
    changed = product_values.changes(before, values)
    if not changed:
        return product
    path = path_of(product)
    _give(product, values)
    product.updated_at = now
    session.flush()
    if product.type == "category" and path_of(product) != path:
        _carry_along(session, path, path_of(product), now)
    if changed.keys() & {"price", "cost"}:
        note_price(session, product, by=actor.label, now=now)
    words = "; ".join(f"{LABELS[name]}: {old or 'empty'} → {new or 'empty'}" for name, (old, new) in changed.items())
    audit.record("product_changed", actor=actor, now=now, subject=_subject(product),
                 summary=f"{product.name}: {words}"[:500])  # fmt: skip
    _tell_the_books(session, product, changed, actor=actor, now=now)
    return product


def deactivate(session: Session, product_id: int, *, lock: int, actor: Actor, now: datetime) -> Product:
    """Take it out of use, here and in the books; documents keep it. Twice changes nothing. Raises Refused where the
    books would write off what is in stock, NotFound, Changed."""
    product = _held(session, product_id, lock)
    if product.type == "group":
        raise Refused(BUNDLE)
    if product.type == "inventory" and product.quantity_on_hand and product_page.known_to_books(session, product.id):
        raise Refused(
            f"QuickBooks counts {product.quantity_on_hand.normalize():f} of it in stock and would write them off."
            " Bring the quantity to zero there first, then deactivate it here."
        )
    return _in_use(session, product, False, actor=actor, now=now)


def reactivate(session: Session, product_id: int, *, lock: int, actor: Actor, now: datetime) -> Product:
    """Back into use. Raises Invalid where another product has taken its name meanwhile, NotFound, Changed."""
    product = _held(session, product_id, lock)
    if product.type == "group":
        raise Refused(BUNDLE)
    if not product.active:
        _refuse(taken(session, product_values.of(product), product=product))
    return _in_use(session, product, True, actor=actor, now=now)


def send(session: Session, product_id: int, *, actor: Actor, now: datetime) -> Product:
    """Put it into the books of the company in use. Raises Refused where it cannot be, Invalid where the books need to
    know more of it first."""
    product = _held(session, product_id, None)
    if product_page.known_to_books(session, product.id):
        raise Refused(f"{product.name} is in QuickBooks already.")
    if product.type not in CREATABLE:
        raise Refused(BUNDLE)
    if not goes_out(session):
        raise Refused("There is no connected company that products can be written to. Ask an admin to connect one.")
    _refuse(problems(session, product_values.of(product), product=product, going_out=True))
    _tell_the_books(session, product, (), actor=actor, now=now, operation="create")
    return product


def goes_out(session: Session) -> bool:
    """Whether there is a company that products can be written to."""
    return KIND in OUTGOING and sales_settings.company_in_use(session) is not None


def sendable(session: Session, product: Product) -> bool:
    """Whether a person can put it into the books now."""
    away = product.type in CREATABLE and product.active and goes_out(session)
    return away and not product_page.known_to_books(session, product.id) and not _knowing(session, product.id)


def doubts(session: Session, product_id: int) -> list[matching.Asked]:
    """Items of the books that may be this product: a person says so, or that they are two."""
    return matching.doubts_of(session, product_id)


def is_item(session: Session, product_id: int, item_id: int, *, actor: Actor, now: datetime) -> Product:
    """That item of the books is this product. Raises NotFound, Refused, Changed."""
    return linking.attach(session, item_id, product_id, actor=actor, now=now)


def is_not_item(session: Session, item_id: int, *, actor: Actor, now: datetime) -> Product:
    """That item is none of our products; answers the one it gets. Raises NotFound, Changed."""
    return linking.part(session, item_id, actor=actor, now=now)


def record_export(count: int, filters: str, *, actor: Actor, now: datetime) -> None:
    """Keep who took how many products out of the house; `filters` says in words which."""
    audit.record("products_exported", actor=actor, now=now, summary=f"Products as CSV: {count:,} ({filters})")


def note_price(session: Session, product: Product, *, by: str, now: datetime) -> None:
    """Remember what it costs from now on; `by` is a person, or "QuickBooks". Nothing to remember leaves no row."""
    last = session.scalar(
        select(PriceChange).where(PriceChange.product_id == product.id).order_by(PriceChange.id.desc()).limit(1)
    )
    before = (last.price, last.cost) if last else (None, None)
    if before != (product.price, product.cost):
        session.add(
            PriceChange(product_id=product.id, at=now, price=product.price, cost=product.cost, changed_by=by[:254])
        )


def settle_texts(product: Product) -> None:
    """Keep what lists sort by and search in true to what the product says."""
    product.sort_name = (fold(product.name) or product.name.strip().casefold())[:100]
    product.search_text = search_text(
        name=product.name, sku=product.sku, category=product.category, description=product.description
    )


def _tell_the_books(
    session: Session,
    product: Product,
    fields: Iterable[str],
    *,
    actor: Actor,
    now: datetime,
    operation: str = "update",
) -> None:
    """Note for the books what became of the product: for each company that knows it or is about to, or, with `create`,
    for the company in use. Nothing to do before products go out at all."""
    if KIND not in OUTGOING:
        return
    if operation == "create":
        company = sales_settings.company_in_use(session)
        companies: Sequence[int] = [] if company is None else [company]
    else:
        companies = _knowing(session, product.id)
    category = _category_row(session, product.category) if product.category else None
    if category is not None and operation == "create":
        for connection_id in companies:
            asking.ask_products(session, connection_id, [category.id], actor=actor, now=now)
    parent = ((KIND, category.id),) if category is not None else ()
    for connection_id in companies:
        outbox.note(
            session, connection_id, KIND, product.id, operation=operation, fields=tuple(fields), trigger="change",
            actor=actor, now=now, needs=parent,
        )  # fmt: skip


def _knowing(session: Session, product_id: int) -> Sequence[int]:
    linked = select(Link.connection_id).where(Link.kind == KIND, Link.local_id == product_id, Link.state != "gone")
    leaving = select(OutboxEntry.connection_id).where(
        OutboxEntry.kind == KIND, OutboxEntry.local_id == product_id, OutboxEntry.state.in_(outbox.OPEN)
    )
    return sorted(session.scalars(linked.union(leaving)))


def _held(session: Session, product_id: int, lock: int | None) -> Product:
    """Locked, since whoever edits an object locks it before its entry in the outbox."""
    product = session.get(Product, product_id, populate_existing=True, with_for_update=True)
    if product is None:
        raise NotFound("There is no such product. The link may be old or not complete.")
    if lock is not None and product.lock != lock:
        raise Changed(CHANGED, current=product)
    return product


def _give(product: Product, values: Values) -> None:
    for name in FIELDS:
        setattr(product, name, getattr(values, name))
    settle_texts(product)


def _in_use(session: Session, product: Product, active: bool, *, actor: Actor, now: datetime) -> Product:
    if product.active != active:
        product.active, product.updated_at = active, now
        session.flush()
        deed = "reactivated" if active else "deactivated"
        audit.record(f"product_{deed}", actor=actor, now=now, subject=_subject(product), summary=product.name)
        _tell_the_books(session, product, ("active",), actor=actor, now=now, operation=deed.removesuffix("d"))
    return product


def _carry_along(session: Session, old: str, new: str, now: datetime) -> None:
    """What stands in a category goes with it when it is renamed or moved; the books keep that by themselves."""
    below = Product.category.startswith(f"{old}:", autoescape=True)
    for member in session.scalars(select(Product).where(or_(Product.category == old, below))):
        member.category = (new + member.category[len(old) :])[:500]
        member.updated_at = now
        settle_texts(member)
    session.flush()


def _category_row(session: Session, path: str) -> Product | None:
    above, _, name = path.rpartition(":")
    query = select(Product).where(Product.type == "category", Product.category == above, Product.name == name)
    return session.scalar(query.order_by(Product.id).limit(1))


def _subject(product: Product) -> str:
    return f"product:{product.id}"


def _refuse(wrong: dict[str, str]) -> None:
    if wrong:
        raise Invalid(wrong)
