"""The sync log's pages: found, filtered, walked through, downloaded, and one line with all it knows."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from crm import clock
from crm.models import SyncRun
from crm.queries import sync_log
from tests.engine_rows import add, ago, company, contact, entry, line


def ids_on(client: FlaskClient, query: str = "") -> list[int]:
    return [int(id_) for id_ in re.findall(r'href="/sync/log/(\d+)"', client.get(f"/sync/log{query}").text)]


def test_the_log_is_filtered_by_everything_it_keeps(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books, amy = company(), contact("Amy Fox")
    run = add(SyncRun(connection_id=books, trigger="person", state="done", created_at=clock.now()))
    plain = line(books, run_id=run)
    sent = line(books, "Amy Fox was sent.", direction="out", trigger="change", kind="customer", remote_id="58",
                contact_id=amy, outcome="done", attempt=1)  # fmt: skip
    refused = line(books, "The name is taken.", direction="out", level="error", kind="customer", remote_id="59",
                   error_code="6240", trace_id="1-abc", outcome="parked", event="push_failed")  # fmt: skip
    old = line(books, "Long ago.", at=ago(days=40), level="warning")
    assert ids_on(client) == [old, refused, sent, plain]
    cases = {
        "q=taken": [refused], "q=amy": [sent], "q=58": [sent], "q=6240": [refused], "q=1-abc": [refused],
        "direction=out": [refused, sent], "level=error": [refused], "level=warning": [old],
        "trigger=change": [sent], f"run_id={run}": [plain], "kind=customer": [refused, sent],
        "outcome=done": [sent], "error_code=6240": [refused],
        f"contact_id={amy}": [sent], "event=push_failed": [refused], f"until={ago(days=30).date()}": [old],
        f"since={ago(days=30).date()}": [refused, sent, plain], f"since={ago(days=50).date()}&q=ago": [old],
        "run_id=none": [], "contact_id=99999999999999": [], "q=%25": [], "q=%3F": [],
    }  # fmt: skip
    for query, found in cases.items():
        assert ids_on(client, f"?{query}") == found, query
    csv = client.get("/sync/log/export.csv?level=error").text.strip().splitlines()
    assert len(csv) == 2 and "6240" in csv[1] and "1-abc" in csv[1]


@pytest.mark.parametrize(
    ("query", "says"),
    [("since=abc", "“abc” is not a date."), ("since=2026-11-21&until=2026-11-20", "ends before it begins"),
     ("level=zzz", "There is no “zzz”"), ("direction=up", "There is no “up”")],
)  # fmt: skip
def test_a_filter_that_cannot_be_read_is_said_beside_its_field(
    client: FlaskClient, sign_in, query: str, says: str
) -> None:
    sign_in("admin")
    line(company())
    answer = client.get(f"/sync/log?{query}")
    assert answer.status_code == 422 and says in answer.text
    assert "Nothing was looked for" in answer.text and 'class="error"' in answer.text
    assert client.get(f"/sync/log/export.csv?{query}").status_code == 422
    assert client.get("/sync/log/export.csv").headers["Content-Type"] == "text/csv; charset=utf-8"


def test_pages_go_by_the_last_line_seen_and_hold_each_line_once(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books = company()
    lines = [line(books, f"Line {n}.") for n in range(sync_log.SIZE + 3)]
    first = ids_on(client)
    link = re.search(r'rel="next" href="([^"]+)"', client.get("/sync/log").text)
    assert link and first == lines[:2:-1]
    line(books, "Comes meanwhile.")
    older = client.get(link.group(1).replace("&amp;", "&")).text
    assert [int(id_) for id_ in re.findall(r'href="/sync/log/(\d+)"', older)] == lines[2::-1]
    assert 'rel="next"' not in older and "Newest" in older


def test_words_are_looked_for_in_the_newest_lines_unless_dates_say_where(
    client: FlaskClient, sign_in, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in("admin")
    monkeypatch.setattr(sync_log, "SEARCHED", 2)
    books = company()
    old = line(books, "The needle.", at=ago(days=9), trace_id="1-abc")
    for _ in range(3):
        line(books)
    page = client.get("/sync/log?q=needle").text
    assert "newest 200,000 lines" in page and "Nothing found" in page
    assert ids_on(client, f"?q=needle&since={ago(days=10).date()}") == [old]
    assert ids_on(client, "?q=1-abc") == [old], "a trace id is found however old it is"


def test_a_line_shows_all_it_knows_and_leads_on(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    books, amy = company(), contact("Amy Fox")
    run = add(SyncRun(connection_id=books, trigger="person", state="done", created_at=clock.now()))
    waiting = entry(books, amy, "parked")
    before = line(books, "Read before.", contact_id=amy)
    id_ = line(books, "The name is taken.", contact_id=amy, run_id=run, direction="out", level="error", attempt=2,
               error_code="6240", trace_id="1-abc", duration_ms=412, kind="customer", remote_id="58",
               details={"request": {"DisplayName": "…"}, "response": "<script>"})  # fmt: skip
    page = client.get(f"/sync/log/{id_}").text
    for text in ("The name is taken.", "1-abc", 'data-copy="1-abc"', "412 ms", f"/integrations/runs/{run}", "6240",
                 f"/contacts/{amy}", f"/sync/outbox/{waiting}", f"/sync/log/{before}", "DisplayName",
                 "&lt;script&gt;"):  # fmt: skip
        assert text in page, text
    assert client.get("/sync/log/4711").status_code == 404
    named = line(books, "Sent.", details={"entry_id": waiting})
    assert f"/sync/outbox/{waiting}" in client.get(f"/sync/log/{named}").text


def test_a_wrong_date_is_named_with_the_way_out(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    for path in ("/sync/log?since=soon", "/sync/log/export.csv?until=31.12.2026"):
        answer = client.get(path)
        assert answer.status_code == 422 and "Write it as 2026-11-21." in answer.text


def test_an_empty_log_says_what_will_stand_here(client: FlaskClient, sign_in) -> None:
    sign_in("admin")
    assert "Nothing has happened yet" in client.get("/sync/log").text
    company()
    assert "Clear all" in client.get("/sync/log?q=x").text


@pytest.mark.parametrize("role", ["rep", "bookkeeper"])
def test_only_admins_read_the_log(client: FlaskClient, sign_in, role: str) -> None:
    sign_in(role)
    id_ = line(company())
    for path in ("/sync/log", f"/sync/log/{id_}", "/sync/log/export.csv"):
        assert client.get(path).status_code == 403
