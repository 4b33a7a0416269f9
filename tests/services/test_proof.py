"""The proof: equal to the cent after an import, and exactly what differs when something was changed behind our back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from sqlalchemy import select, update

from crm import clock
from crm.db import db, transaction
from crm.domain import errors
from crm.models import (
    Connection,
    Customer,
    Document,
    InboxEvent,
    MoneyFacts,
    Notice,
    Payment,
    Proof,
    ProofLine,
    SyncRun,
)
from crm.services import connections
from crm.services.audit import SYSTEM, Actor
from crm.services.sync import settings
from crm.services.sync.inbox import intake
from crm.services.sync.proof import mending as proof_mending
from crm.services.sync.proof import proof
from sandbox import Served, serving
from tests.flows.imports import everything, opened, run_import
from tests.images import after_import
from tests.quickbooks import connect, quickbooks  # noqa: F401


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with serving(size=40, companies=1) as served:
        yield served


@pytest.fixture
def connection(quickbooks: Served) -> Connection:  # noqa: F811
    row = connect(quickbooks, country="US", currency="USD", time_zone="America/Chicago")
    after_import(row.id, quickbooks)
    return row


def begin(connection_id: int, **how: Any) -> int:
    with transaction():
        return proof.start(connection_id, trigger="person", actor=SYSTEM, now=clock.now(), **how).id


def prove(connection_id: int, **how: Any) -> Proof:
    """A whole proof in this process, waits included; as it is stored."""
    proof_id = begin(connection_id, **{name: how.pop(name) for name in ("thorough",) if name in how})
    later = timedelta(0)
    while (made := stored(proof_id)).state in ("queued", "running"):
        proof.run(proof_id, clock=lambda shift=later: clock.now() + shift, jitter=lambda: 0.0, **how)
        later += timedelta(minutes=1)
    return made


def stored(proof_id: int) -> Proof:
    db.session.remove()
    return db.session.get_one(Proof, proof_id)


def lines(made: Proof) -> dict[tuple[str, str, str], ProofLine]:
    found = db.session.scalars(select(ProofLine).where(ProofLine.proof_id == made.id))
    return {(line.kind, line.remote_id, line.figure): line for line in found}


def there(served: Served, entity: str, body: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A sparse update in the books, as nobody here was told."""
    sent = {"Id": body["Id"], "SyncToken": body["SyncToken"], "sparse": True, **fields}
    return _post(served, entity.lower(), sent)[entity]


def _post(served: Served, path: str, sent: dict[str, Any], **params: str) -> dict[str, Any]:
    answer = requests.post(
        f"{served.url}/v3/company/{served.realm}/{path}", json=sent, params=params, timeout=10,
        headers={"Authorization": f"Bearer {served.connect().access}", "Accept": "application/json"},
    )  # fmt: skip
    answer.raise_for_status()
    return answer.json()


def unpaid(served: Served) -> dict[str, Any]:
    return next(
        body
        for body in everything(served, "Invoice")
        if body["Balance"] == body["TotalAmt"] > 100
        and [line["DetailType"] for line in body["Line"]].count("SalesItemLineDetail") == 1
    )


def dearer(served: Served, body: dict[str, Any]) -> dict[str, Any]:
    """The invoice with one more line of 7.25."""
    line = {"DetailType": "SalesItemLineDetail", "Amount": 7.25, "Description": "Added there",
            "SalesItemLineDetail": {"ItemRef": _item(body), "Qty": 1, "UnitPrice": 7.25,
                                    "TaxCodeRef": {"value": "NON"}}}  # fmt: skip
    lines_ = [one for one in body["Line"] if one["DetailType"] != "SubTotalLineDetail"]
    plain = requests.get(
        f"{served.url}/v3/company/{served.realm}/invoice/{body['Id']}", timeout=10,
        headers={"Authorization": f"Bearer {served.connect().access}", "Accept": "application/json"},
    ).json()["Invoice"]  # fmt: skip
    lines_ = [one for one in plain["Line"] if one["DetailType"] != "SubTotalLineDetail"]
    return there(served, "Invoice", plain, Line=[*lines_, line])


def _item(body: dict[str, Any]) -> dict[str, Any]:
    return next(line["SalesItemLineDetail"]["ItemRef"] for line in body["Line"] if "SalesItemLineDetail" in line)


def test_after_an_import_both_sides_are_equal_to_the_cent(connection: Connection, sandbox: Served) -> None:
    made = prove(connection.id, thorough=True)
    assert (made.state, made.error, lines(made)) == ("equal", "", {})
    figures = {(line["name"], line.get("currency", "")): line for line in made.figures}
    customers = everything(sandbox, "Customer")
    balance = sum((Decimal(str(body["Balance"])) for body in customers), Decimal(0))
    assert Decimal(figures["balance", "USD"]["ours"]) == Decimal(figures["balance", "USD"]["theirs"]) == balance != 0
    assert figures["count:customer", ""]["theirs"] == str(len(customers))
    invoiced = sum((Decimal(str(body["TotalAmt"])) for body in everything(sandbox, "Invoice")), Decimal(0))
    assert Decimal(figures["total:invoice", "USD"]["ours"]) == invoiced > 0
    aged = [Decimal(line["theirs"]) for (name, _), line in figures.items() if name.startswith("aging:")]
    assert sum(aged) == balance
    assert len(aged) == 5


def test_without_differences_no_document_is_read(connection: Connection, sandbox: Served) -> None:
    made = prove(connection.id)
    assert made.state == "equal"
    assert made.progress["calls"] == 5 + 1 + 1  # counts of five kinds, one page of customers, one report
    assert not [line for line in made.figures if line["name"].startswith("total:")]


def test_an_invoice_changed_there_is_listed_alone_and_with_its_amounts(connection: Connection, sandbox: Served) -> None:
    body = unpaid(sandbox)
    changed = dearer(sandbox, body)
    made = prove(connection.id)
    found = lines(made)
    assert made.state == "different"
    documents = {key: line for key, line in found.items() if key[0] in ("invoice", "payment", "credit_memo")}
    assert set(documents) == {("invoice", body["Id"], "total"), ("invoice", body["Id"], "open")}
    line = documents["invoice", body["Id"], "total"]
    assert (line.ours, line.theirs) == (Decimal(str(body["TotalAmt"])), Decimal(str(changed["TotalAmt"])))
    assert line.theirs - line.ours == Decimal("7.25")
    assert (line.remedy, line.name) == ("read_again", body["DocNumber"])
    assert f"Invoice {body['DocNumber']} was changed in QuickBooks at " in line.cause
    customer = body["CustomerRef"]["value"]
    assert ("customer", customer, "balance") in found
    assert "one document that differs" in found["customer", customer, "balance"].cause
    assert {key[1] for key in found if key[0] == "aging"} == {customer}
    figures = {line["name"]: line for line in made.figures}
    for name in ("balance", "total:invoice"):
        assert Decimal(figures[name]["theirs"]) - Decimal(figures[name]["ours"]) == Decimal("7.25")
    assert figures["total:payment"]["equal"] and figures["count:invoice"]["equal"]
    notice = db.session.scalars(select(Notice).where(Notice.topic == "proof_different")).one()
    assert notice.settled_at is None


def test_reading_it_again_mends_it_and_the_next_proof_settles_the_notice(
    connection: Connection, sandbox: Served
) -> None:
    body = unpaid(sandbox)
    dearer(sandbox, body)
    made = prove(connection.id)
    with transaction() as session:
        session.execute(InboxEvent.__table__.delete())
        number = proof_mending.mend(made.id, actor=Actor("bo@example.com"), now=clock.now())
    events = {(e.kind, e.remote_id, e.source, e.state) for e in db.session.scalars(select(InboxEvent))}
    customer = body["CustomerRef"]["value"]
    assert ("invoice", body["Id"], "person", "pending") in events
    assert ("customer", customer, "person", "pending") in events
    assert number == len(events)
    assert all(line.mended_at for line in lines(made).values() if line.remedy == "read_again")

    intake.take_in(connection.id, clock=clock.now)
    assert prove(connection.id).state == "equal"
    assert db.session.scalars(select(Notice).where(Notice.topic == "proof_different")).one().settled_at is not None


def test_the_button_of_one_customer_reads_it_with_its_documents(connection: Connection, sandbox: Served) -> None:
    body = unpaid(sandbox)
    dearer(sandbox, body)
    made = prove(connection.id)
    customer = body["CustomerRef"]["value"]
    line = lines(made)["customer", customer, "balance"]
    with transaction() as session:
        session.execute(InboxEvent.__table__.delete())
        proof_mending.mend(made.id, line_id=line.id, actor=SYSTEM, now=clock.now())
    events = {(event.kind, event.remote_id) for event in db.session.scalars(select(InboxEvent))}
    assert events == {("customer", customer), ("invoice", body["Id"])}


def test_where_reading_is_switched_off_the_settings_are_the_cause(connection: Connection, sandbox: Served) -> None:
    body = unpaid(sandbox)
    dearer(sandbox, body)
    with transaction() as session:
        settings.pause(session, connection.id, "invoice", actor=SYSTEM, now=clock.now())
        settings.pause(session, connection.id, "estimate", actor=SYSTEM, now=clock.now())
    made = prove(connection.id)
    line = lines(made)["invoice", body["Id"], "total"]
    assert (line.remedy, "Reading invoices is paused" in line.cause) == ("settings", True)
    sums = [one for key, one in lines(made).items() if key[0] == "aging" or key[2] == "balance"]
    assert {one.kind for one in sums} == {"customer", "aging"}
    assert {one.remedy for one in sums} == {"settings"}, "reading the customer again mends nothing of it"
    assert "count:estimate" not in {one["name"] for one in made.figures}


def test_a_proof_during_a_pause_says_so_and_waits_for_nothing_that_cannot_come(
    connection: Connection, sandbox: Served
) -> None:
    with transaction() as session:
        settings.pause(session, connection.id, "*", actor=SYSTEM, now=clock.now())
    proof_id = begin(connection.id)
    body = unpaid(sandbox)
    dearer(sandbox, body)
    proof.run(proof_id, clock=clock.now, jitter=lambda: 0.0)
    proof.run(proof_id, clock=lambda: clock.now() + timedelta(minutes=1), jitter=lambda: 0.0)
    made = stored(proof_id)
    assert made.state == "different", "at most one look more, for sums that moved between two questions of ours"
    assert made.progress["paused_since"].startswith(str(clock.now().year))
    assert lines(made)["invoice", body["Id"], "total"].remedy == "settings"
    assert list(db.session.scalars(select(Notice).where(Notice.topic == "proof_different"))) == []
    with transaction() as session:
        settings.resume(session, connection.id, "*", actor=SYSTEM, now=clock.now())
    again = prove(connection.id)
    assert "paused_since" not in again.progress


def test_the_nightly_proof_waits_for_the_end_of_a_pause(connection: Connection) -> None:
    with transaction() as session:
        settings.pause(session, connection.id, "*", actor=SYSTEM, now=clock.now())
    night = clock.now() + timedelta(days=1)
    with transaction():
        assert proof.start_due(now=night) == []
    with transaction() as session:
        settings.resume(session, connection.id, "*", actor=SYSTEM, now=clock.now())
    with transaction():
        assert len(proof.start_due(now=night)) == 1


def test_what_cannot_be_read_is_neither_equal_nor_gone(connection: Connection, sandbox: Served) -> None:
    body = unpaid(sandbox)
    with sandbox.store.writing(sandbox.realm) as books:
        stored_ = books.get("Invoice", body["Id"])
        books.put("Invoice", {**stored_, "MetaData": {**stored_["MetaData"], "CreateTime": "yesterday"}})
    assert prove(connection.id).state == "equal"  # no sum differs, so no document was looked at
    made = prove(connection.id, thorough=True)
    ((key, line),) = lines(made).items()
    assert key == ("invoice", body["Id"], "unreadable")
    assert (line.ours, line.theirs, line.remedy) == (body["TotalAmt"], None, "")
    assert "cannot be read" in line.cause


def test_what_is_only_on_one_side_is_said_to_be(connection: Connection, sandbox: Served) -> None:
    gone = unpaid(sandbox)
    _post(sandbox, "invoice", {"Id": gone["Id"], "SyncToken": gone["SyncToken"]}, operation="delete")
    with transaction() as session:
        hidden = session.scalars(select(Payment).where(Payment.unapplied == 0).order_by(Payment.id)).first()
        session.delete(hidden)
    made = prove(connection.id)
    found = lines(made)
    assert ("invoice", gone["Id"], "missing_there") in found
    assert "no longer in QuickBooks" in found["invoice", gone["Id"], "missing_there"].cause
    line = found["payment", hidden.remote_id, "missing_here"]
    assert (line.ours, line.theirs) == (None, hidden.total)
    assert "has not been read yet" in line.cause
    figures = {line["name"]: line for line in made.figures}
    assert (int(figures["count:invoice"]["ours"]) - int(figures["count:invoice"]["theirs"])) == 1
    assert (int(figures["count:payment"]["theirs"]) - int(figures["count:payment"]["ours"])) == 1


def test_a_cent_of_ours_that_went_wrong_is_found_without_any_change_there(connection: Connection) -> None:
    with transaction() as session:
        open_ = select(Document).where(Document.kind == "invoice", Document.balance > 0).order_by(Document.id)
        invoice = session.scalars(open_).first()
        invoice.balance += Decimal("0.01")
    made = prove(connection.id)
    line = lines(made)["invoice", invoice.remote_id, "open"]
    assert line.ours - line.theirs == Decimal("0.01")
    assert "nothing changed since it was read" in line.cause


def test_a_figure_shown_at_a_contact_that_its_invoices_do_not_say_is_found(connection: Connection) -> None:
    with transaction() as session:
        facts = session.scalars(select(MoneyFacts).order_by(MoneyFacts.contact_id)).first()
        facts.aging_current += 1
    made = prove(connection.id)
    ((key, line),) = lines(made).items()
    assert (key[2], line.contact_id, line.ours - line.theirs) == ("facts", facts.contact_id, 1)


def test_a_balance_as_last_read_is_told_from_what_documents_come_to(connection: Connection) -> None:
    with transaction() as session:
        customer = session.scalars(select(Customer).where(Customer.balance > 0).order_by(Customer.id)).first()
        customer.balance += 5
    made = prove(connection.id)
    assert set(lines(made)) == {("customer", customer.remote_id, "balance_read")}


def test_a_change_that_comes_in_while_the_proof_runs_is_no_difference(connection: Connection, sandbox: Served) -> None:
    """It is made after the counting, seen by the balances, and taken in before the second look."""
    body = unpaid(sandbox)
    proof_id = begin(connection.id)

    class Moving:
        """The books, in which somebody works meanwhile; and our inbox, which follows."""

        def __init__(self, books: Any) -> None:
            self._books, self.spec, self.changed = books, books.spec, False

        def __getattr__(self, name: str) -> Any:
            if name == "scan" and not self.changed:
                self.changed = True
                dearer(sandbox, body)
            return getattr(self._books, name)

    with connections.books(connection.id, clock=clock.now) as books:
        proof.run(proof_id, clock=clock.now, open_books=opened(Moving(books)))
    waiting = stored(proof_id)
    assert (waiting.state, waiting.step) == ("running", "confirm")
    assert waiting.available_at > clock.now()
    asked = db.session.scalars(select(InboxEvent.remote_id).where(InboxEvent.kind == "invoice")).all()
    assert asked == [body["Id"]]
    intake.take_in(connection.id, clock=clock.now)
    proof.run(proof_id, clock=lambda: clock.now() + timedelta(minutes=1))
    assert stored(proof_id).state == "equal"
    figures = {line["name"]: line for line in stored(proof_id).figures}
    balance = sum((Decimal(str(one["Balance"])) for one in everything(sandbox, "Customer")), Decimal(0))
    assert Decimal(figures["balance"]["theirs"]) == balance


def test_a_worker_that_dies_leaves_a_proof_that_goes_on_at_its_step(connection: Connection) -> None:
    proof_id = begin(connection.id)
    asked: list[str] = []

    class Dying:
        def __init__(self, books: Any, dies_at: str) -> None:
            self._books, self.spec, self._at = books, books.spec, dies_at

        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            if name == self._at:
                raise KeyboardInterrupt
            return getattr(self._books, name)

    with connections.books(connection.id, clock=clock.now) as books:
        with pytest.raises(KeyboardInterrupt):
            proof.run(proof_id, clock=clock.now, open_books=opened(Dying(books, "receivables")))
        dead = stored(proof_id)
        assert (dead.state, dead.step) == ("running", "aging")
        asked.clear()
        proof.run(proof_id, clock=clock.now, open_books=opened(Dying(books, "")))
        assert (stored(proof_id).state, asked) == ("running", [])  # its hold has not lapsed
        with transaction():
            assert proof.ring_due(now=clock.now()) == []
            assert proof.ring_due(now=clock.now() + timedelta(minutes=4)) == [proof_id]
        proof.run(proof_id, clock=lambda: clock.now() + timedelta(minutes=4), open_books=opened(Dying(books, "")))
    assert stored(proof_id).state == "equal"
    assert asked == ["receivables"]


def test_a_worker_that_lost_its_hold_settles_nothing(connection: Connection) -> None:
    proof_id = begin(connection.id)

    class Overtaken:
        def __init__(self, books: Any) -> None:
            self._books, self.spec = books, books.spec

        def __getattr__(self, name: str) -> Any:
            if name == "receivables":
                with transaction() as session:
                    session.execute(update(Proof).values(attempts=Proof.attempts + 1))
            return getattr(self._books, name)

    with connections.books(connection.id, clock=clock.now) as books:
        proof.run(proof_id, clock=clock.now, open_books=opened(Overtaken(books)))
    assert (stored(proof_id).state, stored(proof_id).step) == ("running", "aging")


def test_nothing_is_ever_written_to_the_books(connection: Connection, sandbox: Served) -> None:
    dearer(sandbox, unpaid(sandbox))
    before = everything(sandbox, "Invoice"), everything(sandbox, "Customer")

    class ReadOnly:
        def __init__(self, books: Any) -> None:
            self._books, self.spec = books, books.spec

        def __getattr__(self, name: str) -> Any:
            assert name in ("count", "scan", "fetch", "receivables"), name
            return getattr(self._books, name)

    with connections.books(connection.id, clock=clock.now) as books:
        assert prove(connection.id, thorough=True, open_books=opened(ReadOnly(books))).state == "different"
    assert (everything(sandbox, "Invoice"), everything(sandbox, "Customer")) == before


def test_an_outage_is_waited_for_and_a_lost_grant_ends_the_proof(connection: Connection, sandbox: Served) -> None:
    proof_id = begin(connection.id)

    class Down:
        spec = None

        def __getattr__(self, name: str) -> Any:
            raise errors.Unavailable("QuickBooks is down.")

    class Lost(Down):
        def __getattr__(self, name: str) -> Any:
            raise errors.NeedsReconnect("Connect again.")

    with connections.books(connection.id, clock=clock.now) as books:
        Down.spec = books.spec
    proof.run(proof_id, clock=clock.now, open_books=opened(Down()), jitter=lambda: 1.0)
    waiting = stored(proof_id)
    assert (waiting.state, waiting.failures, waiting.error) == ("running", 1, "QuickBooks is down.")
    assert timedelta(seconds=5) < waiting.available_at - clock.now() < timedelta(seconds=20)
    proof.run(proof_id, clock=lambda: clock.now() + timedelta(minutes=1), open_books=opened(Lost()))
    assert (stored(proof_id).state, stored(proof_id).error) == ("failed", "Connect again.")


def test_a_proof_is_refused_before_an_import_and_during_one_and_asked_for_once(
    quickbooks: Served,  # noqa: F811
) -> None:
    row = connect(quickbooks, country="US", currency="USD")
    with pytest.raises(errors.Refused, match="Import customers"):
        begin(row.id)
    assert run_import(row.id).state == "done"
    with transaction() as session:
        session.add(SyncRun(connection_id=row.id, trigger="person", state="queued", created_at=clock.now()))
    with pytest.raises(errors.Refused, match="import is under way"):
        begin(row.id)
    with transaction() as session:
        session.execute(update(SyncRun).values(state="done"))
    assert begin(row.id) == begin(row.id)
    with pytest.raises(errors.NotFound):
        begin(row.id + 1)


def nightly(now: datetime) -> list[int]:
    with transaction():
        return proof.start_due(now=now)


def test_each_night_at_three_in_the_companys_zone_once_and_after_an_import(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction() as session:
        session.execute(update(Proof).values(state="equal"))
    three = datetime(2027, 1, 5, 9, 0, tzinfo=UTC)  # 3:00 in Chicago
    (first,) = nightly(three)
    with transaction() as session:
        session.execute(update(Proof).values(state="equal"))
    assert nightly(three + timedelta(hours=23, minutes=59)) == []
    with transaction() as session:
        session.add(SyncRun(connection_id=connection.id, trigger="person", state="running", created_at=clock.now()))
    assert nightly(three + timedelta(days=1)) == []
    with transaction() as session:
        session.execute(update(SyncRun).values(state="done"))
    (second,) = nightly(three + timedelta(days=1, minutes=10))
    assert second != first
    made: Callable[[int], Proof] = stored
    assert (made(second).trigger, made(second).state) == ("schedule", "queued")
