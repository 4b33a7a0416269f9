"""Settings of matching where they count: imports, the search for pairs, what is learned, and what a preview says."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from crm import clock
from crm.db import db, transaction
from crm.domain.errors import Changed, Refused
from crm.domain.match_learning import Count
from crm.domain.match_settings import USUAL_CHOICE, Chosen
from crm.domain.matching import DOUBTFUL, SAME, Settings
from crm.domain.records import Address
from crm.models import AuditEntry, Connection, Customer, Match, MatchDecision, MatchRun
from crm.queries import match_learning as counted
from crm.queries import match_log, match_preview, match_statistics
from crm.queries import match_settings as queries
from crm.services import duplicates, households, match_learning, match_settings
from crm.services import match_log as log
from crm.services.audit import Actor
from crm.services.duplicates import runs
from crm.services.sync.imports import matching as importing
from tests.flows.imports import opened, run_import
from tests.services.test_duplicates import made, pairs
from tests.services.test_sync_matching import Books, connection, customer, have, import_  # noqa: F401

KIM = Actor("kim@example.com", shown_as="Kim Berg")
CAREFUL = Chosen({"name_and_contact": DOUBTFUL})


def linked_pair(connection: Connection) -> None:  # noqa: F811
    """A customer that a rule linked to its contact."""
    have({"name": "Dana Fox", "phones": ("555 010 4401",)})
    run_import(connection.id, open_books=opened(Books([customer(1, "Dana Fox", phone="555-010-4401")])))


def waiting_pair(connection: Connection) -> int:  # noqa: F811
    """A customer that waits for a person: another given name on the same line. -> match id"""
    have({"name": "Maria Keller", "phones": ("555 010 2200",), "email": "keller@home.example"})
    waits = customer(1, "Jonas Keller", phone="555-010-2200", email="keller@home.example")
    run_import(connection.id, open_books=opened(Books([waits])))
    db.session.remove()
    return db.session.scalars(select(Match.id).where(Match.state == "proposed")).one()


def save(chosen: Chosen, version: int = 0, *, now: datetime | None = None) -> int:
    with transaction():
        return match_settings.save(chosen, version=version, actor=KIM, now=now or clock.now())


def decided(same: int, of: int, *reasons: str, outcome: str = "apart", first: int = 1) -> None:
    """So many pairs that somebody decided about, each with these reasons."""
    start = first + (db.session.scalar(select(MatchDecision.id).order_by(MatchDecision.id.desc()).limit(1)) or 0)
    with transaction() as session:
        log.record_many(session, [
            log.row(sort="contact", one_id=start + n, other_id=start + n + 100_000,
                    outcome="same" if n < same else outcome, automatic=False, score=10, rule="part_of_name",
                    reasons=reasons, names="“A” and “B”", took_ms=1000 * (n + 1), decided_by="kim@example.com",
                    now=clock.now())
            for n in range(of)
        ])  # fmt: skip


def test_an_import_decides_by_the_version_in_force(connection: Connection) -> None:  # noqa: F811
    save(CAREFUL)
    linked_pair(connection)
    db.session.remove()
    match = db.session.scalars(select(Match)).one()
    assert (match.state, match.rule) == ("proposed", "name_and_contact")


def test_a_saved_version_is_audited_once_and_pairs_are_searched_again(app: Flask) -> None:
    save(CAREFUL)
    save(CAREFUL, 1)
    assert queries.standing(db.session()).version == 1, "nothing differed the second time"
    [entry] = db.session.scalars(select(AuditEntry).where(AuditEntry.action == match_settings.ACTION))
    assert "link by itself → ask a person" in entry.summary
    assert db.session.scalars(select(MatchRun.state)).all() == ["queued"]
    with pytest.raises(Changed):
        save(USUAL_CHOICE, 0)


def test_customers_that_wait_are_decided_about_again_where_a_rule_would_link_them_now(
    connection: Connection,  # noqa: F811
) -> None:
    save(CAREFUL)
    linked_pair(connection)
    session = db.session()
    [group] = match_preview.preview(session, CAREFUL.settings({}), Settings())
    assert (group.text, group.number) == ("Customers that wait and would be linked by a rule", 1)
    assert match_preview.preview(session, CAREFUL.settings({}), CAREFUL.settings({})) == []
    db.session.remove()
    assert save(USUAL_CHOICE, 1) == 1
    assert db.session.scalars(select(Customer.match_state)).one() == "new"
    run_import(connection.id, open_books=opened(Books([customer(1, "Dana Fox", phone="555-010-4401")])))
    db.session.remove()
    assert db.session.scalars(select(Match.state)).one() == "linked"


def test_a_smaller_lead_links_one_of_two_that_fitted_about_equally_well(connection: Connection) -> None:  # noqa: F811
    have({"name": "Dana Fox", "phones": ("555 010 4401",)}, {"name": "Dana Fox", "email": "dana@fox.example"})
    books = Books([customer(1, "Dana Fox", phone="555-010-4401", email="dana@fox.example")])
    run_import(connection.id, open_books=opened(books))
    db.session.remove()
    best, other = db.session.scalars(select(Match.score).where(Match.state == "proposed").order_by(Match.rank))
    asked = db.session()
    assert best - other == 5 and match_preview.preview(asked, Settings(), Settings(margin=6)) == []
    [group] = match_preview.preview(asked, Settings(), Settings(margin=5))
    assert (group.text, group.number) == ("Customers that wait and would be linked by a rule", 1)


def test_the_last_decision_of_a_pair_counts_once_and_rules_alone_teach_nothing(app: Flask) -> None:
    decided(2, 3, "phone")
    with transaction() as session:
        last = session.scalars(select(MatchDecision).order_by(MatchDecision.id.desc()).limit(1)).one()
        common = {"sort": "contact", "one_id": last.one_id, "other_id": last.other_id, "score": 1, "rule": "",
                  "reasons": ["phone"], "names": "", "now": clock.now()}  # fmt: skip
        log.record_many(session, [
            log.row(outcome="undone", automatic=False, decided_by="kim@example.com", **common),
            log.row(outcome="same", automatic=True, decided_by="a rule", **{**common, "one_id": 900_000}),
        ])  # fmt: skip
    found = counted.decided(db.session())
    assert found.counts["phone"] == (2, 2) == found.total, "one of three was taken back"


def test_what_is_learned_is_a_version_once_a_night_and_none_where_it_is_off(app: Flask) -> None:
    now = clock.now()
    decided(9, 30, "phone_shared")
    decided(66, 70, "name")
    with transaction():
        assert match_learning.learn_due(now=now) == ["phone shared: 15 → 13 points", "name: 40 → 43 points"]
    assert queries.current(db.session()).weights == {"phone_shared": -2, "name": 3}
    decided(0, 200, "name")
    with transaction():
        assert match_learning.learn_due(now=now + timedelta(hours=1)) == []
    with transaction():
        assert match_learning.learn_due(now=now + timedelta(hours=21)) != []
    save(Chosen({}, learning=False), 2)
    assert queries.current(db.session()).weights == {}
    with pytest.raises(Refused, match="Learning is off"), transaction():
        match_learning.learn(actor=KIM, now=now)
    with transaction():
        match_settings.restore(1, version=3, actor=KIM, now=now)
    assert queries.current(db.session()).weights == {"phone_shared": -2, "name": 3}


def test_a_rule_made_to_link_counts_for_pairs_too(connection: Connection) -> None:  # noqa: F811
    raised = Chosen({"no_name_to_compare": SAME, "company_and_address": SAME}, least_score=20)
    save(raised)
    settings = queries.current(db.session())
    assert settings.outcome("no_name_to_compare", 45) is SAME and settings.outcome("no_name_to_compare", 15) is DOUBTFUL


def test_figures_give_the_median_of_those_timed_and_never_round_up_to_all(app: Flask) -> None:
    decided(3, 4, "phone")
    found = match_statistics.statistics(db.session())
    [person] = found.people
    assert (person.decided, person.timed, person.median_ms) == (4, 4, 2500)
    assert found.everybody.decided == 4 and found.overall.made == 0 and found.overall.share == "–"
    assert match_statistics.Precision("", 100_000, 1).share == "99.99 %"
    assert match_statistics.Precision("", 1_000_000, 1).share == "99.99 %"


def test_automatic_links_are_counted_by_rule_and_month_with_what_was_corrected(app: Flask) -> None:
    at = datetime.fromisoformat("2026-03-31T23:30:00+00:00")
    with transaction() as session:
        common = {"sort": "match", "other_id": 1, "score": 90, "reasons": ["phone"], "names": "“A” and “B”"}
        log.record_many(session, [
            log.row(one_id=n, outcome="same", automatic=True, rule="name_and_contact", decided_by="rule",
                    now=at + timedelta(hours=n), **common)
            for n in range(4)
        ])  # fmt: skip
        log.record_many(session, [
            log.row(one_id=n, outcome=said, automatic=False, rule="", now=at, decided_by="kim@example.com", **common)
            for n, said in ((2, "unlinked"), (3, "unlinked"), (3, "same"), (3, "skipped"))  # the third was right
        ])  # fmt: skip
    found = match_statistics.statistics(db.session())
    assert (found.overall.made, found.overall.corrected, found.overall.share) == (4, 1, "75.00 %")
    assert [(one.label, one.made, one.corrected) for one in found.by_month] == [("2026-04", 3, 1), ("2026-03", 1, 0)]
    rows = list(match_log.each(db.session(), match_log.DecisionFilters(made="rule", state="corrected")))
    assert [row.decision.one_id for row in rows] == [2]


# --- one version a run -----------------------------------------------------------------------------------------


def test_one_version_decides_a_whole_import_and_the_run_says_which(
    connection: Connection,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between two pages somebody asks for a person's eye; the rest of the run goes on as it began."""
    monkeypatch.setattr("crm.services.sync.imports.matching.PAGE", 1)
    have({"name": "Amy Fox", "phones": ("555 010 3311",)}, {"name": "Ben Ash", "phones": ("555 010 4422",)})
    real, pages = importing.draft, []

    def draft(batch, records):
        real(batch, records)
        pages.append(len(records))
        if len(pages) == 1:
            match_settings.save(CAREFUL, version=0, actor=KIM, now=clock.now())

    monkeypatch.setattr(importing, "draft", draft)
    books = (customer(1, "Amy Fox", phone="555-010-3311"), customer(2, "Ben Ash", phone="555-010-4422"))
    run = import_(connection, *books)
    assert len(pages) > 1 and run.counts["linked"] == 2 and not run.counts.get("review")
    assert run.progress["match"]["settings"] == 0
    have({"name": "Cas Oak", "phones": ("555 010 5533",)})
    later = import_(connection, *books, customer(3, "Cas Oak", phone="555-010-5533"))
    assert later.progress["match"]["settings"] == 1 and later.counts["review"] == 1


def test_a_search_begins_again_with_settings_that_changed_under_way(app: Flask, monkeypatch) -> None:
    monkeypatch.setattr("crm.services.duplicates.runs.PAGE", 1)
    for n in range(3):
        made("Bob Smith", f"650-555-12{n}4"), made("Bob Smith", f"650-555-12{n}4")
    with transaction():
        run_id = duplicates.start(actor=KIM, now=clock.now()).id
    page, seen = runs._page, []

    def then(run_id: int, attempt: int, **more: object) -> bool:
        goes_on = page(run_id, attempt, **more)
        version = duplicates.standing(run_id).settings_version
        if version is not None:  # else it wrote keys anew, and decided nothing
            seen.append(version)
            if len(seen) == 2:
                save(CAREFUL)
        return goes_on

    monkeypatch.setattr(runs, "_page", then)
    duplicates.advance(run_id, clock=clock.now)
    db.session.remove()
    run = duplicates.standing(run_id)
    assert (run.state, run.settings_version, seen[:2]) == ("done", 1, [0, 0]) and set(seen[2:]) == {1}
    assert not run.counts.get("same") and run.counts["doubtful"] >= 3, "nothing of the first version is counted"
    assert {pair.outcome for pair in pairs()} == {"doubtful"}


def test_stricter_settings_link_nobody_more(connection: Connection) -> None:  # noqa: F811
    """Two customers want one contact. That one of them is to be looked at by a person does not give it to the other."""
    [id_] = have({"name": "Dana Fox", "phones": ("555 010 4401",), "street": "1 Elm St", "city": "Bayshore",
                  "postal_code": "94326"})  # fmt: skip
    home = Address(line1="1 Elm St", city="Bayshore", postal_code="94326")
    twice = [customer(1, "Dana Fox", phone="555-010-4401"), customer(2, "Dana Fox", billing_address=home)]
    save(Chosen({"name_and_address": DOUBTFUL}, margin=60))
    run = import_(connection, *twice)
    assert (run.counts.get("linked", 0), run.counts["review"]) == (0, 2), id_


def test_an_answer_that_two_are_of_one_household_is_learned_from(app: Flask) -> None:
    one, other = made("Anna Berg", "650-555-1234"), made("A. Berg", "650-555-1234")
    [pair] = pairs()
    had = {reason["reason"] for reason in pair.evidence}
    with transaction():
        households.join_by_pair(one, other, bill_to_id=one, actor=KIM, now=clock.now())
    found = counted.decided(db.session())
    assert had and set(found.counts) == had and set(found.counts.values()) == {Count(0, 1)} == {found.total}


def test_a_customer_that_is_somebody_new_speaks_against_what_was_proposed(connection: Connection) -> None:  # noqa: F811
    match_id = waiting_pair(connection)
    had = {one["reason"] for one in db.session.get_one(Match, match_id).evidence}
    with transaction():
        households.join_by_match(match_id, actor=KIM, now=clock.now())
    found = counted.decided(db.session())
    assert had and set(found.counts) == had and found.total == Count(0, 1)
