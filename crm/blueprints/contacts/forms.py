"""Reading contact forms: what was typed becomes a Draft, and a conflict's choices become one form again.

Used by the contacts pages only. It decides nothing about a contact; it knows the names of the fields in the HTML.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from crm.domain.contacts import FIELDS, Draft, Entry, clean, read_tags

#: What is edited in place, together: the name of the group -> its fields.
GROUPS: dict[str, tuple[str, ...]] = {
    "name": ("display_name", "given_name", "family_name"),
    "company": ("company_name",),
    "phones": ("phones",),
    "emails": ("emails",),
    "address": ("street", "city", "region", "postal_code", "country"),
    "website": ("website",),
    "type": ("type",),
    "owner": ("owner",),
    "tags": ("tags",),
}
TEXTS = (*FIELDS, "type", "owner", "tags")


def blank() -> dict[str, Any]:
    """The form of a new contact."""
    return {name: "" for name in TEXTS} | {"type": "lead", "phones": [], "emails": []}


def of_contact(contact: Any) -> dict[str, Any]:
    """What the form shows of a contact before anybody typed."""
    form: dict[str, Any] = {name: getattr(contact, name) for name in (*FIELDS, "type")}
    form["owner"] = str(contact.owner_id or "")
    form["tags"] = ", ".join(tag.name for tag in contact.tags)
    for kind in ("phone", "email"):
        form[f"{kind}s"] = [[point.label, point.value] for point in contact.points if point.kind == kind]
    return form


def typed(data: Any) -> dict[str, Any]:
    """What was typed (a MultiDict of the request), in the shape of `of_contact`; empty lines left out.

    The line whose Remove button was pressed ("drop" = "phone-1") is left out too.
    """
    form: dict[str, Any] = {name: clean(data.get(name)) for name in TEXTS}
    for kind in ("phone", "email"):
        pairs = zip(data.getlist(f"{kind}_label"), data.getlist(kind), strict=False)
        form[f"{kind}s"] = [
            [clean(label)[:20], clean(value)]
            for place, (label, value) in enumerate(pairs)
            if clean(value) and data.get("drop") != f"{kind}-{place}"
        ]
    return form


def chosen(form: dict[str, Any], current: dict[str, Any], data: Mapping[str, str]) -> dict[str, Any]:
    """The typed form with the current value wherever a conflict's choice says so ("pick-city" = "theirs")."""
    return {name: current[name] if data.get(f"pick-{name}") == "theirs" else value for name, value in form.items()}


def lines(form: Mapping[str, Any]) -> dict[str, list[Entry]]:
    """Kind -> all its lines, for the kinds the form speaks of."""
    return {
        kind: [Entry(kind, value, label) for label, value in form[f"{kind}s"]]
        for kind in ("phone", "email")
        if f"{kind}s" in form
    }


def tags(form: Mapping[str, Any]) -> tuple[str, ...] | None:
    """None where the form does not speak of tags."""
    return read_tags(form["tags"]) if "tags" in form else None


def draft(form: Mapping[str, Any]) -> Draft:
    entries = [entry for group in lines(form).values() for entry in group]
    values = {name: form[name] for name in (*FIELDS, "type")}
    owner = form["owner"]
    return Draft(values, tuple(entries), read_tags(form["tags"]), int(owner) if owner.isdigit() else None)


def conflicts(mine: Mapping[str, Any], base: Mapping[str, Any], current: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The fields on which both sides differ: what was typed, what stands there now, and which one is proposed."""
    out = []
    for name, value in mine.items():
        if name in current and value != current[name]:
            untouched = name in base and value == base[name]
            out.append({"name": name, "mine": value, "now": current[name], "pick": "theirs" if untouched else "mine"})
    return out


def packed(form: Mapping[str, Any]) -> str:
    return json.dumps(form)


def unpacked(text: str) -> dict[str, Any]:
    """What the form held when it was opened; only used to propose a side, so that a broken one is simply empty."""
    try:
        form = json.loads(text)
    except ValueError:
        return {}
    return form if isinstance(form, dict) else {}


def version(data: Mapping[str, str]) -> int:
    text = data.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
