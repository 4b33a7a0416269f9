"""docs/segments.md describes every field as the rule builder does; run as a module, this writes its list anew."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from crm.domain.segment_fields import FIELDS, OPS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "segments.md"
BEGIN = "<!-- fields: written from crm/domain/segment_fields.py by `python -m tests.house.test_segment_docs` -->\n"
END = "<!-- end -->"


def described() -> str:
    """The list of fields, by section."""
    told = []
    for section, fields in groupby(FIELDS.values(), key=lambda field: field.section):
        told.append(f"\n### {section}\n\n| field | asks | means |\n|---|---|---|\n")
        for field in fields:
            asks = "; ".join(OPS[op].words.format("…") for op in field.ops)
            period = " In a period." if field.period else ""
            told.append(f"| **{field.label}** (`{field.key}`) | {asks} | {field.help}{period} |\n")
    return "".join(told) + "\n"


def test_the_page_describes_every_field_as_the_builder_does() -> None:
    text = PAGE.read_text()
    assert text.partition(BEGIN)[2].partition(END)[0] == described()


def write() -> None:
    head, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(head + BEGIN + described() + END + rest.partition(END)[2])


if __name__ == "__main__":
    write()
