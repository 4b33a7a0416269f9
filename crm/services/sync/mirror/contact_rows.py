"""Rows of contacts and lines as the sync writes them: a contact that only the books know, or one after a merge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from crm.domain.contacts import MAX_SHOWN_PHONE, Line, search_text, sort_name
from crm.domain.shared_fields import ADDRESS, fields_of, line_key


def contact_row(record: Mapping[str, Any], lines: Sequence[Line], *, active: bool, now: datetime) -> dict[str, Any]:
    """A new contact as the books know it."""
    values = fields_of(record)
    phones = [line for line in lines if line.kind == "phone" and line.label != "fax"]
    emails = [line for line in lines if line.kind == "email"]
    name = record["display_name"][:500]
    return {
        "display_name": name,
        "sort_name": sort_name(name),
        **values,
        "type": "customer",
        "phone": phones[0].value[:MAX_SHOWN_PHONE] if phones else "",
        "email": emails[0].value if emails else "",
        "source": "quickbooks",
        "link_state": "linked" if active else "inactive",
        "search_text": search_text(
            names=(name, values["given_name"], values["family_name"], values["company_name"]),
            phones=[line.normal or line.value for line in lines if line.kind == "phone"],
            emails=[line.value for line in emails],
            address=[values[part] for part in ADDRESS],
        ),
        "created_at": now,
        "updated_at": now,
        "version": 1,
    }


def point_row(contact_id: int, line: Line, position: int) -> dict[str, Any]:
    return {
        "contact_id": contact_id,
        "kind": line.kind,
        "label": line.label,
        "value": line.value[:254],
        "normal": line.normal[:254],
        "extension": line.extension[:20],
        "position": position,
        "source": "quickbooks",
    }


def row_after(
    contact: Any, values: Mapping[str, str], lines: Sequence[Any], after: Sequence[Any], now: datetime
) -> dict[str, Any]:
    phones = [line for line in after if line.kind == "phone"]
    emails = [line for line in after if line.kind == "email"]
    still = {(line.kind, line_key(line)) for line in after}
    lost = {line.kind for line in lines if (line.kind, line_key(line)) not in still}
    phone, email = contact.phone, contact.email
    if "phone" in lost or not phone:
        phone = next((line.value for line in phones if line.label != "fax"), "")[:MAX_SHOWN_PHONE]
    if "email" in lost or not email:
        email = emails[0].value if emails else ""
    return {
        **values,
        "sort_name": sort_name(values["display_name"]),
        "phone": phone,
        "email": email,
        "search_text": search_text(
            names=[values[name] for name in ("display_name", "given_name", "family_name", "company_name")],
            phones=[line.normal or line.value for line in phones] or [phone],
            emails=[line.value for line in emails] or [email],
            address=[values[part] for part in ADDRESS],
        ),
        "updated_at": now,
        "version": contact.version + 1,
    }
