"""The addresses of a quote or invoice, as a form asks for them: street (up to five lines), city, state, code, country.

Used by the builder (`blueprints/building`). A form that has no address leaves it as it is; one that comes back as it
was shown does too, so that nothing of what the books keep is rewritten by looking at it. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from crm.domain.contacts import clean
from crm.domain.sales_content import Content

SIDES: dict[str, tuple[str, str]] = {
    "bill": ("billing_address", "Billing address"), "ship": ("shipping_address", "Service address"),
}  # fmt: skip
PARTS: dict[str, tuple[str, int]] = {
    "street": ("Street", 500), "city": ("City", 255), "region": ("State", 255), "postal_code": ("Postal code", 30),
    "country": ("Country", 255),
}  # fmt: skip
"""Of a part: its words, and how many letters the books keep of it (of a line of the street)."""
STREET_LINES = 5
NAMES = tuple(f"{side}-{part}" for side in SIDES for part in PARTS)


def typed(content: Content) -> dict[str, str]:
    """The fields of a form that show these addresses."""
    return {
        f"{side}-{part}": text
        for side, (name, _) in SIDES.items()
        for part, text in _shown(getattr(content, name)).items()
    }


def read(form: Mapping[str, str], content: Content) -> tuple[Content, dict[str, str]]:
    """The content with the addresses of the form, and what is wrong with them: field -> a sentence."""
    shown = typed(content)
    wrong: dict[str, str] = {}
    for side, (name, words) in SIDES.items():
        given = {part: _plain(part, form.get(f"{side}-{part}", shown[f"{side}-{part}"])) for part in PARTS}
        if all(given[part] == _plain(part, shown[f"{side}-{part}"]) for part in PARTS):
            continue
        wrong |= {f"{side}-{part}": told for part in PARTS if (told := _wrong(words, part, given[part]))}
        changed: dict[str, Any] = {name: _kept(given)}
        content = replace(content, **changed)
    return content, wrong


def _shown(address: Mapping[str, str]) -> dict[str, str]:
    lines = [address.get(f"line{at}", "") for at in range(1, STREET_LINES + 1)]
    return {"street": "\n".join(filter(None, lines))} | {part: address.get(part, "") for part in PARTS
                                                         if part != "street"}  # fmt: skip


def _plain(part: str, text: str) -> str:
    if part != "street":
        return clean(text)
    return "\n".join(filter(None, (clean(line) for line in text.splitlines())))


def _wrong(words: str, part: str, text: str) -> str:
    label, most = PARTS[part]
    lines = text.split("\n")
    if len(lines) > STREET_LINES:
        return f"{words}: {STREET_LINES} lines of the street are kept, these are {len(lines)}. Put two into one."
    if max(map(len, lines)) > most:
        return f"{words}: {most} letters of “{label}” are kept. Shorten it."
    return ""


def _kept(given: Mapping[str, str]) -> dict[str, str]:
    street = {f"line{at}": line for at, line in enumerate(given["street"].split("\n")[:STREET_LINES], 1)}
    return {name: text for name, text in (street | {part: given[part] for part in PARTS if part != "street"}).items()
            if text}  # fmt: skip
