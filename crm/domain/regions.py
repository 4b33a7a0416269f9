"""States and countries as people write them: "KS" and "Kansas" are one, whatever the letters. Pure."""

from __future__ import annotations

from crm.domain.names import fold

_STATES = """
al Alabama, ak Alaska, az Arizona, ar Arkansas, ca California, co Colorado, ct Connecticut, de Delaware,
dc District of Columbia, fl Florida, ga Georgia, hi Hawaii, id Idaho, il Illinois, in Indiana, ia Iowa, ks Kansas,
ky Kentucky, la Louisiana, me Maine, md Maryland, ma Massachusetts, mi Michigan, mn Minnesota, ms Mississippi,
mo Missouri, mt Montana, ne Nebraska, nv Nevada, nh New Hampshire, nj New Jersey, nm New Mexico, ny New York,
nc North Carolina, nd North Dakota, oh Ohio, ok Oklahoma, or Oregon, pa Pennsylvania, ri Rhode Island,
sc South Carolina, sd South Dakota, tn Tennessee, tx Texas, ut Utah, vt Vermont, va Virginia, wa Washington,
wv West Virginia, wi Wisconsin, wy Wyoming, pr Puerto Rico, ab Alberta, bc British Columbia, mb Manitoba,
nb New Brunswick, nl Newfoundland and Labrador, ns Nova Scotia, nt Northwest Territories, nu Nunavut, on Ontario,
pe Prince Edward Island, qc Quebec, sk Saskatchewan, yt Yukon
"""
_BY_NAME = {
    fold(name): code for entry in _STATES.split(",") for code, _, name in (" ".join(entry.split()).partition(" "),)
}
_COUNTRIES = {
    "usa": "us", "u s": "us", "u s a": "us", "united states": "us", "united states of america": "us",
    "canada": "ca", "uk": "gb", "united kingdom": "gb", "great britain": "gb", "mexico": "mx",
}  # fmt: skip


def state_key(text: str) -> str:
    """What two spellings of a state or province have in common: "Kansas", "KS" and "ks." -> "ks"."""
    folded = fold(text)
    return _BY_NAME.get(folded, folded)


def country_key(text: str) -> str:
    """The same for a country: "USA" and "United States" -> "us"."""
    folded = fold(text)
    return _COUNTRIES.get(folded, folded)


def postal_key(text: str) -> str:
    """A postal code without blanks and marks, in lower case: "K1A 0B6" -> "k1a0b6"."""
    return fold(text).replace(" ", "")
