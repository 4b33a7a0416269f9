"""One record of either side as a row of a CSV file, and the truth beside it. Standard library only.

The ways read these files and nothing else, also those that run in an interpreter without the CRM's requirements.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path


@dataclass(slots=True)
class Record:
    """What one side wrote down; every value is text as typed, empty where nothing stands."""

    key: str = ""
    name: str = ""
    first: str = ""
    last: str = ""
    company: str = ""
    phone: str = ""
    mobile: str = ""
    email: str = ""
    street: str = ""
    unit: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""


COLUMNS = tuple(field.name for field in fields(Record))
SIDES = ("books", "list")


@dataclass(frozen=True, slots=True)
class Files:
    """The four files of one generated company."""

    place: Path

    def rows(self, side: str) -> Path:
        return self.place / f"{side}.csv"

    def truth(self, side: str) -> Path:
        return self.place / f"{side}_truth.csv"


def read(path: Path) -> Iterator[Record]:
    """The records of a file, in its order."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        next(lines)
        for line in lines:
            yield Record(*line)


class Side:
    """Writes one side: its records, and beside them who each one is and what was done to it."""

    def __init__(self, files: Files, side: str):
        self._rows = files.rows(side).open("w", encoding="utf-8", newline="")
        self._truth = files.truth(side).open("w", encoding="utf-8", newline="")
        self._row_lines = csv.writer(self._rows, lineterminator="\n")
        self._truth_lines = csv.writer(self._truth, lineterminator="\n")
        self._row_lines.writerow(COLUMNS)
        self._truth_lines.writerow(("key", "who", "case"))
        self.number = 0

    def add(self, record: Record, who: str, case: str) -> None:
        """`who` is the same on both sides for one person or firm."""
        self.number += 1
        record.key = str(self.number)
        self._row_lines.writerow(astuple(record))
        self._truth_lines.writerow((record.key, who, case))

    def close(self) -> None:
        self._rows.close()
        self._truth.close()


def truth(path: Path) -> dict[str, tuple[str, str]]:
    """Key -> (who it is, what was done to it)."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        next(lines)
        return {key: (who, case) for key, who, case in lines}
