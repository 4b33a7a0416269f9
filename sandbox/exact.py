"""JSON with exact numbers: decimals in, decimals out, never through binary floating point.

Every other module reads and writes JSON with these two functions. ``loads`` turns each number with a fraction
into a Decimal; ``dumps`` writes a Decimal as a JSON number, as QuickBooks does: no needless zeros, one digit
after the point for whole amounts (100.0), a bare 0 for nothing [recorded: void_invoice_sequence].
"""

import json
from decimal import Decimal
from typing import Any

import orjson


def number(value: Decimal) -> str:
    """The JSON text of a decimal: Decimal("12.50") -> 12.5, Decimal("100.00") -> 100.0, zero -> 0."""
    if not value:
        return "0"
    text = format(value, "f")
    if "." not in text:
        return text + ".0"
    text = text.rstrip("0")
    return text + "0" if text.endswith(".") else text


def _raw(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(number(value))
    raise TypeError(f"cannot be written as JSON: {type(value).__name__}")


def dumps(value: Any) -> str:
    """Compact JSON text of ``value``; Decimals stay exact."""
    return orjson.dumps(value, default=_raw).decode()


def loads(text: str | bytes) -> Any:
    """Parse JSON; numbers with a fraction or an exponent become Decimal. Raises ValueError."""
    return json.loads(text, parse_float=Decimal)
