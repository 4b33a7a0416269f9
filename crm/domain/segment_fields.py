"""What a rule of a segment can ask about: every field with its operators, meaning and help. Pure.

`FIELDS` is read by whoever reads rules (`segments`), works them out (`queries/segment_sql` by the database,
`segment_evaluation` for one contact), shows them (the builder) or describes them (docs/segments.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crm.domain.contacts import LINK_STATES, TYPES

SECTIONS = ("Contact", "Place", "QuickBooks", "Money", "Behaviour", "Communication")
MANY = -1


@dataclass(frozen=True, slots=True)
class Op:
    words: str
    """Between the field and its value: "Balance {is more than} $500". `{}` marks where the value stands, if inside."""
    values: int
    """How many it needs; MANY: one or more."""


OPS: Mapping[str, Op] = {
    "one_of": Op("is", MANY),
    "none_of": Op("is not", MANY),
    "contains": Op("contains", 1),
    "not_contains": Op("does not contain", 1),
    "begins": Op("begins with", MANY),
    "has_any": Op("include", MANY),
    "has_all": Op("include all of", MANY),
    "has_none": Op("do not include", MANY),
    "equals": Op("is exactly", 1),
    "more": Op("is more than", 1),
    "at_least": Op("is at least", 1),
    "less": Op("is less than", 1),
    "at_most": Op("is at most", 1),
    "between": Op("is between", 2),
    "last_days": Op("was within the last {} days", 1),
    "days_ago": Op("was more than {} days ago", 1),
    "since": Op("was on or after", 1),
    "before": Op("was before", 1),
    "dates": Op("was between", 2),
    "ever": Op("has happened", 0),
    "never": Op("never happened", 0),
    "yes": Op("yes", 0),
    "no": Op("no", 0),
    "within": Op("is within", MANY),
    "beyond": Op("is farther than", MANY),
    "known": Op("is known", 0),
    "unknown": Op("is unknown", 0),
}

TEXT = ("one_of", "none_of", "contains", "not_contains", "begins", "known", "unknown")
CHOICE = ("one_of", "none_of")
SET = ("has_any", "has_all", "has_none")
COMPARE = ("more", "at_least", "less", "at_most", "between", "equals")
OR_NOT = ("known", "unknown")
MOMENT = ("last_days", "days_ago", "since", "before", "dates")
OR_NEVER = ("ever", "never")
YES_NO = ("yes", "no")
DAYS_OPS = ("last_days", "days_ago")
"""Those of a date whose value is a number of days, not a date."""

PLACE_PARTS = ("distance", "unit", "typed", "label", "x", "y", "z")
"""The values of a rule about distance: how far, `mi` or `km`, the words a person typed, what they were found to be,
and where that is: metres from the middle of the earth, as in `contact_places`."""
UNITS = {"mi": "miles", "km": "km"}

SOURCES = {"person": "Added by a person", "file": "From a file", "quickbooks": "From QuickBooks", "api": "By a program"}
CONSENTS = {"granted": "Granted", "denied": "Denied", "unasked": "Never asked"}
MONTHS = {
    str(number): name for number, name in enumerate(
        ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
         "November", "December"), 1)
}  # fmt: skip
FIFTHS = ("more", "at_least", "less", "at_most", "between", "equals", *OR_NOT)


@dataclass(frozen=True, slots=True)
class Field:
    key: str
    label: str
    section: str
    """One of SECTIONS."""
    type: str
    """`text`, `choice`, `tags`, `money`, `number`, `percent`, `days`, `date`, `place`, `product` or `yes_no`."""
    ops: tuple[str, ...]
    """Keys of OPS, the likeliest first."""
    help: str
    """What it means, its formula, and what becomes of contacts without a value."""
    period: bool = False
    """Whether a rule says which stretch of time it looks at."""
    unit: str = ""
    """Behind a number: "days", "invoices", "of 5"; empty for amounts, which are in the company's home currency."""
    choices: Mapping[str, str] | None = None
    """Value -> words, where the choice is fixed."""
    options: str = ""
    """`owners`, `tags` or `products` where values are ids of rows; "none" of owners: nobody."""
    plural: bool = False
    """Whether its operators are told of many: "Tags include ..."."""


def _text(key: str, label: str, section: str, help: str, *, ops: tuple[str, ...] = TEXT) -> Field:
    return Field(key, label, section, "text", ops, help)


_FOLDED = "Capitals, accents and marks do not matter. "
_HOME = "Amounts in the company's home currency; documents in another currency are left out. "
_SALES = (
    "Invoices that are open or paid, with tax, as the books have them; drafts, voided, held back and deleted ones never"
    " count. "
)
_BOOKS = "As QuickBooks last said it. Unknown where the contact has no customer there, or one in another currency. "
_PASSES_NOTHING = "Unknown passes no comparison but “is unknown”."
_UTC = "Days begin at midnight UTC."

_ALL = (
    # Contact
    _text("name", "Name", "Contact", _FOLDED + "The name the contact is shown by.", ops=TEXT[:5]),
    _text("company", "Company name", "Contact", _FOLDED + "Unknown where none was typed; “is not” includes those."),
    Field("kind", "Company or person", "Contact", "choice", CHOICE,
          "A company has a company name, a person has none.",
          choices={"company": "A company", "person": "A person"}),
    Field("type", "Type", "Contact", "choice", CHOICE, "The type chosen at the contact.", choices=TYPES),
    Field("owner", "Owner", "Contact", "choice", CHOICE, "Who looks after the contact, or nobody.", options="owners"),
    Field("source", "Source", "Contact", "choice", CHOICE, "What first made the contact.", choices=SOURCES),
    Field("tags", "Tags", "Contact", "tags", SET, "A contact without tags includes none of any.", options="tags",
          plural=True),
    Field("created", "Created", "Contact", "date", MOMENT, "When the contact was made here. " + _UTC),
    Field("last_activity", "Last activity", "Contact", "date", (*MOMENT, *OR_NEVER),
          "The last note, edit by a person, or document in the books. One that never happened passes “never happened” "
          "and no other. " + _UTC),
    # Place
    _text("state", "State", "Place", "“Kansas” and “KS” are one. Unknown where none was typed; “is not” includes "
          "those.", ops=("one_of", "none_of", "known", "unknown")),
    _text("city", "City", "Place", _FOLDED + "Unknown where none was typed; “is not” includes those."),
    _text("postal_code", "Postal code", "Place", "Blanks and hyphens do not matter. Unknown where none was typed; “is "
          "not” includes those.", ops=("begins", "one_of", "none_of", "known", "unknown")),
    _text("country", "Country", "Place", "“USA” and “United States” are one. Unknown where none was typed; “is not” "
          "includes those.", ops=("one_of", "none_of", "known", "unknown")),
    Field("distance", "Distance", "Place", "place", ("within", "beyond", *OR_NOT),
          "As the crow flies, from the middle of the contact's postal code or city. Unknown where neither could be "
          "found; unknown is neither within nor farther than any distance."),
    # QuickBooks
    Field("link", "Link with QuickBooks", "QuickBooks", "choice", CHOICE,
          "Whether the contact is tied to a customer of the books.", choices=LINK_STATES),
    Field("held", "Held from automation", "QuickBooks", "yes_no", YES_NO,
          "An import made it, and no person has released it yet."),
    # Money
    Field("lifetime_sales", "Lifetime sales", "Money", "money", (*COMPARE, *OR_NOT),
          "Invoices less credit memos, with tax, over all time. " + _BOOKS + _PASSES_NOTHING),
    Field("sales", "Sales", "Money", "money", COMPARE,
          "The sum of invoices dated in the period. " + _SALES + _HOME + "Without any it is 0.", period=True),
    Field("largest_invoice", "Largest invoice", "Money", "money", (*COMPARE, *OR_NOT),
          "The largest single invoice dated in the period. " + _SALES + _HOME
          + "Unknown without any. " + _PASSES_NOTHING, period=True),
    Field("invoices", "Number of invoices", "Money", "number", COMPARE,
          "How many invoices are dated in the period, in any currency. " + _SALES + "Without any it is 0.",
          period=True, unit="invoices"),
    Field("balance", "Balance", "Money", "money", (*COMPARE, *OR_NOT),
          "What the customer owes with all its jobs. " + _BOOKS + _PASSES_NOTHING),
    Field("overdue", "Overdue amount", "Money", "money", COMPARE,
          "What is open of invoices whose due date is past (without one, their own date), counted today. " + _HOME
          + "Without any it is 0."),
    Field("days_overdue", "Days overdue", "Money", "days", (*COMPARE, *OR_NOT),
          "Days since the oldest overdue invoice was due. Unknown where nothing is overdue. " + _PASSES_NOTHING,
          unit="days"),
    Field("days_to_pay", "Average days to pay", "Money", "days", (*COMPARE, *OR_NOT),
          "From invoice to payment, weighted by amount, over invoices that are fully paid. Unknown where none is: who "
          "never paid is neither fast nor slow. " + _PASSES_NOTHING, unit="days"),
    Field("unused_credit", "Unused credit", "Money", "money", (*COMPARE, *OR_NOT),
          "Payments and credit memos that no invoice has used. " + _BOOKS + _PASSES_NOTHING),
    Field("margin", "Margin", "Money", "money", (*COMPARE, *OR_NOT),
          "Amounts of invoice lines in the period less what they cost us, without tax, only of lines whose cost is "
          "known. " + _HOME + "Unknown where the cost of none is known. " + _PASSES_NOTHING, period=True),
    Field("margin_percent", "Margin in percent", "Money", "percent", (*COMPARE, *OR_NOT),
          "Margin divided by the amounts of the same lines, only of lines whose cost is known. " + _HOME
          + "Unknown where the cost of none is known, or their amounts come to nothing. " + _PASSES_NOTHING,
          period=True, unit="%"),
    Field("rfm_recency", "RFM: recency", "Money", "number", FIFTHS,
          "How recently the contact bought, in fifths of all who ever bought; 5 is the most recent. Unknown where "
          "nothing was bought. " + _PASSES_NOTHING, unit="of 5"),
    Field("rfm_frequency", "RFM: frequency", "Money", "number", FIFTHS,
          "How often the contact bought, in fifths of all who ever bought; 5 is most often. Unknown where nothing was "
          "bought. " + _PASSES_NOTHING, unit="of 5"),
    Field("rfm_monetary", "RFM: money", "Money", "number", FIFTHS,
          "For how much the contact bought, in fifths of all who ever bought; 5 is most. Unknown where nothing was "
          "bought. " + _PASSES_NOTHING, unit="of 5"),
    # Behaviour
    Field("first_invoice", "First invoice", "Behaviour", "date", (*MOMENT, *OR_NEVER),
          "The earliest date of an invoice. " + _SALES + "Without any it never happened, and passes no other "
          "comparison."),
    Field("last_invoice", "Last invoice", "Behaviour", "date", (*MOMENT, *OR_NEVER),
          "The latest date of an invoice. " + _SALES + "Without any it never happened, and passes no other "
          "comparison."),
    Field("days_between", "Average days between jobs", "Behaviour", "days", (*COMPARE, *OR_NOT),
          "Days from the first invoice to the last, divided by one less than the number of days on which there was "
          "one. Unknown with fewer than two such days. " + _PASSES_NOTHING, unit="days"),
    Field("season", "Months they bought in", "Behaviour", "choice", SET,
          "The months of the year in which the contact has an invoice dated in the period. " + _SALES
          + "Without any they include no month.", period=True, choices=MONTHS, plural=True),
    Field("quotes_open", "Open quotes", "Behaviour", "number", COMPARE,
          "How many quotes are with the customer: sent or viewed, not expired, not answered, not invoiced. Without "
          "any it is 0.", unit="quotes"),
    Field("quotes_open_total", "Open quotes, total", "Behaviour", "money", COMPARE,
          "What the quotes that are with the customer come to, with tax. " + _HOME + "Without any it is 0."),
    Field("quote_sent", "Oldest open quote sent", "Behaviour", "date", (*MOMENT, *OR_NEVER),
          "When the oldest quote that is still with the customer was last sent. Quotes whose sending is not known are "
          "left out; without any it never happened, and passes no other comparison. " + _UTC),
    Field("quotes_won", "Quotes won", "Behaviour", "number", COMPARE,
          "Quotes dated in the period that were accepted or invoiced, in part or whole. Without any it is 0.",
          period=True, unit="quotes"),
    Field("quotes_lost", "Quotes lost", "Behaviour", "number", COMPARE,
          "Quotes dated in the period that were declined, or expired without an answer. Without any it is 0.",
          period=True, unit="quotes"),
    Field("share_won", "Share of quotes won", "Behaviour", "percent", (*COMPARE, *OR_NOT),
          "Quotes won divided by quotes won and lost, of those dated in the period. Unknown where none is decided. "
          + _PASSES_NOTHING, period=True, unit="%"),
    Field("bought", "Products bought", "Behaviour", "product", SET,
          "Products on the lines of invoices dated in the period. " + _SALES + "An optional line nobody took does not "
          "count.", period=True, options="products", plural=True),
    # Communication
    Field("has_phone", "Has a phone", "Communication", "yes_no", YES_NO, "Any phone number was typed."),
    Field("has_email", "Has an e-mail address", "Communication", "yes_no", YES_NO, "Any e-mail address was typed."),
    *(
        Field(f"consent_{channel}", f"Consent to {words}", "Communication", "choice", CHOICE,
              "As a person noted it. “Never asked” where nobody did.", choices=CONSENTS)
        for channel, words in (("email", "e-mail"), ("sms", "text messages"), ("call", "calls"))
    ),
    Field("last_note", "Last note", "Communication", "date", (*MOMENT, *OR_NEVER),
          "When the last note was written. One that never happened passes “never happened” and no other. " + _UTC),
)  # fmt: skip
FIELDS: Mapping[str, Field] = {field.key: field for field in _ALL}
