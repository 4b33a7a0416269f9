"""The measurement runs from a clean checkout and says what it measured. Its figures are not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import table

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(300)  # a dozen processes, one after the other


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What `python -m bench --quick --sizes 60` printed, and its JSON."""
    kept = tmp_path_factory.mktemp("bench") / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--sizes", "60", "--repeats", "1", "--json", str(kept)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout, json.loads(kept.read_text())


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


def test_sizes_nobody_can_generate_are_refused_with_the_range():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--sizes", "7"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "30 to 100,000" in done.stderr
