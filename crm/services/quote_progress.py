"""What is left of a quote to be invoiced: per line and in money, worked out anew each time it is asked.

Called by the quote's page, the choice of lines, by whoever makes an invoice of it, and when one of its invoices is
changed or ends. `settle` alone writes: it brings the stored state to what the lines say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from crm.db import db
from crm.domain import quote_progress as rules
from crm.domain import quotes
from crm.domain.amounts import ZERO
from crm.domain.errors import Invalid
from crm.domain.invoicing import invoice_of
from crm.domain.sales import Line
from crm.models import SalesDocument
from crm.queries import quote_progress as queries
from crm.services import sales_documents
from crm.services.audit import Actor


@dataclass(frozen=True, slots=True)
class Progress:
    left: Mapping[int, Line]
    """Line's id -> as far as it is not invoiced."""
    amounts: Mapping[int, Decimal]
    """Line's id -> what that comes to, before discount and tax."""
    total: Decimal
    """What an invoice of all that is left would come to."""
    deposit: Decimal
    """What of a deposit stands on its invoices."""
    invoiced: bool
    """An invoice of it stands."""


def of(quote: SalesDocument) -> Progress:
    """As it stands now. `quote`: a quote that is kept."""
    content = sales_documents.content_of(quote)
    done = queries.done(db.session(), [quote.id])[quote.id]
    standing = queries.standing(db.session(), quote.id)
    currency = content.currency or "USD"
    left = rules.rest(content.lines, done, currency)
    total = ZERO
    if rules.anything(left):
        tax = sales_documents.tax_of(quote, content)
        total = invoice_of(content.lines, discount=content.discount, tax=tax, currency=currency, done=done).totals.total
    return Progress(
        {int(line.key): line for line in left},
        {int(line.key): amount for line, amount in zip(left, rules.amounts(left, currency), strict=True)},
        total, sum((one.deposit for one in standing), ZERO), bool(standing),
    )  # fmt: skip


def refuse_deposit(quote: SalesDocument, deposit: Decimal) -> None:
    """A deposit is applied once: what stands on one invoice is no deposit of the next. Raises Invalid."""
    before = queries.standing(db.session(), quote.id)
    applied = sum((one.deposit for one in before), ZERO)
    open_ = max(ZERO, quote.deposit - applied)
    if not deposit or not applied or deposit <= open_:
        return
    where = ", ".join(one.number or "without number" for one in before if one.deposit)
    rest = f"{open_:,.2f} of what was asked for is left" if open_ else "nothing of it is left"
    raise Invalid({"deposit_paid": f"{applied:,.2f} of the deposit stands on invoice {where} already; {rest}. "
                   "Record what was paid beyond it under Payments."})  # fmt: skip


def settle(quote_id: int, *, actor: Actor, now: datetime) -> None:
    """The lines of an invoice that nobody outside knows were changed: the quote is invoiced when nothing is left, and
    goes on while something is. Told at the quote where that is new."""
    quote = db.session.get(SalesDocument, quote_id, with_for_update=True, populate_existing=True)
    if quote is None or quote.state not in (quotes.INVOICED, quotes.ACCEPTED):
        return
    sales_documents.flush(quote)
    done = queries.done(db.session(), [quote.id])[quote.id]
    content = sales_documents.content_of(quote)
    left = rules.anything(rules.rest(content.lines, done, content.currency or "USD"))
    state = quotes.ACCEPTED if left else quotes.INVOICED
    if state == quote.state:
        return
    was, quote.state, quote.updated_at = quote.state, state, now
    sales_documents.flush(quote)
    text = "a part of it is left to be invoiced" if left else "nothing of it is left to be invoiced"
    sales_documents.tell(quote, "progress", text, actor=actor, now=now, details={"from": was, "to": state})
