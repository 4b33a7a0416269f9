"""The two files standardised the way the libraries ask for it, once for both. Needs pandas and nothing of the CRM.

Their guides say to bring both sides to one notation beforehand: small letters, no accents, no punctuation, telephone
digits only, names in parts. That is done here with a dozen lines as an analyst writes them, and its time counts with
theirs. What the CRM's reader knows beyond that (nicknames, couples, legal forms) is not given to them: knowing it is
part of the job that is measured.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pandas

TITLES = frozenset(("mr", "mrs", "ms", "dr"))
SUFFIXES = frozenset(("jr", "sr", "ii", "iii"))


def frame(path: Path) -> pandas.DataFrame:
    """One side: unique_id, first_name, surname, company, phone, mobile, email, street, city, postcode; None: empty."""
    rows = pandas.read_csv(path, dtype=str, keep_default_na=False)
    names = [split(*fields) for fields in zip(rows["name"], rows["first"], rows["last"], rows["company"], strict=True)]
    ready = pandas.DataFrame({
        "unique_id": rows["key"],
        "first_name": [first for first, _ in names],
        "surname": [last for _, last in names],
        "company": rows["company"].map(plain),
        "phone": rows["phone"].map(digits),
        "mobile": rows["mobile"].map(digits),
        "email": rows["email"].map(lambda text: text.lower().strip(" .,;")),
        "street": rows["street"].map(plain),
        "city": rows["city"].map(plain),
        "postcode": rows["zip"],
    })  # fmt: skip
    ready["full_name"] = (ready["first_name"] + " " + ready["surname"]).str.strip()
    return ready.astype(object).where(ready != "", None)


def plain(text: str) -> str:
    spread = unicodedata.normalize("NFKD", text.lower())
    return " ".join("".join(c if c.isalnum() else " " for c in spread if not unicodedata.combining(c)).split())


def digits(text: str) -> str:
    """The first ten digits of the first number in the field."""
    found = "".join(c for c in re.split(r"[;/]|x|ext|#", text.lower())[0] if c.isdigit())
    return found.removeprefix("1")[:10] if len(found) > 10 else found


def split(name: str, first: str, last: str, company: str) -> tuple[str, str]:
    """(given name, family name): the fields where they are filled, else the display name taken apart."""
    if not (first or last):
        if name == company:
            return "", ""
        name = re.split(r" - | \(", name)[0]
        if "," in name:
            last, _, first = name.partition(",")
        else:
            words = [word for word in name.split() if plain(word) not in TITLES | SUFFIXES]
            first, last = (words[0] if len(words) > 1 else "", words[-1] if words else "")
    given = [word for word in plain(first).split() if word not in TITLES]
    family = [word for word in plain(last).split() if word not in SUFFIXES]
    return given[0] if given else "", " ".join(family)
