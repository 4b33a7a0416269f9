"""Amounts of a currency: how many decimals it has, reading, rounding, sharing out without losing a cent, telling.

Used by whatever calculates documents and payments. Exact Decimals, never floats; halves are rounded away from zero, as
QuickBooks rounds an amount and the credit of the same amount alike. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import ROUND_HALF_UP, Decimal, localcontext

ZERO = Decimal(0)
HUNDRED = Decimal(100)
MOST = Decimal(99_999_999_999)
"""The largest amount, price or quantity QuickBooks keeps."""
_DIGITS = 60
"""Significant digits while calculating: more than the longest quantity times the longest price has."""
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
_DECIMALS = dict.fromkeys(_NO_DECIMALS.split(), 0) | dict.fromkeys(_THREE_DECIMALS.split(), 3)
"""ISO 4217, where it is not two."""


_TYPED = re.compile(r"(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?", re.ASCII)


def read_number(text: str) -> Decimal | None:
    """What a person typed: "$1,234.50" -> 1234.50, nothing -> None. Raises ValueError for what is no number.

    A comma stands between thousands and nowhere else: "1,5", which half of the world reads as one and a half, is
    refused and never taken for 15.
    """
    bare = text.strip()
    sign = "-" if bare.startswith("-") else ""
    bare = bare.removeprefix(sign or "+").lstrip("$€£ ")
    if not sign and bare.startswith("-"):  # $-5
        sign, bare = "-", bare[1:]
    if not bare and not sign:
        return None
    if not _TYPED.fullmatch(bare) or not any(sort.isdigit() for sort in bare):
        raise ValueError(text)
    return Decimal(sign + bare.replace(",", ""))


def decimals(currency: str) -> int:
    """How many decimals an amount of this currency has; two where the currency is not known."""
    return _DECIMALS.get(currency.upper(), 2)


@contextmanager
def exactly() -> Iterator[None]:
    """Products and sums inside are exact whatever the caller's precision is; only `rounded` rounds."""
    with localcontext() as context:
        context.prec = _DIGITS
        yield


def rounded(value: Decimal, currency: str) -> Decimal:
    """To the smallest unit of the currency, halves away from zero; never minus zero."""
    with exactly():
        return value.quantize(Decimal(1).scaleb(-decimals(currency)), ROUND_HALF_UP) + ZERO


def places(value: Decimal) -> int:
    """Decimals that say something: 2 for 1.250."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def countable(value: Decimal | None) -> Decimal:
    """The figure, or nothing where there is none that can be calculated with (missing, infinite, beyond MOST)."""
    return value if value is not None and value.is_finite() and abs(value) <= MOST else ZERO


def told(value: Decimal, currency: str) -> str:
    """As it stands in a sentence: "1,234.50 USD"."""
    return f"{value:,.{decimals(currency)}f} {currency}".rstrip()


def share_out(amount: Decimal, weights: Sequence[Decimal | int], currency: str) -> list[Decimal]:
    """The amount in parts proportional to the weights, each a whole number of the smallest unit, together exact.

    Units left over by rounding down go to the largest remainders, of equal ones to the first. The weights may be of
    either sign; where they sum to nothing, there must be nothing to share out.
    """
    with exactly():
        unit = Decimal(1).scaleb(-decimals(currency))
        whole = int(amount / unit)
        parts = _shares(whole, _as_integers(weights))
        return [part * unit for part in parts]


def _as_integers(weights: Sequence[Decimal | int]) -> list[int]:
    longest = max((places(Decimal(weight)) for weight in weights), default=0)
    return [int(Decimal(weight).scaleb(longest)) for weight in weights]


def _shares(amount: int, weights: Sequence[int]) -> list[int]:
    total = sum(weights)
    if not total:
        if amount:
            raise ValueError("nothing to share out by: the weights sum to zero")
        return [0] * len(weights)
    parts = [amount * weight // total for weight in weights]
    rests = [(amount * weight - part * total) * (1 if total > 0 else -1)
             for weight, part in zip(weights, parts, strict=True)]  # fmt: skip
    left = amount - sum(parts)
    for place in sorted(range(len(parts)), key=lambda place: -rests[place])[:left]:
        parts[place] += 1
    return parts
