"""What the folder asks of a paper before it is written, and what it fills in itself. Raises `errors.Says`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm.providers.accounting.ledgerfile.errors import Says
from crm.providers.accounting.ledgerfile.ledger import LONGEST_LABEL, OWNER, Ledger, Paper
from crm.providers.accounting.ledgerfile.sales import summed

#: Kinds with rows, and what their numbers begin with.
ROWS = {"estimate": "Q-", "invoice": "L-", "credit_memo": "C-"}


def completed(ledger: Ledger, kind: str, paper: Paper) -> Paper:
    """With what the folder adds: ids of rows, the sum, and a number where none was given."""
    if kind not in ROWS or not paper.get("rows"):
        return paper
    used = {str(row.get("id")) for row in paper["rows"]}
    free = (f"r{number}" for number in range(1, 10_000) if f"r{number}" not in used)
    rows = [row if row.get("id") else {**row, "id": next(free)} for row in paper["rows"]]
    return summed({**paper, "rows": rows, "no": paper.get("no") or _next_number(ledger, kind)})


def check(ledger: Ledger, kind: str, remote_id: str, paper: Mapping[str, Any]) -> None:
    if kind == "customer":
        ledger.check_customer(remote_id, paper)
    elif kind == "item":
        _check_label(ledger, remote_id, paper)
    else:
        _check_document(ledger, kind, remote_id, paper)


def _check_label(ledger: Ledger, remote_id: str, paper: Mapping[str, Any]) -> None:
    label = str(paper.get("label") or "")
    if not label.strip() or len(label) > LONGEST_LABEL:
        raise Says("bad-value", f"A label has 1 to {LONGEST_LABEL} characters.", remote_id)
    holder = next((one for one in ledger.bearers([label], kind="item", names=("label",)) if one != remote_id), None)
    if holder:
        raise Says("name-taken", f"{holder} bears it.", holder)


def _check_document(ledger: Ledger, kind: str, remote_id: str, paper: Mapping[str, Any]) -> None:
    owner = str(paper.get(OWNER.get(kind, "for")) or "")
    if ledger.raw("customer", owner) is None:
        raise Says("no-customer", about=owner)
    number = str(paper.get("no") or "")
    if kind == "invoice" and any(one != remote_id for one in ledger.bearers([number], kind=kind, names=("no",))):
        raise Says("number-taken", f"{number} is.", remote_id)
    for share in paper.get("shares") or ():
        to = str(share.get("to"))
        if ledger.raw("invoice", to) is None and ledger.raw("credit_memo", to) is None:
            raise Says("not-here", about=to)


def _next_number(ledger: Ledger, kind: str) -> str:
    beginning = ROWS[kind]
    numbers = [str((ledger.raw(kind, one) or {}).get("no") or "") for one in ledger.ids(kind)]
    given = [number.removeprefix(beginning) for number in numbers if number.startswith(beginning)]
    return f"{beginning}{max((int(number) for number in given if number.isdecimal()), default=0) + 1}"
