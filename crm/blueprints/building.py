"""The builder of quotes and invoices: reads its form, does what its buttons ask, and gathers what its page shows.

Both kinds' blueprints use it: `read`, then `asks` (a button that saves nothing: `acted`, and the page again) or saving.
The form posts to one address whatever button is pressed, so that everything works without scripting; htmx swaps the
same form in place. Templates: `sales/_form.html` (the form), `sales/_figures.html` (live totals).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask_login import current_user

from crm.db import db
from crm.domain import address_forms, sales_forms
from crm.domain.contacts import Draft, Entry, clean
from crm.domain.sales_content import Content
from crm.domain.sales_forms import Row, Typed
from crm.queries import products
from crm.queries import sales_documents as queries
from crm.services import sales_documents, sales_settings
from crm.services.sales_settings import Current

SAVE, ENTER = "save", "enter"
FOUND = 12
NEW_CONTACT = ("new_name", "new_email", "new_phone")
BESIDE = ("q", "customer_q", *NEW_CONTACT)
"""Fields of the form that are none of the document's."""


EMPTY = Content(currency="")


@dataclass(frozen=True, slots=True)
class Built:
    """The builder as it stands after a button was pressed."""

    typed: Typed
    focus: str = ""
    """Id of the field or button that takes the focus."""
    products: Sequence[Any] | None = None
    """What was found for the typed words; None: nothing was searched for."""
    customers: Sequence[Any] | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)
    """What a person should know of what the button did."""


def settings() -> Current:
    """How sales go to the company in use."""
    return sales_settings.current(db.session(), sales_settings.company_in_use(db.session()))


def home() -> str:
    return products.home_currency()


def read(form: Mapping[str, str], *, base: Content, blanks: bool = True) -> Typed:
    """The form as typed, in the currency of its customer."""
    typed = sales_forms.read(_with_address(form), base=base, blanks=blanks)
    beside = {name: form[name] for name in (*BESIDE, *address_forms.NAMES) if name in form}
    content, wrong = address_forms.read(form, _for_customer(typed.content, base))
    return replace(typed, texts=dict(typed.texts) | beside, content=content, wrong=dict(typed.wrong) | wrong)


def _with_address(form: Mapping[str, str]) -> Mapping[str, str]:
    """The form, sent to the address of the contact that is written down in it, where nobody is chosen."""
    address = form.get("new_email", "")
    if form.get("contact_id", "").strip() or form.get("email", "").strip() or not address.strip():
        return form
    return dict(form) | {"email": address}


def new_contact(typed: Typed) -> Draft | None:
    """The contact to be made with the document, where somebody wrote one down instead of choosing."""
    name, email, phone = (clean(typed.texts.get(field, "")) for field in NEW_CONTACT)
    if typed.content.contact_id is not None or not (name or email or phone):
        return None
    entries = [Entry(kind, value) for kind, value in (("email", email), ("phone", phone)) if value]
    return Draft({"display_name": name, "type": "lead"}, tuple(entries), owner_id=typed.content.owner_id)


def asks(form: Mapping[str, str]) -> bool:
    """Whether a button was pressed that saves nothing."""
    return "product" in form or "customer" in form or form.get("action", SAVE) != SAVE


def acted(form: Mapping[str, str], *, base: Content) -> Built:
    """What the pressed button makes of the form."""
    typed = read(form, base=base)
    deed, _, at = form.get("action", "").partition(":")
    if "product" in form:
        return _with_product(typed, form, base, form["product"])
    if "customer" in form:
        return _with_customer(typed, form, base, form["customer"])
    if deed in ("find-product", ENTER) and form.get("q", "").strip():
        return _found_products(typed, form, base)
    if deed in ("find-customer", ENTER) and form.get("customer_q", "").strip():
        return _found_customers(typed, form, base)
    if deed == "add":
        rules = settings()
        row = sales_forms.new_row(typed.rows, at, taxable=rules.taxable, tax_code=line_code(rules))
        place = len(typed.rows) + 1
        return Built(_rows(typed, form, base, [*typed.rows, row]), f"f-lines-{place}-description")
    if deed in ("remove", "up", "down", "open"):
        return _moved(typed, form, base, deed, at)
    return Built(typed, "recalculate" if deed == "recalculate" else "")


def totals(typed: Typed, document: Any = None) -> dict[str, Any]:
    """What the box of figures shows: the one calculation, of what is typed now; a line that cannot be read comes to
    nothing, and `unread` says why."""
    tax = sales_documents.tax_of(document, typed.content)
    unread = {name: words for name, words in typed.wrong.items() if name.startswith("lines-")}
    places = {int(name.split("-")[1]) for name in unread}
    lines = tuple(
        replace(line, unit_price=None, amount=None) if at in places else line
        for at, line in enumerate(typed.content.lines, 1)
    )
    figures = replace(typed.content, lines=lines).totals(tax)
    return {"totals": figures, "tax": tax, "typed": typed, "currency": typed.content.currency,
            "unread": tuple(unread.values())}  # fmt: skip


def page_values(kind: str, built: Built, *, errors: Mapping[str, str], document: Any = None) -> dict[str, Any]:
    """Everything `sales/_form.html` needs but the addresses it posts to. `kind`: estimate or invoice."""
    rules, content = settings(), built.typed.content
    built = replace(built, typed=replace(built.typed, texts=address_forms.typed(content) | dict(built.typed.texts)))
    offered = {"terms": rules.facts.terms, "tax_codes": rules.facts.tax_codes}
    lists = {name: [(one.remote_id, one.name) for one in entries if one.active] for name, entries in offered.items()}
    return {
        **totals(built.typed, document), **lists, "kind": kind, "built": built, "rules": rules,
        "address_fields": address_forms.NAMES,
        "errors": dict(built.typed.wrong) | dict(errors), "buyer": queries.buyer(content.contact_id),
        "owners": queries.owners(), "custom_fields": queries.custom_fields(rules.connection_id),
        "picked": built.products or (), "q": built.typed.texts.get("q", ""),
    }  # fmt: skip


def beginning(rules: Current, *, contact_id: int | None) -> Content:
    """What a new document begins with: its customer, who writes it, the usual tax code."""
    found = queries.buyer(contact_id)
    content = Content(
        contact_id=found.id if found and not found.archived else None, owner_id=current_user.id,
        email=found.email if found else "", currency="",
        tax_code=rules.tax_code if rules.books_tax == "us_manual" else "",
    )  # fmt: skip
    return _for_customer(content, EMPTY)


def line_code(rules: Current) -> str:
    """The tax code of a new line, where lines have codes of their own."""
    return rules.tax_code if rules.books_tax == "global" else ""


def _for_customer(content: Content, base: Content) -> Content:
    """In the customer's own currency, to their own address; what is kept already stays while its customer does."""
    if base.currency and content.contact_id == base.contact_id:
        return replace(content, currency=base.currency)
    found = queries.buyer(content.contact_id)
    currency = (found.currency if found else "") or home()
    return replace(content, currency=currency, billing_address=found.address if found else {})


def _rows(typed: Typed, form: Mapping[str, str], base: Content, rows: Sequence[Row]) -> Typed:
    made = sales_forms.of_rows(form, rows, base=base)
    return replace(made, texts=typed.texts, content=replace(typed.content, lines=made.content.lines))


def _moved(typed: Typed, form: Mapping[str, str], base: Content, deed: str, key: str) -> Built:
    rows = sales_forms.acted(typed.rows, deed, key)
    focus = f"{deed}-{key}" if deed in ("up", "down") else "f-q"
    return Built(_rows(typed, form, base, rows), focus)


def _with_product(typed: Typed, form: Mapping[str, str], base: Content, text: str) -> Built:
    product = queries.product(int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else None
    if product is None:
        return Built(typed, "f-q", notes=("This product is not in use any more. Choose another one.",))
    currency, rules = typed.content.currency, settings()
    added = sales_forms.product_rows(
        typed.rows, product, queries.members(product) if product.type == "group" else (), currency=currency,
        tax_code=line_code(rules),
    )  # fmt: skip
    other = (product.currency or currency) != currency
    words = f"{product.name} has its price in {product.currency}. Write what it costs in {currency}."
    field = "unit_price" if other else "quantity"
    at = len(typed.rows) + (2 if len(added) > 1 else 1)
    built = _rows(typed, form, base, [*typed.rows, *added])
    built = replace(built, texts={name: text for name, text in built.texts.items() if name != "q"})
    return Built(built, f"f-lines-{at}-{field}", notes=(words,) if other else ())


def _found_products(typed: Typed, form: Mapping[str, str], base: Content) -> Built:
    """The one that is meant, or a choice."""
    text = form["q"].strip()[:200]
    found = products.pick(db.session(), text, FOUND)
    meant = [one for one in found if text.casefold() in (one.name.casefold(), one.sku.casefold())]
    if len(found) == 1 or len(meant) == 1:
        return _with_product(typed, form, base, str((meant or found)[0].id))
    return Built(typed, "f-q", products=found)


def _found_customers(typed: Typed, form: Mapping[str, str], base: Content) -> Built:
    text = form["customer_q"].strip()[:200]
    found = queries.buyers(text)
    if len(found) == 1:
        return _with_customer(typed, form, base, str(found[0].id))
    return Built(typed, "f-customer-q", customers=found)


def _with_customer(typed: Typed, form: Mapping[str, str], base: Content, text: str) -> Built:
    """Another customer brings their own e-mail, address and currency; `none` lets one choose anew."""
    chosen = queries.buyer(int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else None
    content = replace(typed.content, contact_id=chosen.id if chosen else None, email=chosen.email if chosen else "",
                      shipping_address={})  # fmt: skip
    content = _for_customer(content, base)
    if base.currency and content.contact_id == base.contact_id:
        content = replace(content, billing_address=base.billing_address, shipping_address=base.shipping_address)
    kept = {name: text for name, text in typed.texts.items() if name not in address_forms.NAMES}
    texts = kept | {"contact_id": str(content.contact_id or ""), "email": content.email}
    notes: tuple[str, ...] = ()
    if content.currency != typed.content.currency and typed.rows:
        notes = (f"{chosen.name if chosen else 'This customer'} pays in {content.currency}: look at the prices.",)
    focus = "f-q" if chosen else "f-customer-q"
    return Built(replace(typed, texts=texts, content=content), focus, notes=notes)
