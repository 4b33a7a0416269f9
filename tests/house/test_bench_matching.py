"""`python -m bench.matching`: the labelled books, how they are scored, and the command itself on few records."""

import subprocess
import sys
from dataclasses import astuple
from pathlib import Path

import pytest

from bench.matching import ours, table
from bench.matching.__main__ import lacking
from bench.matching.generate import BUILDERS, generate
from bench.matching.records import Files, Record, Side, read, truth
from bench.matching.score import one_to_one, rates, recall_at
from crm.services.sync.imports import matching as imports

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Files:
    place = tmp_path_factory.mktemp("made")
    generate(str(place), 600)
    return Files(place)


def written(place: Path, **sides: dict[str, str]) -> Files:
    """Sides with one record for each key -> who."""
    place.mkdir()
    files = Files(place)
    for side in ("books", "list"):
        kept = Side(files, side)
        for who in sides[side].values():
            kept.add(Record(name=who), who, "alone: ")
        kept.close()
    return files


def test_the_same_seed_makes_the_same_books_and_a_smaller_size_is_their_beginning(made, tmp_path):
    generate(str(tmp_path), 100)
    small, large = (list(map(astuple, read(files.rows("books")))) for files in (Files(tmp_path), made))
    assert large[:100] == small[:100] and len(large) >= 600


def test_every_kind_of_group_and_people_of_one_side_only_occur(made):
    sides = [truth(made.truth(side)) for side in ("books", "list")]
    kinds = {case.partition(":")[0] for side in sides for _, case in side.values()}
    assert kinds == {builder.__name__ for builder in BUILDERS}
    books, contacts = ({who for who, _ in side.values()} for side in sides)
    assert books & contacts and books - contacts and contacts - books


def test_two_people_never_share_a_mail_box_by_accident(made):
    """A box is one person's, or a firm's role; the same box under two people would make the truth wrong."""
    holders: dict[str, set[str]] = {}
    for side in ("books", "list"):
        who = {key: told for key, (told, _) in truth(made.truth(side)).items()}
        for record in read(made.rows(side)):
            email = record.email.lower().strip(" .,;")
            if email and not email.startswith(("info@", "office@")):
                holders.setdefault(email, set()).add(who[record.key])
    assert [email for email, people in holders.items() if len(people) > 1] == []


def test_a_person_counts_once_however_often_a_side_holds_them(tmp_path):
    files = written(tmp_path / "x", books={"1": "amy", "2": "amy", "3": "bob", "4": "eve"},
                    list={"1": "amy", "2": "bob", "3": "joe"})  # fmt: skip
    found = rates(files, [("1", "1"), ("4", "3")], [("3", "2"), ("1", "3")])
    assert (found["links"], found["wrong"], found["both"]) == (2, 1, 2)
    assert (found["precision"], found["recall"], found["net_recall"]) == (0.5, 0.5, 1.0)
    assert found["to_person"] == 0.25  # the third customer; the first is linked already


def test_links_are_made_one_to_one_by_the_best_score(tmp_path):
    scored = [(5.0, "1", "1"), (9.0, "1", "2"), (8.0, "2", "2"), (1.0, "2", "1")]
    assert one_to_one(scored) == [("1", "2"), ("2", "1")]
    files = written(tmp_path / "x", books={"1": "amy", "2": "bob", "3": "eve"}, list={"1": "amy", "2": "bob", "3": "x"})
    assert recall_at(files, [(9, "1", "1"), (8, "3", "3"), (7, "2", "2")], 0.999) == 0.5
    assert recall_at(files, [(9, "1", "1"), (8, "3", "3"), (7, "2", "2")], 0.6) == 1.0


def test_candidates_are_limited_as_in_the_import():
    assert (ours.CROWD, ours.CROWD_OTHER, ours.MOST) == (imports.CROWD, imports.CROWD_OTHER, imports.MOST)


def test_on_a_few_hundred_records_the_goal_is_met(made):
    found = ours.match(str(made.place))["rates"]
    assert found["precision"] >= 0.995 and found["net_recall"] >= 0.98
    assert found["recall"] > 0.8 and found["to_person"] < 0.2


def test_the_command_prints_its_tables_and_says_what_is_missing():
    done = subprocess.run(
        [sys.executable, "-m", "bench.matching", "--sizes", "150", "--libraries", "/nonexistent/python"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "splink is not installed for python" in done.stderr and "splink is not installed" in done.stdout
    assert "| Tradebook " in done.stdout and "| exact phone or e-mail " in done.stdout
    assert "answered as they should be" in done.stdout


def test_a_library_counts_as_missing_only_where_it_cannot_be_imported():
    assert lacking(sys.executable, "no_such_library") and not lacking(sys.executable, "json")


def test_sizes_that_make_no_sense_are_refused():
    done = subprocess.run(
        [sys.executable, "-m", "bench.matching", "--sizes", "7"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "books have 100 to" in done.stderr


def test_the_tables_are_kept_between_their_marks():
    assert table.README.read_text().count(table.BEGIN) == table.README.read_text().count(table.END) == 1
