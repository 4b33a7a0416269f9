"""The last step of a proof: whatever differs is read once more before it is called different.

What people see here is held against what was read in this step as well (`queries/proof_shown`), in one look per kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select

from crm.db import db, end_reading
from crm.domain import proof as compare
from crm.domain.proof import MONEY_KINDS, ZERO, Difference
from crm.domain.proof_shown import is_own
from crm.models import ProofLine
from crm.providers.accounting.base import Page
from crm.queries import proof_shown as shown
from crm.queries import proof_sides as ours
from crm.queries.sync_settings import of_connection
from crm.services.sync.inbox.reading_again import read_again
from crm.services.sync.proof import causes as proof_causes
from crm.services.sync.proof.steps import account, aged, facts, paper, refused
from crm.services.sync.proof.work import MOST, Hold, Reading, Wait, replace_lines

FETCH = 200
SETTLING = timedelta(seconds=20)
"""How long a change that was made while the proof ran is given to come in."""
ROUNDS = 3
SLACK = timedelta(minutes=1)
"""Their times have whole seconds, and their clock is not ours."""


def confirm(hold: Hold, reading: Reading) -> Wait:
    """Read once more what differs, since both sides moved on. What the books changed while the proof ran is asked for
    and given some moments to come in; what differs then is said to."""
    with hold.page() as proof:
        lines = list(db.session.scalars(select(ProofLine).where(ProofLine.proof_id == proof.id)))
        began, rounds = proof.as_of, int(proof.cursor or 0)
        counts = dict(proof.progress["counts"])
    suspects: dict[str, list[str]] = {}
    for line in lines:
        if line.remote_id and line.kind != "aging" and not is_own(line.kind):
            suspects.setdefault(line.kind, []).append(line.remote_id)
    found, sums = _looked_again(hold, reading, suspects)
    for kind in [kind for kind, (here, there) in counts.items() if here != there]:
        there = reading.count(kind)
        counts[kind] = [ours.count(hold.books.id, kind), there]
    again = aged(hold, reading) if any(line.kind == "aging" for line in lines) else None
    if again:
        found += again[0]
    found += facts(hold)
    found += shown.differing(hold.books.id, limit=MOST)
    own = {kind: [str(amount) for amount in pair] for kind, pair in shown.sums(hold.books.id).items()}
    moving = _moving(hold, found, began - SLACK) if began else set()
    end_reading()
    with hold.page() as proof:
        if (moving and rounds < ROUNDS) or (_unexplained(found) and not rounds):
            proof.cursor = str(rounds + 1)
            read_again(proof.connection_id, moving, asked_by=f"proof {proof.id}", now=hold.clock())
            return SETTLING
        replace_lines(proof, proof_causes.explained(hold.books, found, now=hold.clock()), kinds=None)
        left_out = max(len(found) - MOST, 0)
        progress = {**proof.progress, "counts": counts, "sums": sums, "own": own, "left_out": left_out}
        proof.progress = progress | ({"aging": again[1]} if again else {})
    reading.note(len(lines), len(lines))
    return None


def _moving(hold: Hold, found: Sequence[Difference], since: datetime) -> set[tuple[str, str]]:
    """What the books changed while the proof ran, of kinds that come in: what is paused is not worth waiting for."""
    kept = of_connection(db.session(), hold.books.id)
    return {(one.kind, one.remote_id) for one in found
            if one.there_at and one.there_at >= since and one.kind in kept and kept[one.kind].allows_in}  # fmt: skip


def _unexplained(found: Sequence[Difference]) -> bool:
    """Whether a sum differs that no document explains: it may have been changed between two questions of ours."""
    documents = {one.customer_id for one in found if one.kind in MONEY_KINDS}
    return any(one.figure == "facts" or (one.kind == "aging" and one.customer_id not in documents) for one in found)


def _looked_again(
    hold: Hold, reading: Reading, suspects: dict[str, list[str]]
) -> tuple[list[Difference], dict[str, list[str]]]:
    """What differs by now of these, and per figure what they come to, ours and theirs (to add to what agreed)."""
    found: list[Difference] = []
    sums: dict[str, list[Decimal]] = {}
    for kind, ids in suspects.items():
        for some in _chunks(sorted(set(ids))):
            page = reading.fetch(kind, some)
            if kind == "customer":
                found += _again_accounts(hold, some, page, sums)
            else:
                found += _again_papers(hold, kind, some, page, sums)
            end_reading()
            with hold.page():
                pass  # the hold is renewed
    return found, {name: [str(amount) for amount in pair] for name, pair in sums.items()}


def _again_accounts(
    hold: Hold, ids: Sequence[str], page: Page, sums: dict[str, list[Decimal]]
) -> list[Difference]:
    theirs = {one.remote_id: one for record in page.records if (one := account(record))}
    here, computed = ours.accounts(hold.books.id, ids), ours.open_by_customer(hold.books.id, ids)
    found: list[Difference] = []
    odd = refused(page)
    for id_ in ids:
        mine, there = here.get(id_), theirs.get(id_)
        if id_ in odd:
            found.append(compare.unreadable("customer", id_, mine))
            continue
        found += compare.account_differences(mine, there, computed.get(id_, ZERO))
        told = there or mine
        if told is not None and not (there and there.balance is None):
            name = f"balance:{told.currency or hold.books.currency}"
            _add(sums, name, computed.get(id_, ZERO) if mine else ZERO, there.balance if there else ZERO)
    return found


def _again_papers(
    hold: Hold, kind: str, ids: Sequence[str], page: Page, sums: dict[str, list[Decimal]]
) -> list[Difference]:
    theirs = {one.remote_id: one for one in map(paper, page.records)}
    here = ours.papers(hold.books.id, kind, ids)
    found: list[Difference] = []
    odd = refused(page)
    for id_ in ids:
        mine, there = here.get(id_), theirs.get(id_)
        if id_ in odd:
            found.append(compare.unreadable(kind, id_, mine))
            continue
        found += compare.paper_differences(mine, there)
        _add(sums, f"total:{kind}", mine.total if mine else ZERO, there.total if there else ZERO)
    return found


def _add(sums: dict[str, list[Decimal]], name: str, mine: Decimal, there: Decimal | None) -> None:
    pair = sums.setdefault(name, [ZERO, ZERO])
    pair[0], pair[1] = pair[0] + mine, pair[1] + (there or ZERO)


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), FETCH):
        yield ids[start : start + FETCH]
