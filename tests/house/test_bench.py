"""The measurement runs from a clean checkout and says what it measured. Its figures are not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import limits, table, ways_table
from bench.usual_sync import ENTITIES

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(300)  # a dozen processes, one after the other


def measured(kept: Path, *arguments: str, program: str = "tests.house.bench_forked") -> tuple[str, dict[str, Any]]:
    """What `python -m bench` with these arguments printed, and its JSON. The parts are forked unless `program` is it:
    starting the CRM for each by itself cost more than what they do."""
    done = subprocess.run(
        [sys.executable, "-m", program, *arguments, "--json", str(kept)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout, json.loads(kept.read_text())


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What `python -m bench --quick --sizes 60` printed, and its JSON."""
    kept = tmp_path_factory.mktemp("bench") / "figures.json"
    return measured(kept, "--quick", "--only", "imports", "--sizes", "60", "--repeats", "1")


def test_both_ways_do_the_same_company_in_one_run(figures):
    _, found = figures
    ways = {measured["way"]: measured for measured in found["imports"]}
    assert set(ways) == {"ours", "pages", "singly"}
    assert ways["ours"]["records"] == 60
    assert ways["ours"]["calls"] <= 1 + 3
    assert ways["singly"]["calls"] == 60
    assert 0 < ways["pages"]["records"] <= 60
    for measured in ways.values():
        assert measured["seconds"] > 0
        assert measured["peak_mb"] > 10


def test_links_are_held_against_the_truth(figures):
    _, found = figures
    ours = next(measured["rates"] for measured in found["imports"] if measured["way"] == "ours")
    assert ours["links"] > 20
    assert ours["right"] + ours["wrong"] == ours["links"]
    assert ours["precision"] > 0.95
    assert 0 < ours["to_person"] < 0.5
    assert found["pure"]["rates"]["links"] > 20


def test_the_printed_tables_hold_the_figures(figures):
    printed, found = figures
    assert found["command"] in printed
    for measured in found["imports"]:
        assert f"{table.rate(measured):,.0f}" in printed
        assert f"{measured['calls']:,}" in printed
    assert all(case["name"] in printed and case["queries"] > 0 for case in found["pages"][0]["cases"])
    assert found["file"]["counts"]["created"] > 50
    assert str(ROOT) not in printed


@pytest.fixture(scope="module")
def directions(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """Both directions, the smallest they can be: printed, and its JSON."""
    kept = tmp_path_factory.mktemp("ways") / "figures.json"
    return measured(kept, "--only", "push,sweep", "--push", "31", "--sweep", "30")


@pytest.fixture(scope="module")
def burst(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """Each part started as a person would."""
    kept = tmp_path_factory.mktemp("burst") / "figures.json"
    return measured(kept, "--only", "burst", "--rate", "20", "--burst-seconds", "1", program="bench")


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """Invoices, the fewest there can be."""
    kept = tmp_path_factory.mktemp("documents") / "figures.json"
    few = ("--invoices-pushed", "3", "--invoices", "60", "--listed", "60", "--repeats", "1")
    return measured(kept, "--only", "documents", *few)


def test_invoices_are_pushed_and_imported_both_ways_and_equal_afterwards(documents):
    _, found = documents
    pushed, created = found["documents"]["push"]
    assert pushed["there"] == created["there"] == pushed["records"] == 3
    assert (pushed["calls"], pushed["batches"], created["calls"]) == (1, 1, 9)
    ours, usual = found["documents"]["imports"]
    assert ours["records"] == usual["records"] > 50
    for told in (pushed["proof"], ours["proof"]):
        assert (told["state"], told["differing"]) == ("equal", 0)
        assert told["invoices"] > 0


def test_both_lists_of_documents_are_asked_for(documents):
    printed, found = documents
    [lists] = found["documents"]["pages"]
    assert lists["number"] == 60
    assert {one["name"].split(",")[0] for one in lists["cases"]} == {"invoices", "quotes"}
    assert all(one["name"] in printed and one["queries"] > 0 for one in lists["cases"])


def test_a_push_makes_the_same_customers_both_ways_and_counts_the_calls(directions):
    _, found = directions
    ours, usual = found["push"]["measured"]
    assert (ours["way"], usual["way"]) == ("ours", "singly")
    assert ours["there"] == usual["there"] == ours["records"] == 31
    assert ours["calls"] == ours["batches"] == 2
    assert (usual["calls"], usual["batches"]) == (62, 0)


def test_a_sweep_that_finds_nothing_is_one_call(directions):
    _, found = directions
    ours, since, compare = found["sweep"]["measured"]
    assert [ours["calls"], since["calls"], compare["calls"]] == [1, len(ENTITIES), 2]
    assert ours["changed"] == since["changed"] == compare["changed"] == 0
    assert compare["records"] > 20


def test_every_delivery_of_a_burst_is_answered_split_and_acted_on(burst):
    _, found = burst
    (told,) = found["burst"]["measured"]
    load, events = told["load"], told["load"]["events"] + told["load"]["warm_events"]
    assert (load["deliveries"], load["answered"], load["errors"]) == (20, 20, {})
    assert 0 < load["answer_ms"]["median"] <= load["answer_ms"]["p99"] <= load["answer_ms"]["most"]
    assert told["heard"]["deliveries"] == {"split": 20 + load["warm_events"]}
    assert told["heard"]["events"] == {"done": events}
    assert 0 < told["calls"] < events / 5
    assert told["peak_mb"]["web"] > 10


def test_their_tables_hold_the_figures_and_stand_between_marks_of_their_own(
    directions, burst, documents, tmp_path, monkeypatch
):
    for printed, found in (directions, burst, documents):
        for name, tables in ways_table.report(found).items():
            assert tables in printed
            assert found["command"] in tables
            assert f"<!-- {name}: begin -->" in table.README.read_text()
        assert str(ROOT) not in printed
    kept = tmp_path / "README.md"
    kept.write_text(
        "before <!-- push: begin -->old<!-- push: end --> between <!-- burst: begin -->kept<!-- burst: end -->"
    )
    monkeypatch.setattr(ways_table, "README", kept)
    ways_table.write({name: part for name, part in directions[1].items() if name != "sweep"})
    assert kept.read_text().startswith("before <!-- push: begin -->")
    assert "| Tradebook" in kept.read_text()
    assert "old" not in kept.read_text()
    assert kept.read_text().endswith(" between <!-- burst: begin -->kept<!-- burst: end -->")


def test_what_the_limits_allow_is_reckoned_with_sliding_windows():
    assert limits.seconds(0) == limits.seconds(10) == 0
    assert limits.seconds(11) == limits.seconds(20) == 1
    assert limits.seconds(500) == 49
    assert limits.seconds(501) == 60
    assert limits.seconds(40, 40) == 3
    assert limits.seconds(41, 41) == 60


def test_a_part_nobody_knows_is_refused_with_the_list():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "pull"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "imports, push, sweep, burst, plans, documents" in done.stderr


def test_sizes_nobody_can_generate_are_refused_with_the_range():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--sizes", "7"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "30 to 100,000" in done.stderr


def test_segments_and_insight_are_measured_over_books_of_known_behaviour(tmp_path):
    printed, found = measured(tmp_path / "figures.json", "--only", "insight", "--contacts", "60", "--repeats", "1")
    [told] = found["insight"]["measured"]
    assert told["filled"]["contacts"] == 60 and told["filled"]["invoices"] > 200
    assert told["segments"]["segments"] == 50 and told["segments"]["members"] > 0
    assert any(one["found"] for one in told["segments"]["counts"])
    assert all(one["name"] in printed and one["queries"] > 0 for one in told["pages"]["cases"])
