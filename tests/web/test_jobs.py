"""The pages of scheduled work: what stands there, what the buttons do, and what admins hear where it stands still."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from crm import clock
from crm.db import db, transaction
from crm.models import AuditEntry, Job, JobRun, User
from crm.services import jobs
from crm.tasks.schedule import SCHEDULE
from tests.bells import listen
from tests.web.test_api import key  # noqa: F401

KEY, SELDOM, QUIET = "sync-sweep", "money-aging", "inbox-prune"
Sign = Callable[..., User]


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[object, ...]]]:
    return listen(monkeypatch)


def ran(*keys: str, ago: timedelta = timedelta(0), **values: object) -> datetime:
    """As if these entries (all, without any) had last run well so long ago."""
    at = clock.now() - ago
    with transaction() as session:
        for key in keys or SCHEDULE:
            kept = {"known_since": at, "started_at": at, "finished_at": at, "good_at": at, "outcome": "done",
                    "took_ms": 12, "runs": 1, **values}  # fmt: skip
            found = session.get(Job, key)
            if found is None:
                session.add(Job(key=key, **kept))
            else:
                for name, value in kept.items():
                    setattr(found, name, value)
    return at


def shown(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.text[:500]
    return html.unescape(answer.text)


def titles(page: str) -> list[str]:
    return re.findall(r"data-row-link>([^<]+)</a>", page)


def lines(page: str) -> list[str]:
    """The rows of the table."""
    return re.findall(r"<tr role.*?</tr>", page, re.DOTALL)


def test_every_entry_has_a_title_and_a_reason_in_sentences() -> None:
    for name, entry in SCHEDULE.items():
        assert len(name) <= 60
        assert entry.title and entry.title[0].isupper() and not entry.title.endswith(".") and len(entry.title) <= 60, (
            name
        )
        assert len(entry.reason) > 40 and entry.reason.endswith("."), name
        assert not entry.meanwhile or entry.meanwhile.endswith("."), name
    assert len({entry.title for entry in SCHEDULE.values()}) == len(SCHEDULE)


def test_each_entry_stands_there_with_its_reason_and_how_to_begin(client: FlaskClient, sign_in: Sign) -> None:
    sign_in("admin")
    page = shown(client, "/jobs")
    assert sorted(titles(page)) == sorted(entry.title for entry in SCHEDULE.values())
    assert all(entry.reason in page for entry in SCHEDULE.values())
    assert "celery_worker beat" in page and "stands still" not in page


def test_only_admins_may_see_or_press(client: FlaskClient, sign_in: Sign) -> None:
    for role in ("rep", "bookkeeper"):
        sign_in(role)
        assert client.get("/jobs").status_code == 403 and client.get(f"/jobs/{KEY}").status_code == 403
        for what in ("run", "pause", "resume"):
            assert client.post(f"/jobs/{KEY}/{what}").status_code == 403
    assert db.session.scalar(select(Job.key)) is None


def test_a_run_now_is_a_row_and_a_bell(client: FlaskClient, sign_in: Sign, rung: list) -> None:
    person = sign_in("admin")
    ran()
    assert client.post(f"/jobs/{KEY}/run?sort=title").headers["Location"] == "/jobs?sort=title"
    job = db.session.get_one(Job, KEY)
    assert job.asked_at is not None and job.asked_by == person.name and rung == [(jobs.TASK, (KEY,))]
    page = shown(client, "/jobs?state=running")
    assert titles(page) == [SCHEDULE[KEY].title] and "Waits for a worker" in page
    assert 'hx-trigger="every 3s"' in page
    assert f"{KEY}/run" not in page, "it has been asked for already"
    assert db.session.scalar(select(AuditEntry.action).where(AuditEntry.subject == f"job:{KEY}")) == "job_asked"


def test_a_pause_says_who_and_shouts_where_it_matters(client: FlaskClient, sign_in: Sign, rung: list) -> None:
    person = sign_in("admin")
    ran()
    client.post(f"/jobs/{KEY}/pause", data={"from": "job"})
    client.post(f"/jobs/{QUIET}/pause")
    assert "is paused until somebody resumes it" in shown(client, "/jobs")
    page, home = shown(client, "/jobs"), shown(client, "/")
    for one in (page, home):
        assert SCHEDULE[KEY].meanwhile in one and f"“{SCHEDULE[KEY].title}” is paused" in one
        assert f"“{SCHEDULE[QUIET].title}” is paused" not in one
    assert f"Paused by {person.name}" in next(line for line in lines(page) if f'id="job-{QUIET}"' in line)
    refused = client.post(f"/jobs/{KEY}/run")
    assert refused.status_code == 409 and "is paused. Resume it" in refused.text
    assert client.post(f"/jobs/{KEY}/pause").status_code == 409
    assert client.post(f"/jobs/{KEY}/resume", data={"from": "job"}).headers["Location"] == f"/jobs/{KEY}"
    job = db.session.get_one(Job, KEY, populate_existing=True)
    assert job.paused_at is None and job.asked_at is not None and rung[-1] == (jobs.TASK, (KEY,))
    assert client.post(f"/jobs/{KEY}/resume").status_code == 409
    assert SCHEDULE[KEY].meanwhile not in shown(client, "/")


def test_what_is_not_in_the_schedule_is_not_found(client: FlaskClient, sign_in: Sign) -> None:
    sign_in("admin")
    assert client.get("/jobs/nothing").status_code == 404
    assert client.post("/jobs/nothing/run").status_code == 404


def test_a_late_entry_is_told_everywhere_and_gone_once_it_ran(client: FlaskClient, sign_in: Sign) -> None:
    sign_in("admin")
    ran()
    ran(SELDOM, ago=timedelta(hours=13))
    title = SCHEDULE[SELDOM].title
    assert f"“{title}” needs a look" in shown(client, "/") and f"“{title}” needs a look" in shown(client, "/jobs")
    assert titles(shown(client, "/jobs?state=trouble")) == [title]
    answer = client.get("/health")
    assert answer.status_code == 503 and answer.json["scheduled_work"] == [f"“{title}” did not run in its time."]
    assert "last ran well 13 hours ago; it should every 6 hours." in shown(client, f"/jobs/{SELDOM}")
    ran(SELDOM)
    assert "needs a look" not in shown(client, "/")
    assert client.get("/health").json == {
        "status": "ok", "checks": {"database": "ok", "migrations": "ok", "broker": "ok"},
        "scheduled_work": ["Everything runs in its time."],
    }  # fmt: skip


def test_a_scheduler_that_is_down_is_told_once(client: FlaskClient, sign_in: Sign) -> None:
    sign_in("admin")
    ran(ago=timedelta(minutes=20))
    page, home = shown(client, "/jobs"), shown(client, "/")
    for one in (page, home):
        assert one.count("Scheduled work stands still") == 1 and "needs a look" not in one
        assert "for 20 minutes" in one
    assert re.search(r'Jobs<span class="nav-count">1<', page)
    assert len(client.get("/health").json["scheduled_work"]) == 1
    ran(KEY)
    assert "stands still" not in shown(client, "/")


def test_a_new_installation_is_not_late_and_an_old_one_without_beat_is(client: FlaskClient, sign_in: Sign) -> None:
    person = sign_in("admin")
    assert "stands still" not in shown(client, "/") and client.get("/health").status_code == 200
    with transaction() as session:
        session.execute(update(User).where(User.id == person.id).values(created_at=clock.now() - timedelta(minutes=6)))
    assert "No scheduled work has ever run here" in shown(client, "/")
    assert client.get("/health").status_code == 503


def test_a_rep_hears_nothing_of_it_on_the_first_page(client: FlaskClient, sign_in: Sign) -> None:
    sign_in("rep")
    ran(ago=timedelta(days=2))
    assert "stands still" not in shown(client, "/")


@pytest.fixture
def runs(app: Flask) -> datetime:
    now = clock.now()
    with transaction() as session:
        for number in range(60):
            at = now - timedelta(hours=6 * number)
            values = {"outcome": "failed", "error": "Unavailable: = QuickBooks is away"} if number % 10 == 3 else {}
            asked = {"trigger": "person", "asked_by": "Kim"} if number == 5 else {}
            ended = {"finished_at": at + timedelta(seconds=2), "took_ms": 2000 + number, "outcome": "done"}
            session.add(JobRun(key=SELDOM, started_at=at, **{**ended, **values, **asked}))
        session.add(JobRun(key=KEY, started_at=now, outcome="lost", error=jobs.LOST))
    return now


def test_the_runs_of_a_job_are_filtered_sorted_paged_and_downloaded(
    client: FlaskClient, sign_in: Sign, runs: datetime
) -> None:
    sign_in("admin")
    page = shown(client, f"/jobs/{SELDOM}")
    assert len(lines(page)) == 50 and "1–50 of 60 runs" in page
    assert len(lines(shown(client, f"/jobs/{SELDOM}?page=2"))) == 10
    assert len(lines(shown(client, f"/jobs/{SELDOM}?outcome=failed"))) == 6
    assert "Kim" in lines(shown(client, f"/jobs/{SELDOM}?trigger=person"))[0]
    assert len(lines(shown(client, f"/jobs/{SELDOM}?q=quickbooks+is"))) == 6
    slowest = lines(shown(client, f"/jobs/{SELDOM}?sort=-took"))[0]
    assert (runs - timedelta(hours=6 * 59)).strftime("%Y") in slowest
    today = runs.date().isoformat()
    found = lines(shown(client, f"/jobs/{SELDOM}?since={today}&until={today}"))
    assert len(found) == sum((runs - timedelta(hours=6 * n)).date() == runs.date() for n in range(60))
    rows = list(csv.reader(io.StringIO(client.get(f"/jobs/{SELDOM}/export.csv?outcome=failed").text.lstrip("\ufeff"))))
    assert len(rows) == 7 and rows[1][3] == "failed" and rows[1][7] == "Unavailable: = QuickBooks is away"
    assert "Its worker died" in shown(client, f"/jobs/{KEY}")


def test_filters_that_cannot_be_read_are_said_and_kept(client: FlaskClient, sign_in: Sign, runs: datetime) -> None:
    sign_in("admin")
    page = shown(client, f"/jobs/{SELDOM}?since=yesterday&outcome=failed", 422)
    assert "“yesterday” is not a date" in page and re.search(r'<option value="failed"\s+selected', page)
    assert client.get(f"/jobs/{SELDOM}/export.csv?since=yesterday").status_code == 422
    assert client.get("/jobs?state=unheard").status_code == 422
    assert client.get("/jobs/export.csv?state=unheard").status_code == 422


def test_the_list_is_searched_sorted_and_downloaded(client: FlaskClient, sign_in: Sign) -> None:
    sign_in("admin")
    ran()
    assert SCHEDULE[SELDOM].title in titles(shown(client, "/jobs?q=overdue+import"))
    assert "No scheduled work fits" in shown(client, "/jobs?q=unicorns")
    assert "Nothing needs a look" in shown(client, "/jobs?state=trouble")
    by_title = titles(shown(client, "/jobs?sort=title"))
    assert (
        by_title == sorted(by_title, key=str.casefold) and titles(shown(client, "/jobs?sort=-title")) == by_title[::-1]
    )
    rows = list(csv.reader(io.StringIO(client.get("/jobs/export.csv?sort=every").text.lstrip("\ufeff"))))
    assert [int(row[3]) for row in rows[1:]] == sorted(int(e.every.total_seconds()) for e in SCHEDULE.values())


def test_htmx_gets_the_list_alone(client: FlaskClient, sign_in: Sign) -> None:
    sign_in("admin")
    ran()
    for path, element in (("/jobs?q=import", "jobs"), (f"/jobs/{KEY}", "job")):
        text = client.get(path, headers={"HX-Request": "true"}).text
        assert "<html" not in text and f'id="{element}"' in text
    assert 'hx-get="/jobs?q=import"' in client.get("/jobs?q=import").text


def test_a_failing_entry_says_since_when_and_why(client: FlaskClient, sign_in: Sign) -> None:
    sign_in("admin")
    ran()
    now = clock.now()
    ran(
        KEY,
        good_at=now - timedelta(minutes=30),
        outcome="failed",
        failures=120,
        error="Unavailable: The books are away.",
    )
    text = shown(client, f"/jobs/{KEY}")
    assert "has not ended well for 30 minutes: it failed 120 times in a row" in text and "The books are away." in text
    said = client.get("/health").json["scheduled_work"]
    assert said == [f"“{SCHEDULE[KEY].title}” has failed for some time."], "errors are told to admins only"


def test_programs_read_the_same(client: FlaskClient, key: Callable[..., dict[str, str]]) -> None:  # noqa: F811
    ran()
    ran(SELDOM, ago=timedelta(hours=13))
    told = client.get("/api/v1/jobs", headers=key()).json
    assert (told["well"], told["sentences"]) == (False, [f"“{SCHEDULE[SELDOM].title}” did not run in its time."])
    by_key = {row["key"]: row for row in told["data"]}
    assert list(by_key) == list(SCHEDULE) and by_key[SELDOM]["state"] == "late" and by_key[KEY]["state"] == "good"
    assert by_key[KEY]["every_seconds"] == 15.0 and by_key[KEY]["took_ms"] == 12
    assert client.get("/api/v1/jobs").status_code == 401
