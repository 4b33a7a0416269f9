"""Places as people write them, brought to one key: "kansas", "KS" and "Ks." are one state. Pure.

Where an address says another country, or a state nobody knows, its own text is the key. Sums by place and the lists
they open ask the same functions, so that both hold the same documents.
"""

from __future__ import annotations

import re

from crm.domain.names import fold
from crm.domain.regions import state_key

STATES: dict[str, str] = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "DC": "District of Columbia", "FL": "Florida", "GA": "Georgia",
    "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas", "KY": "Kentucky",
    "LA": "Louisiana", "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota",
    "MS": "Mississippi", "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire",
    "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York", "NC": "North Carolina", "ND": "North Dakota",
    "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania", "RI": "Rhode Island",
    "SC": "South Carolina", "SD": "South Dakota", "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont",
    "VA": "Virginia", "WA": "Washington", "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming",
    "PR": "Puerto Rico",
}  # fmt: skip
NONE = "none"
"""In an address of a page: those that say no state, city or postal code."""
_ZIP = re.compile(r"\d{5}-.{4}", re.DOTALL)


def region_key(text: str) -> str:
    """The code ("KS") of any way to write Kansas; NONE of nothing; else the folded text."""
    key = state_key(text)
    return key.upper() if key.upper() in STATES else key or NONE


def city_key(text: str) -> str:
    """The folded name; NONE of nothing."""
    return fold(text) or NONE


def postal_key(text: str) -> str:
    """Five digits of a US code with its four more; else the code without blanks around it; NONE of nothing."""
    plain = text.strip()
    return plain[:5] if _ZIP.fullmatch(plain) else plain or NONE


def region_name(key: str) -> str:
    """As it is written on a page."""
    return "No state" if key == NONE else STATES.get(key) or key.title()


def city_name(key: str) -> str:
    return "No city" if key == NONE else key.title()
