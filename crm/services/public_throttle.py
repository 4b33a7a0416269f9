"""How often a customer's page may be asked for something: per link and per address, counted over all processes.

The tries are rows beside those of failed sign-ins, under names that nobody can type there: neither counts for the
other. Reading a page is not counted; answering, PDFs and addresses that open nothing are.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from crm import config
from crm.db import db
from crm.domain.errors import TooMany
from crm.models import SignInAttempt

WINDOW = timedelta(minutes=15)
LIMITS: dict[str, tuple[int, int]] = {"answer": (20, 60), "file": (60, 200), "unknown": (60, 60)}
"""What is asked for -> tries per link, tries per address."""


def admit(what: str, *, link_id: int, ip: str, now: datetime) -> None:
    """Count this try. Raises TooMany, with the seconds to wait, where there were too many lately; then it is not
    counted. `link_id` is 0 for an address that opens nothing."""
    link, address = _name(f"{what} link {link_id}"), _name(f"{what} address {ip}")
    for column, name, most in (
        (SignInAttempt.email, link, LIMITS[what][0] if link_id else None),
        (SignInAttempt.ip, address, LIMITS[what][1]),
    ):
        if most is not None:
            _refuse(column == name, most, now)
    db.session.add(SignInAttempt(email=link, ip=address, at=now))
    db.session.execute(delete(SignInAttempt).where(SignInAttempt.at < now - timedelta(days=1)))


def _refuse(mine: object, most: int, now: datetime) -> None:
    query = select(func.count(), func.min(SignInAttempt.at)).where(mine, SignInAttempt.at >= now - WINDOW)  # type: ignore[arg-type]
    tries, first = db.session.execute(query).one()
    if tries >= most:
        wait = max(1, int((first + WINDOW - now).total_seconds()))
        minutes = -(-wait // 60)
        raise TooMany(
            f"That was very often in a short time. Wait {minutes} minute{'s' if minutes != 1 else ''}, then try again.",
            retry_after=wait,
        )


def _name(text: str) -> str:
    """Not to be guessed: whoever could name a link here could lock its customer out from the sign-in page."""
    secret = config.current().secret_key.encode()
    return "q:" + hmac.new(secret, f"public throttle {text}".encode(), hashlib.sha256).hexdigest()[:40]
