"""A quote or invoice as PDF, set by typst from our own template (`crm/pdf/document.typ`) in some twenty milliseconds.

What a person typed reaches the template as JSON text only, so that nothing of it is read as markup; the template
imports no package and can read no file but the logo. Inter, brought along, has Latin, Greek, Cyrillic and Vietnamese;
other scripts need a font that is installed on the machine.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import typst

from crm import config, formats
from crm.domain.sales_sheets import Row
from crm.services import sales_documents, sales_papers, sales_settings
from crm.services.sales_papers import Paper

log = logging.getLogger(__name__)

FOLDER = Path(__file__).resolve().parent.parent / "pdf"
LONG = 600
"""Characters from which on a line may be broken off its sums: it may be longer than a page."""


def render(document_id: int, *, now: datetime) -> bytes:
    """The document as it stands, drafts too. Raises NotFound."""
    return of_paper(sales_papers.of_document(sales_documents.find(document_id), now=now), now=now)


def file_name(paper: Paper) -> str:
    """`Quote-1042.pdf`."""
    plain = "".join(char if (char.isalnum() and char.isascii()) or char in "-_." else "-" for char in paper.title)
    return f"{plain.strip('-.')}.pdf"


def of_paper(paper: Paper, *, now: datetime) -> bytes:
    """Raises RuntimeError where the template itself is broken. A logo that cannot be drawn is left out."""
    logos = config.current().instance_dir / sales_settings.LOGOS
    logo = paper.header.logo if sales_settings.logo(paper.header, config.current().instance_dir) else ""
    try:
        return _compiled(values(paper, logo=logo), logos, now)
    except typst.TypstError as problem:
        if not logo:
            raise
        log.warning("the logo %s was left out of a PDF: %s", logo, problem.message)
        return _compiled(values(paper, logo=""), logos, now)


def values(paper: Paper, *, logo: str) -> dict[str, Any]:
    """What the template shows: text only, but for a few flags."""
    header, money = paper.header, paper.sheet.currency or "USD"
    rows = paper.sheet.rows
    contact = [*header.address.splitlines(), header.phone, header.email, header.website]
    notes = [("Notes", paper.memo), ("Answer", paper.answer)]
    return {
        "title": paper.title, "kind": sales_papers.TITLES[paper.kind],
        "paper": "us-letter" if paper.letter else "a4",
        "foot": " · ".join(text for text in (header.name, paper.title) if text),
        "company": {"name": header.name, "lines": [text for text in contact if text], "logo": logo and f"/{logo}"},
        "facts": [list(fact) for fact in paper.facts],
        "addresses": [{"label": one.label, "lines": list(one.lines)} for one in paper.addresses],
        "rows": [_row(row, money, hold=_holds(rows, at)) for at, row in enumerate(rows)],
        "sums": [{"label": one.label, "amount": one.amount, "strong": one.strong} for one in paper.sums],
        "notes": [{"label": label, "text": text} for label, text in notes if text],
    }  # fmt: skip


def _row(row: Row, money: str, *, hold: bool) -> dict[str, Any]:
    section, sold = row.kind == "section", row.kind in ("item", "other")
    name = (row.description or row.name) if section else row.name
    description = "" if section or row.description == row.name else row.description
    out = row.optional and not row.chosen
    amount = formats.money(row.amount, money)
    return {
        "kind": row.kind, "name": name, "description": description, "tag": sales_papers.tag(row), "out": out,
        "member": row.member, "hold": hold, "short": len(name) + len(description) < LONG,
        "quantity": sales_papers.exact(row.quantity) if sold else "",
        "price": sales_papers.price(row.unit_price, money) if sold else "",
        "amount": "" if row.kind == "text" else f"({amount})" if out else amount,
    }  # fmt: skip


def _holds(rows: tuple[Row, ...], at: int) -> bool:
    """Whether a row stays on the page of the one after it: headings and heads of bundles do."""
    short = len(rows[at].name) + len(rows[at].description) < LONG
    more = at + 1 < len(rows) and len(rows[at + 1].name) + len(rows[at + 1].description) < LONG
    return rows[at].kind in ("section", "group") and short and more


def _compiled(data: dict[str, Any], root: Path, now: datetime) -> bytes:
    root.mkdir(parents=True, exist_ok=True)
    compiler = typst.Compiler(
        input=_template(), root=str(root), font_paths=_fonts(), sys_inputs={"data": json.dumps(data)},
        package_path=str(FOLDER / "none"), package_cache_path=str(FOLDER / "none"),
    )  # fmt: skip
    made = compiler.compile(format="pdf", timestamp=int(now.timestamp()))
    assert isinstance(made, bytes)
    return made


@lru_cache
def _template() -> bytes:
    return (FOLDER / "document.typ").read_bytes()


@lru_cache
def _fonts() -> typst.Fonts:
    """Looked up once per process. Ours come first; the machine's are for scripts that ours do not know."""
    return typst.Fonts(include_system_fonts=True, include_embedded_fonts=False, font_paths=[str(FOLDER / "fonts")])
