"""One run of an entry: its lock, what is kept of it, what becomes of one that died, and what people ask for."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from crm import clock
from crm.celery_app import celery_app
from crm.db import db, transaction
from crm.domain.errors import Refused, Unavailable
from crm.domain.jobs import Entry
from crm.models import (
    Contact,
    Job,
    JobRun,
    Notice,
    OAuthState,
    Segment,
    SegmentChange,
    SegmentMember,
    SignInAttempt,
    User,
)
from crm.services import job_care, job_pulse, jobs
from crm.services.audit import Actor
from crm.tasks.schedule import SCHEDULE
from tests.bells import listen

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OFTEN = Entry("t", timedelta(seconds=15), "Often", "Because.", "It is missed.")
SELDOM = Entry("t", timedelta(hours=6), "Seldom", "Because.")
ENTRIES = {"often": OFTEN, "seldom": SELDOM}
KIM = Actor(name="kim@example.com", shown_as="Kim")


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[object, ...]]]:
    return listen(monkeypatch)


def at(seconds: float) -> Callable[[], datetime]:
    return lambda: NOW + timedelta(seconds=seconds)


def run(key: str = "often", work: Callable[[], object] = lambda: None, *, seconds: float = 0) -> str:
    return jobs.run(key, ENTRIES[key], work, clock=at(seconds))


def job(key: str = "often") -> Job:
    db.session.remove()
    return db.session.get_one(Job, key)


def kept(key: str = "often") -> list[tuple[str, str, str]]:
    rows = db.session.execute(select(JobRun).where(JobRun.key == key).order_by(JobRun.id)).scalars()
    return [(row.trigger, row.outcome, row.asked_by) for row in rows]


def tend(seconds: float) -> list[str]:
    with transaction():
        return jobs.tend(ENTRIES, now=at(seconds)())


def broken() -> None:
    raise Unavailable("QuickBooks does not answer.")


def dies() -> None:
    raise SystemExit("killed")


def test_a_run_is_written_down(app: Flask) -> None:
    assert run() == jobs.DONE
    one = job()
    assert (one.known_since, one.started_at, one.finished_at, one.good_at) == (NOW,) * 4
    assert (one.outcome, one.runs, one.failures, one.lease_until, one.token, one.error) == ("done", 1, 0, None, "", "")
    assert one.took_ms is not None and kept() == [], "what rings every quarter of a minute leaves one row in all"


def test_what_rings_seldom_keeps_each_run(app: Flask) -> None:
    run("seldom")
    assert kept("seldom") == [("schedule", "done", "")]
    row = db.session.scalars(select(JobRun)).one()
    assert row.took_ms is not None and row.finished_at == NOW


def test_no_second_run_begins_while_one_is_under_way(app: Flask) -> None:
    seen = []
    assert run(work=lambda: seen.append(run(seconds=20))) == jobs.DONE
    assert seen == [jobs.BUSY] and job().runs == 1


def test_of_many_that_saw_the_same_one_begins(app: Flask) -> None:
    facts = None
    with transaction():
        assert jobs._begin("often", OFTEN, facts, now=NOW) is not None
    with transaction():
        assert jobs._begin("often", OFTEN, facts, now=NOW) is None
    stale = jobs.queries.facts()["often"]
    later = NOW + timedelta(minutes=2)
    with transaction():
        assert jobs._begin("often", OFTEN, stale, now=later) is not None, "the first lease has lapsed"
    with transaction():
        assert jobs._begin("often", OFTEN, stale, now=later + timedelta(minutes=2)) is None, "what it saw is old"


def test_who_saw_what_was_before_another_run_does_not_begin(app: Flask) -> None:
    run()
    seen = jobs.queries.facts()["often"]
    assert run(seconds=15) == jobs.DONE
    with transaction():
        assert jobs._begin("often", OFTEN, seen, now=at(16)()) is None


def test_a_wish_that_came_between_the_look_and_the_lock_is_not_lost(app: Flask) -> None:
    run()
    seen = jobs.queries.facts()["often"]
    db.session.remove()
    with transaction():
        jobs.ask("often", OFTEN, actor=KIM, now=at(15)())
    with transaction():
        assert jobs._begin("often", OFTEN, seen, now=at(16)()) is None
    assert job().asked_at is not None


def test_a_run_that_lost_its_lease_does_not_end_the_next_one(app: Flask) -> None:
    def overtaken() -> None:
        with pytest.raises(SystemExit):
            run(work=dies, seconds=61)

    run(work=overtaken)
    assert job().token and job().lease_until == at(61)() + job_pulse.LEASE and job().outcome == ""


def test_a_run_that_died_is_told_once_whoever_finds_it_first(app: Flask) -> None:
    with pytest.raises(SystemExit):
        run(work=dies)
    found = jobs.queries.facts()["often"]
    tend(61)
    with transaction():
        assert jobs._begin("often", OFTEN, found, now=at(61)()) is None, "what it saw is old"
    assert kept() == [("schedule", "lost", "")]


def test_a_heap_of_rings_is_one_run(app: Flask) -> None:
    assert [run(seconds=number / 10) for number in range(20)] == [jobs.DONE] + [jobs.TOO_SOON] * 19
    assert run(seconds=15) == jobs.DONE and job().runs == 2


def test_a_failure_is_kept_in_words_and_raised(app: Flask) -> None:
    with pytest.raises(Unavailable):
        run(work=broken)
    one = job()
    assert (one.outcome, one.failures, one.good_at, one.lease_until) == ("failed", 1, None, None)
    assert one.error == "Unavailable: QuickBooks does not answer." and kept() == [("schedule", "failed", "")]
    with pytest.raises(Unavailable):
        run(work=broken, seconds=20)
    assert job().failures == 2
    run(seconds=40)
    assert (job().failures, job().error, job().outcome) == (0, "", "done")


def test_errors_of_others_say_their_kind_only(app: Flask) -> None:
    secret = "postgresql://crm:hunter2@db and amy@example.com"
    for problem in (ValueError(secret), OperationalError("SELECT", {"email": secret}, Exception(secret))):
        words = jobs.words_of(problem)
        assert type(problem).__name__ in words and "hunter2" not in words and "amy@" not in words
    assert len(jobs.words_of(Refused("x" * 5000))) == jobs.LONGEST_ERROR


def test_work_that_left_a_broken_transaction_is_written_down_too(app: Flask) -> None:
    def breaks() -> None:
        db.session.execute(db.text("SELECT * FROM nothing_of_that_name"))

    def leaves_something() -> None:
        db.session.add(Notice(topic="x", level="info", text="x", created_at=NOW))
        raise ValueError("left")

    with pytest.raises(Exception, match="nothing_of_that_name"):
        run(work=breaks)
    assert job().outcome == "failed" and job().lease_until is None
    with pytest.raises(ValueError, match="left"):
        run(work=leaves_something, seconds=15)
    assert job().failures == 2 and db.session.scalar(select(Notice.id)) is None


def test_a_run_whose_worker_died_is_marked_lost_and_the_next_one_runs(app: Flask) -> None:
    with pytest.raises(SystemExit):
        run(work=dies)
    assert job().lease_until is not None and run(seconds=30) == jobs.BUSY
    assert tend(30) == [] and job().outcome == ""
    assert run(seconds=61) == jobs.DONE
    assert kept() == [("schedule", "lost", "")] and (job().outcome, job().failures) == ("done", 0)


def test_a_lost_run_and_a_failed_one_after_it_are_two_bad_ends(app: Flask) -> None:
    with pytest.raises(SystemExit):
        run(work=dies)
    with pytest.raises(Unavailable):
        run(work=broken, seconds=61)
    assert job().failures == 2 and kept() == [("schedule", "lost", ""), ("schedule", "failed", "")]


def test_who_lived_after_all_is_not_marked_lost(app: Flask) -> None:
    with pytest.raises(SystemExit):
        run(work=dies)
    seen = jobs.queries.facts()["often"]
    assert job_pulse.extend(db.engine, "often", job().token, until=at(120)())
    with transaction():
        jobs._lose("often", seen, now=at(61)())
    assert (job().outcome, job().lease_until) == ("", at(120)()) and kept() == []


def test_the_keeper_marks_the_lost_and_what_rings_seldom_runs_again_soon(app: Flask, rung: list) -> None:
    with pytest.raises(SystemExit):
        run("seldom", work=dies)
    assert kept("seldom") == [("schedule", "", "")], "it stands there while it runs"
    assert tend(61) == [] and kept("seldom") == [("schedule", "lost", "")]
    assert (job("seldom").outcome, job("seldom").failures, job("seldom").lease_until) == ("lost", 1, None)
    assert tend(62) == [] and rung == [], "told once, and not hurried"
    assert tend(61 + 600) == ["seldom"] and rung == [(jobs.TASK, ("seldom",))]
    assert run("seldom", seconds=662) == jobs.DONE and tend(700) == []


def test_what_dies_each_time_is_not_hurried_for_ever(app: Flask) -> None:
    moment = 0.0
    for _ in range(4):
        with pytest.raises(SystemExit):
            run("seldom", work=dies, seconds=moment)
        tend(moment + 61)
        moment += 61 + 601
    assert job("seldom").failures == 4 and tend(moment) == []


def test_a_run_that_lost_its_lease_reports_nothing(app: Flask) -> None:
    def overtaken() -> None:
        assert run(seconds=61) == jobs.DONE

    assert run(work=overtaken) == jobs.DONE
    one = job()
    assert (one.runs, one.started_at, one.outcome) == (2, at(61)(), "done") and kept() == [("schedule", "lost", "")]


def test_a_pause_holds_and_a_resume_runs_at_once(app: Flask, rung: list) -> None:
    with transaction():
        jobs.pause("often", OFTEN, actor=KIM, now=NOW)
    assert run() == jobs.PAUSED and tend(100) == [] and job().runs == 0
    with pytest.raises(Refused, match="paused already by Kim"), transaction():
        jobs.pause("often", OFTEN, actor=KIM, now=NOW)
    with pytest.raises(Refused, match="is paused"), transaction():
        jobs.ask("often", OFTEN, actor=KIM, now=NOW)
    assert rung == []
    with transaction():
        jobs.resume("often", OFTEN, actor=KIM, now=at(100)())
    assert rung == [(jobs.TASK, ("often",))] and run(seconds=101) == jobs.DONE
    assert kept() == [("person", "done", "Kim")]


def test_a_pause_between_the_look_and_the_lock_holds(app: Flask) -> None:
    run()
    facts = jobs.queries.facts()["often"]
    db.session.remove()
    with transaction():
        jobs.pause("often", OFTEN, actor=KIM, now=NOW)
    with transaction():
        assert jobs._begin("often", OFTEN, facts, now=at(60)()) is None


def test_what_a_person_asked_for_runs_whatever_ran_just_now(app: Flask, rung: list) -> None:
    run()
    with transaction():
        jobs.ask("often", OFTEN, actor=KIM, now=at(1)())
    assert rung == [(jobs.TASK, ("often",))] and tend(10) == []
    assert tend(21) == ["often"], "its bell was lost"
    assert run(seconds=22) == jobs.DONE and kept() == [("person", "done", "Kim")]
    assert job().asked_at is None and tend(100) == [] and run(seconds=23) == jobs.TOO_SOON


def test_what_was_asked_for_while_it_ran_runs_once_more(app: Flask, rung: list) -> None:
    def asks() -> None:
        with transaction():
            jobs.ask("often", OFTEN, actor=KIM, now=at(1)())

    run(work=asks)
    assert rung == [(jobs.TASK, ("often",))] * 2, "heard in vain while it ran, and again at its end"
    assert run(seconds=2) == jobs.DONE and kept() == [("person", "done", "Kim")]


def test_rows_follow_the_schedule(app: Flask) -> None:
    with transaction() as session:
        session.add(Job(key="of-an-old-release", known_since=NOW))
    tend(0)
    assert sorted(db.session.scalars(select(Job.key))) == ["often", "seldom"]
    tend(500)
    assert job("often").known_since == NOW, "known since then, however often it is looked after"


def test_a_lease_is_kept_alive_while_the_work_goes_on(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_pulse, "EVERY", 0.05)
    monkeypatch.setattr(job_pulse, "_pulse", pulse := job_pulse._Pulse())
    moments: list[datetime | None] = []

    def look() -> datetime | None:
        with db.engine.connect() as other:
            return other.execute(select(Job.lease_until).where(Job.key == "often")).scalar_one()

    def slow() -> None:
        moments.append(look())
        deadline = time.monotonic() + 10
        while look() == moments[0]:
            assert time.monotonic() < deadline, "nobody extends the lease"
            time.sleep(0.02)
        moments.append(look())

    jobs.run("often", OFTEN, slow, clock=clock.now)
    assert moments[0] and moments[1] and moments[1] > moments[0] and job().lease_until is None
    deadline = time.monotonic() + 10
    while pulse._running:
        assert time.monotonic() < deadline, "the thread ends where nothing is left to keep alive"
        time.sleep(0.02)


def test_a_beat_too_late_extends_nothing(app: Flask) -> None:
    run()
    assert not job_pulse.extend(db.engine, "often", "token of long ago", until=NOW)
    assert job().lease_until is None


def test_old_leftovers_go_and_the_rest_stays(
    app: Flask, make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_care, "PORTION", 2)
    monkeypatch.setattr(job_care, "MOST_RUNS", 3)
    user, day = make_user(), timedelta(days=1)
    with transaction() as session:
        for age in (1, 30, 89, 91, 200, 201, 202):
            moment = NOW - age * day
            session.add(JobRun(key="seldom", started_at=moment, outcome="done"))
            session.add(Notice(topic="x", level="info", text="x", created_at=moment - day, settled_at=moment))
            session.add(SignInAttempt(email="a", ip="b", at=moment + day / 2))
            session.add(OAuthState(state_hash=f"{age}", provider="x", session_hash="x", user_id=user.id,
                                   code_verifier="x", created_at=moment + day / 2))  # fmt: skip
        session.add(Notice(topic="open", level="info", text="x", created_at=NOW - 900 * day))
        session.add(Segment(id=1, name="x", sort_name="x", created_at=NOW, updated_at=NOW))
        session.add(Contact(id=1, display_name="x", sort_name="x", created_at=NOW, updated_at=NOW))
        session.flush()
        told = {"segment_id": 1, "contact_id": 1, "version": 1, "cause": "facts"}
        for age, entered in ((402, True), (401, False), (399, True)):
            session.add(SegmentChange(**told, at=NOW - age * day, entered=entered))
        session.add(SegmentMember(segment_id=1, contact_id=1, since=NOW - 402 * day))
        for number in range(5):
            session.add(JobRun(key="often", started_at=NOW - number * day, outcome="failed"))
    assert job_care.prune(clock=at(0)) == 4 + 3 + 6 + 6 + 2 + 2
    counted = [
        db.session.scalar(select(func.count()).select_from(model)) for model in (Notice, SignInAttempt, OAuthState)
    ]
    assert counted == [5, 1, 1] and len(kept("often")) == 3 and len(kept("seldom")) == 3
    newest = db.session.scalars(select(JobRun.started_at).where(JobRun.key == "often").order_by(JobRun.id)).all()
    assert sorted(newest) == sorted(NOW - number * day for number in (2, 3, 4)), "those written last"
    assert db.session.scalars(select(SegmentChange.at)).all() == [NOW - 399 * day]
    assert db.session.scalars(select(SegmentMember.since)).all() == [NOW - 402 * day], "since when is never forgotten"
    db.session.remove()
    assert job_care.prune(clock=at(0)) == 0


def test_every_task_of_the_schedule_says_why_twice_is_harmless() -> None:
    from crm import tasks  # noqa: F401  as Celery imports it

    for key, entry in SCHEDULE.items():
        said = celery_app.tasks[entry.task].run.__doc__ or ""
        assert "Twice is harmless: " in said, f"{key}: {entry.task} does not say it"


def test_beat_rings_each_entry_through_the_one_way() -> None:
    for key, line in celery_app.conf.beat_schedule.items():
        assert (line["task"], line["args"]) == (jobs.TASK, (key,)) and line["schedule"] == SCHEDULE[key].every
        assert line["options"]["expires"] >= 60


def test_the_task_runs_the_entry_it_is_rung_for(app: Flask) -> None:
    celery_app.tasks[jobs.TASK].run("jobs-tend")
    assert job("jobs-tend").outcome == "done" and set(db.session.scalars(select(Job.key))) == set(SCHEDULE)
    celery_app.tasks[jobs.TASK].run("of another release")
