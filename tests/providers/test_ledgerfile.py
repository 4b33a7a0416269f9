"""What is the folder's own: writes that survive a crash at any point, and its own words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from crm.domain import errors
from crm.domain.records import CustomerRecord, Origin, PhoneField
from crm.providers.accounting import registry
from crm.providers.accounting.base import Accounting, Draft
from crm.providers.accounting.ledgerfile import desk, webhooks
from tests.providers.ledger_world import COMPANY, NAMES, LedgerWorld

BODY, WEBHOOKS = registry.body("ledgerfile"), registry.webhooks("ledgerfile")
NEW = CustomerRecord(Origin(""), "Tycho B.", given_name="Tycho", phones=(PhoneField("mobile", "+45 1"),))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LedgerWorld:
    return LedgerWorld(tmp_path, monkeypatch)


def creating(record: CustomerRecord = NEW, item: str = "e1") -> Draft:
    return Draft(item, "customer", "create", BODY("customer", "create", record))


def changing(current: CustomerRecord, record: CustomerRecord, *fields: str) -> Draft:
    return Draft("u", "customer", "update", BODY("customer", "update", record, fields=fields, current=current))


def customer(books: Accounting, name: str) -> CustomerRecord:
    (found,) = books.find("customer", [name]).records
    assert isinstance(found, CustomerRecord)
    return found


@pytest.mark.parametrize("place", ["begun.json", "customers", "answers"])
def test_a_disk_that_fails_at_any_write_of_a_push_makes_nothing_twice(world: LedgerWorld, place: str) -> None:
    books = world.granted()
    world.crash(lambda path: place in str(path))
    with pytest.raises(errors.OutcomeUnknown):
        books.push([creating()], key="k1")
    (told,) = books.push([creating()], key="k1")
    assert told.record is not None
    assert [record.origin.remote_id for record in books.find("customer", ["tycho b."]).records] == [
        told.record.origin.remote_id
    ]
    assert len(world.ids("customer")) == len(NAMES) + 1


def test_what_one_writer_began_the_next_one_ends(world: LedgerWorld) -> None:
    books = world.granted()
    world.crash(lambda path: "customers" in str(path))
    with pytest.raises(errors.OutcomeUnknown):
        books.push([creating()], key="k1")
    books.push([creating(replace(NEW, display_name="Other"))], key="k2")
    assert customer(books, "Tycho B.").given_name == "Tycho"


def test_the_same_key_twice_does_nothing_twice_and_answers_the_same(world: LedgerWorld) -> None:
    books = world.granted()
    drafts = [creating(), creating(replace(NEW, display_name="Kepler"), "e2")]
    first, again = books.push(drafts, key="k"), books.push(drafts[:1], key="k")
    assert again[0].record == first[0].record
    assert len(world.ids("customer")) == len(NAMES) + 2


def test_each_draft_succeeds_or_fails_on_its_own(world: LedgerWorld) -> None:
    books = world.granted()
    taken = creating(replace(NEW, display_name=NAMES[4].upper()), "taken")
    orphan = creating(replace(NEW, display_name="Child", parent_id="cus_nobody0"), "orphan")
    told = {one.item: one for one in books.push([taken, creating(), orphan], key="k")}
    assert isinstance(told["taken"].error, errors.DuplicateName)
    assert told["taken"].error.remote_id == customer(books, NAMES[4]).origin.remote_id
    assert isinstance(told["orphan"].error, errors.MissingReference)
    assert told["e1"].record is not None


def test_an_update_touches_only_the_fields_it_names(world: LedgerWorld) -> None:
    books = world.granted()
    before = customer(books, NAMES[1])
    wanted = replace(before, company_name="Not sent", phones=(PhoneField("primary", "+44 1"),))
    (told,) = books.push([changing(before, wanted, "phone")], key="k")
    assert told.record == replace(
        before,
        origin=told.record.origin,  # type: ignore[union-attr]
        phones=(PhoneField("primary", "+44 1"), before.phones[1]),
    )


def test_an_old_version_is_stale_and_a_missing_one_gone(world: LedgerWorld) -> None:
    books = world.granted()
    before = customer(books, NAMES[1])
    draft = changing(before, replace(before, website="x.example"), "website")
    desk.change(world.ledger, "customer", before.origin.remote_id, remarks="by hand")
    assert isinstance(books.push([draft], key="k")[0].error, errors.Stale)
    desk.remove(world.ledger, "customer", before.origin.remote_id)
    assert isinstance(books.push([draft], key="k2")[0].error, errors.Gone)


def test_a_customer_with_documents_is_archived_and_not_deleted(world: LedgerWorld) -> None:
    books = world.granted()
    busy, idle = customer(books, NAMES[0]), customer(books, NAMES[-1])
    drafts = [
        Draft(operation, "customer", operation, BODY("customer", operation, None, current=who))
        for operation, who in (("delete", busy), ("deactivate", busy))
    ]
    gone = Draft("gone", "customer", "delete", BODY("customer", "delete", None, current=idle))
    told = {one.item: one for one in books.push([*drafts, gone], key="k")}
    assert type(told["delete"].error) is errors.Rejected
    assert told["deactivate"].record.active is False  # type: ignore[union-attr]
    assert (told["gone"].record, told["gone"].error) == (None, None)
    since = datetime.now(UTC) - timedelta(minutes=1)
    assert idle.origin.remote_id in {stone.remote_id for stone in books.changes(["customer"], since).gone}


def test_changes_are_those_since_the_moment_and_no_others(world: LedgerWorld) -> None:
    books = world.granted()
    until = books.changes(["customer"], datetime(2026, 1, 1, tzinfo=UTC)).until
    changed = customer(books, NAMES[7]).origin.remote_id
    desk.change(world.ledger, "customer", changed, remarks="new")
    found = books.changes(["customer", "invoice"], until)
    assert [record.origin.remote_id for record in found.records] == [changed]
    assert (found.complete, found.gone) == (True, ())


def test_receivables_come_to_the_balances_of_the_customers(world: LedgerWorld) -> None:
    books = world.granted()
    rows = books.receivables(date(2026, 11, 21))
    owed = {r.origin.remote_id: r.balance for r in books.scan("customer").records if r.balance}  # type: ignore[union-attr]
    assert {row.remote_id: row.amounts["total"] for row in rows} == owed
    for row in rows:
        assert (
            sum((value for name, value in row.amounts.items() if name != "total"), Decimal(0)) == row.amounts["total"]
        )


def test_a_folder_that_is_away_is_no_empty_company(world: LedgerWorld) -> None:
    books = world.granted()
    one = sorted(world.ids("customer"))[0]
    shutil.move(world.root / COMPANY, world.root / "away")
    for ask in (lambda: books.scan("customer"), lambda: books.count("invoice"), lambda: books.fetch("customer", [one])):
        with pytest.raises(errors.Unavailable):
            ask()


def test_news_are_read_when_the_seal_fits_and_only_then() -> None:
    at = "2026-11-21T10:41:05.120000Z"
    news = [
        {"no": "n1", "what": "changed", "id": "cus_k3x9", "at": at},
        {"no": "n2", "what": "joined", "id": "cus_a", "from": "cus_b", "at": at},
        {"no": "n3", "what": "changed", "id": "cus_c", "at": "noon"},
    ]
    body = json.dumps({"book": COMPANY, "news": news}).encode()
    assert WEBHOOKS.verify(body, {"x-ledger-seal": webhooks.seal(body, "s")}, secret="s")
    assert not WEBHOOKS.verify(body + b" ", {"x-ledger-seal": webhooks.seal(body, "s")}, secret="s")
    assert not WEBHOOKS.verify(body, {"x-ledger-seal": webhooks.seal(body, "")}, secret="")
    assert not WEBHOOKS.verify(body, {}, secret="s")
    parsed = WEBHOOKS.parse(body)
    assert [(n.event_id, n.kind, n.verb, n.other_remote_id) for n in parsed.notifications] == [
        ("n1", "customer", "updated", ""),
        ("n2", "customer", "merged", "cus_b"),
    ]
    assert len(parsed.problems) == 1
    assert parsed.notifications[0].occurred_at == datetime(2026, 11, 21, 10, 41, 5, 120000, tzinfo=UTC)
    for nonsense in (b"{", b"[]", b'{"book": 1, "news": []}'):
        with pytest.raises(ValueError, match="news"):
            WEBHOOKS.parse(nonsense)


def test_more_drafts_than_allowed_or_one_key_for_two_drafts_are_faults_of_ours(world: LedgerWorld) -> None:
    books = world.granted()
    many: Sequence[Draft] = [creating(item=f"e{n}") for n in range(books.spec.push_size + 1)]
    with pytest.raises(ValueError, match="at most"):
        books.push(many, key="k")
    books.push([creating()], key="k")
    (told,) = books.push([creating(replace(NEW, display_name="Somebody else"))], key="k")
    assert isinstance(told.error, errors.UnexpectedAnswer)
