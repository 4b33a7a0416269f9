"""Times as QuickBooks writes them: Pacific offset, whole seconds in records, milliseconds in envelopes.

The store keeps UTC text that sorts; answers carry Pacific text [recorded in all exchanges, FACTS 2.1].
"""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")


def utc_now() -> datetime:
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """A record's CreateTime or LastUpdatedTime: 2026-05-05T02:05:12-07:00."""
    return moment.astimezone(PACIFIC).isoformat(timespec="seconds")


def envelope_time(moment: datetime) -> str:
    """The ``time`` member of an answer: 2026-05-05T02:05:12.193-07:00."""
    return moment.astimezone(PACIFIC).isoformat(timespec="milliseconds")


def sortable(moment: datetime) -> str:
    """UTC text for the store; compares as text in the order of time. Whole seconds, like the records."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(text: str) -> datetime:
    """Read a time or a date as the API accepts it; without an offset it is taken as Pacific. Raises ValueError."""
    moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=PACIFIC)


def today(moment: datetime) -> date:
    """The server's day, used when TxnDate is left out [FACTS 7 #7]."""
    return moment.astimezone(PACIFIC).date()
