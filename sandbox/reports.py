"""Reports: GET /reports/AgedReceivables, what each customer owes by days past due on a day.

Computed from the documents: an invoice ages from its due date, an open credit or payment from its own date and lowers
what is owed; of the past only what was dated by then counts. Customers come by name, jobs as rows within their parent's
section, whose header holds what the parent owes itself. Shape as in Intuit's reference; see sandbox/README.md for what
is inferred. Called by ``sandbox.api``.
"""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

from sandbox import checking, exact, faults
from sandbox.store import Books
from sandbox.times import stamp, today

ZERO = Decimal(0)
TITLES = ("Current", "1 - 30", "31 - 60", "61 - 90", "91 and over")
Figures = dict[str, list[Decimal]]


def answer(books: Books, name: str, asked: dict[str, str], now: datetime) -> str:
    """The report as JSON text. Raises Fault for another report or options that are not imitated."""
    if name != "AgedReceivables":
        raise faults.unsupported(f"report {name}")
    for option, only in (("aging_period", "30"), ("num_periods", "4")):
        if asked.get(option, only) != only:
            raise faults.unsupported(f"{option}={asked[option]}")
    day = checking.day(asked.get("report_date") or today(now).isoformat(), "report_date")
    figures = _figures(books, day)
    rows = list(_rows(books, figures))
    option = [{"Name": "report_date", "Value": day.isoformat()},
              {"Name": "NoReportData", "Value": "false" if rows else "true"}]  # fmt: skip
    sums = [sum((amounts[n] for amounts in figures.values()), ZERO) for n in range(len(TITLES))]
    total = {"Summary": {"ColData": _cells({"value": "TOTAL"}, sums)}, "type": "Section", "group": "GrandTotal"}
    columns = [{"ColTitle": "", "ColType": "Customer"}]
    columns += [{"ColTitle": title, "ColType": "Money"} for title in (*TITLES, "Total")]
    header = {"Time": stamp(now), "ReportName": name, "DateMacro": "all", "Currency": "USD", "Option": option}
    return exact.dumps(
        {"Header": header, "Columns": {"Column": columns}, "Rows": {"Row": [*rows, total]} if rows else {}}
    )


def _figures(books: Books, day: date) -> Figures:
    """Customer id -> what is open in each span, for those with anything open."""
    figures: Figures = {}
    for kind, sign, document, open_ in _open(books, day):
        if open_:
            due = document.get("DueDate") if kind == "Invoice" else None
            late = (day - date.fromisoformat(due or document["TxnDate"])).days
            amounts = figures.setdefault(document["CustomerRef"]["value"], [ZERO] * len(TITLES))
            amounts[_span(late)] += sign * open_
    return {id: amounts for id, amounts in figures.items() if any(amounts)}


def _open(books: Books, day: date) -> Iterator[tuple[str, int, dict, Decimal]]:
    """(kind, sign, document, what was open of it then). A payment counts where both it and its document existed."""
    last = day.isoformat()
    documents = {
        (kind, body["Id"]): body
        for kind in ("Invoice", "CreditMemo")
        for body in books.all(kind)
        if body["TxnDate"] <= last
    }
    applied: dict[tuple[str, str], Decimal] = {}
    for payment in books.all("Payment"):
        if payment["TxnDate"] > last:
            continue
        rest = Decimal(payment["TotalAmt"])
        for line in payment["Line"]:
            link, amount = line["LinkedTxn"][0], Decimal(line["Amount"])
            key = (link["TxnType"], link["TxnId"])
            if key in documents:
                applied[key] = applied.get(key, ZERO) + amount
                rest += -amount if key[0] == "Invoice" else amount
        yield "Payment", -1, payment, rest
    for key, body in documents.items():
        sign = 1 if key[0] == "Invoice" else -1
        yield key[0], sign, body, Decimal(body["TotalAmt"]) - Decimal(body.get("Deposit", 0)) - applied.get(key, ZERO)


def _span(late: int) -> int:
    return 0 if late <= 0 else min((late + 29) // 30, len(TITLES) - 1)


def _rows(books: Books, figures: Figures) -> Iterator[dict]:
    """Rows of customers by name, sections where jobs owe something."""
    people = {}
    for id in figures:
        while id and id not in people:
            people[id] = books.get("Customer", id) or {"Id": id, "DisplayName": ""}
            id = (people[id].get("ParentRef") or {}).get("value")
    below: dict[str | None, list[dict]] = {}
    for person in people.values():
        below.setdefault((person.get("ParentRef") or {}).get("value"), []).append(person)

    def listed(parent: str | None) -> Iterator[dict]:
        for person in sorted(below.get(parent, []), key=lambda one: (one["DisplayName"].casefold(), int(one["Id"]))):
            cells = _cells({"value": person["DisplayName"], "id": person["Id"]}, figures.get(person["Id"]))
            inner = list(listed(person["Id"]))
            if not inner:
                yield {"ColData": cells}
                continue
            sums = [sum((figures[id][n] for id in _family(below, person) if id in figures), ZERO)
                    for n in range(len(TITLES))]  # fmt: skip
            summary = {"ColData": _cells({"value": f"Total {person['DisplayName']}"}, sums)}
            yield {"Header": {"ColData": cells}, "Rows": {"Row": inner}, "Summary": summary, "type": "Section"}

    yield from listed(None)


def _family(below: dict[str | None, list[dict]], person: dict) -> Iterator[str]:
    yield person["Id"]
    for child in below.get(person["Id"], []):
        yield from _family(below, child)


def _cells(first: dict, amounts: list[Decimal] | None) -> list[dict]:
    amounts = amounts or [ZERO] * len(TITLES)
    return [
        first,
        *({"value": f"{amount:.2f}" if amount else ""} for amount in amounts),
        {"value": f"{sum(amounts):.2f}"},
    ]
