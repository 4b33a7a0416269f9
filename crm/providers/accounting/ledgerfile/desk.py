"""The owner's side of the folder: lay one out, agree to a connection, write in the books by hand.

For developers and tests; the application never calls it. By hand means: past the passes, but through the same rules
and the same way of writing as a push.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from crm.providers.accounting.ledgerfile import files
from crm.providers.accounting.ledgerfile.ledger import Ledger, root_of, stamp
from crm.providers.accounting.ledgerfile.oauth import CODE_LIFE, hashed, open_grants


def lay_out(root: Path, *, keys: Mapping[str, str], companies: Mapping[str, Mapping[str, Any]]) -> None:
    """A new folder: `keys` are client ids with their secrets, `companies` the company papers by name."""
    files.write(root / "keys.json", json.dumps({who: hashed(secret) for who, secret in keys.items()}).encode())
    for name, paper in companies.items():
        files.write(root / name / "company.json", json.dumps(paper).encode())


def answer(url: str, company: str, *, agree: bool) -> str:
    """Answer the address a person was sent to; returns the address they go back to."""
    address, _, _ = url.partition("/agree?")
    asked = dict(parse_qsl(urlsplit(url).query))
    if not agree:
        return f"{asked['back']}?{urlencode({'error': 'access_denied', 'state': asked['state']})}"
    code = f"code-{secrets.token_urlsafe(24)}"
    with open_grants(root_of(address)) as grants:
        grants["codes"][hashed(code)] = {
            "company": company,
            "challenge": asked["challenge"],
            "until": stamp(datetime.now(UTC) + CODE_LIFE),
        }
    return f"{asked['back']}?{urlencode({'code': code, 'state': asked['state'], 'realmId': company})}"


def expire_passes(root: Path) -> None:
    """As if the passes' time were over; renewals still work."""
    with open_grants(root) as grants:
        for grant in grants["grants"].values():
            grant["access_until"] = stamp(datetime(2000, 1, 1, tzinfo=UTC))


def end_all(root: Path) -> None:
    """The owner ends every permission."""
    with open_grants(root) as grants:
        grants["grants"].clear()


def write(ledger: Ledger, kind: str, paper: Mapping[str, Any], remote_id: str = "") -> str:
    """Write a record as a whole; its id."""
    remote_id = remote_id or ledger.new_id(kind)
    with ledger.writing():
        ledger.put(kind, remote_id, paper)
    return remote_id


def change(ledger: Ledger, kind: str, remote_id: str, **fields: Any) -> None:
    paper = ledger.raw(kind, remote_id)
    if paper is None:
        raise KeyError(remote_id)
    write(ledger, kind, {**paper, **fields}, remote_id)


def remove(ledger: Ledger, kind: str, remote_id: str) -> None:
    with ledger.writing():
        ledger.drop(kind, remote_id)
