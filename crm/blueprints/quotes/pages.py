"""One quote: its page, its versions side by side, its sync badge."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from flask import render_template, request

from crm import clock
from crm.blueprints import building
from crm.blueprints.quotes import blueprint, quote_of
from crm.domain import quotes as rules
from crm.domain import sales_sheets
from crm.domain.errors import NotFound
from crm.domain.quote_versions import Version, compare
from crm.domain.sales_content import Content, from_json
from crm.queries import object_badges, quotes
from crm.queries import sales_documents as queries
from crm.security import requires
from crm.services import public_links, quote_drafts, quote_progress, sales_documents
from crm.web import go, is_fragment


@blueprint.get("/<int:document_id>")
@requires("sales.read")
def show(document_id: int) -> Any:
    document = quote_of(document_id)
    state = quote_drafts.state_of(document, clock.now())
    settings, link = building.settings(), public_links.live(document_id, now=clock.now())
    return render_template(
        "quotes/show.html",
        document=document,
        state=state,
        allowed=() if document.template or document.gone_at else rules.allowed(state, who=rules.REP),
        may_change=rules.may_edit("title", state),
        sheet=sales_sheets.of_document(document, building.home()),
        currency=document.currency or building.home(),
        zone=queries.zone(document.connection_id),
        sync=object_badges.one("estimate", document.id),
        events=quotes.events(document.id),
        versions=[(one, Decimal(one.content["totals"]["total"])) for one in quotes.versions(document.id)],
        invoices=quotes.invoices_of(document.id),
        progress=quote_progress.of(document) if state == rules.PARTLY else None,
        terms={one.remote_id: one.name for one in settings.facts.terms},
        custom_fields=queries.custom_fields(document.connection_id),
        buyer=queries.buyer(document.contact_id),
        link=link,
        link_path=public_links.path(link) if link is not None else "",
    )


@blueprint.get("/<int:document_id>/sync-badge")
@requires("sales.read")
def sync_badge(document_id: int) -> Any:
    if not is_fragment():
        return go("quotes.show", document_id=document_id)
    document = quote_of(document_id)
    return render_template("quotes/_badge.html", document=document, sync=object_badges.one("estimate", document_id))


@blueprint.get("/<int:document_id>/versions")
@requires("sales.read")
def versions(document_id: int) -> Any:
    """Two versions side by side: `?old=1&new=2`; the newest two when nothing is said."""
    document = quote_of(document_id)
    newest = document.revision
    old, new = _number("old", newest - 1), _number("new", newest)
    first, second = _version(document, old), _version(document, new)
    names = {one.remote_id: one.name for one in building.settings().facts.terms}
    return render_template(
        "quotes/versions.html",
        document=document,
        numbers=[(str(number), f"Version {number}") for number in range(newest, 0, -1)],
        old=old,
        new=new,
        result=compare(_compared(document, old, first, names), _compared(document, new, second, names)),
        sheets=(_sheet(document, first), _sheet(document, second)),
        currency=document.currency or building.home(),
    )


def _number(name: str, otherwise: int) -> int:
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else max(otherwise, 1)


def _version(document: Any, number: int) -> Content:
    """What the quote said in this version. Raises NotFound."""
    if number == document.revision:
        return sales_documents.content_of(document)
    kept = quotes.version(document.id, number)
    if kept is None:
        raise NotFound("There is no such version of this quote.")
    return from_json(kept.content)


def _compared(document: Any, number: int, content: Content, terms: dict[str, str]) -> Version:
    fields = {
        "Title": content.title, "Date": str(content.date or ""), "Valid until": str(content.expires_on or ""),
        "Terms": terms.get(content.terms, content.terms), "Note to the customer": content.customer_memo,
    }  # fmt: skip
    lines = tuple(replace(line, item="") for line in content.lines)  # their names say it
    tax = sales_documents.tax_of(document, content)
    return Version(number, lines, content.discount, tax, content.deposit, content.currency, fields)


def _sheet(document: Any, content: Content) -> sales_sheets.Sheet:
    return sales_sheets.of_content(content, sales_documents.tax_of(document, content))
