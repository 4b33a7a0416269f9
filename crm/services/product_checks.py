"""What stands against a product as it shall be, and the accounts it asks for: rules that need to know what is there.

What needs to know nothing else is in `domain/products` and `domain/product_values`.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.domain import product_values
from crm.domain.names import fold
from crm.domain.product_values import ACCOUNTS, LABELS, Values
from crm.domain.products import CREATABLE, TYPES, Draft
from crm.domain.products import problems as rules
from crm.models import Product
from crm.queries import product_accounts, product_page
from crm.queries import products as queries
from crm.services import sales_settings

BUNDLE = "Bundles are made and changed in QuickBooks; what changes there comes here by itself."
DEEPEST = 4
"""Levels of categories (QuickBooks)."""


def offer(session: Session, type_: str) -> product_accounts.Offer:
    """The accounts a product of this type asks for; the income account first as the sales settings say."""
    company = sales_settings.company_in_use(session)
    income = sales_settings.chosen_income(session, company, type_)
    return product_accounts.preferring(product_accounts.offer(session, company, type_), income)


def problems(
    session: Session, values: Values, *, product: Product | None = None, going_out: bool = False
) -> dict[str, str]:
    """Field -> what is wrong with it. Of a product that is there already, an account that was never given is asked for
    only when it is `going_out`: what came from the books may lack one."""
    offered = offer(session, values.type)
    draft = Draft(
        values.name, values.type, values.sku, values.description, values.purchase_description, values.price,
        values.cost, {name: getattr(values, name) for name in ACCOUNTS} if offered.connected else None,
        inventory_on=offered.inventory_on if product is None or product.type != "inventory" else None,
    )  # fmt: skip
    wrong = rules(draft)
    if product is not None and not going_out and product.type == values.type:
        wrong = {name: text for name, text in wrong.items() if name not in ACCOUNTS or getattr(product, name)}
    known = {need.field: {one.remote_id for one in need.choices} for need in offered.needs}
    for name in ACCOUNTS:
        account, before = getattr(values, name), getattr(product, name, "")
        if account and offered.connected and account != before and account not in known.get(name, ()):
            wrong[name] = f"{LABELS[name]}: choose one of the accounts in the list."
    wrong |= (
        product_values.unfit(values) | _wrong_place(session, values, product) | _wrong_type(session, values, product)
    )
    return wrong if "name" in wrong else wrong | taken(session, values, product=product)


def path_of(product: Product) -> str:
    """The path its members stand in, of a category."""
    return f"{product.category}:{product.name}" if product.category else product.name


def taken(session: Session, values: Values, *, product: Product | None) -> dict[str, str]:
    """Two of one name in one category, or of one SKU, could not be told apart when they come back from the books."""
    others = (
        select(Product).where(Product.id != (product.id if product else 0)).order_by(Product.active.desc()).limit(1)
    )
    wrong = {}
    name = (fold(values.name) or values.name.casefold())[:100]
    same = session.scalar(others.where(Product.sort_name == name, Product.category == values.category))
    if same is not None:
        way = "Open it, or give this one another name." if same.active else "It is inactive: reactivate it instead."
        wrong["name"] = f"{same.name} is a product already. {way}"
    if values.sku and (product is None or product.sku != values.sku):
        same = session.scalar(others.where(Product.sku == values.sku))
        if same is not None:
            wrong["sku"] = f"The SKU {values.sku} stands at {same.name} already. Give another one, or leave it empty."
    return wrong


def _wrong_place(session: Session, values: Values, product: Product | None) -> dict[str, str]:
    before = product.category if product else ""
    if values.category and values.category != before and values.category not in queries.categories(session):
        return {"category": "There is no such category. Choose one of the list; a new one is a product of that type."}
    if values.type == "category":
        own = path_of(product) if product and product.type == "category" else None
        if own and (values.category == own or values.category.startswith(f"{own}:")):
            return {"category": "A category cannot stand within itself. Choose another place."}
        if values.category.count(":") + 2 > DEEPEST:
            return {"category": f"QuickBooks keeps categories {DEEPEST} levels deep at most. Choose a higher place."}
    return {}


def _wrong_type(session: Session, values: Values, product: Product | None) -> dict[str, str]:
    if product is None:
        return {} if values.type in CREATABLE or values.type not in TYPES else {"type": BUNDLE}
    if values.type == product.type or values.type not in TYPES:
        return {}
    free = ("service", "non_inventory")
    if product_page.known_to_books(session, product.id) and not (values.type in free and product.type in free):
        return {"type": "QuickBooks does not change the type of this product. Make a new one instead."}
    return {} if values.type in CREATABLE else {"type": BUNDLE}
