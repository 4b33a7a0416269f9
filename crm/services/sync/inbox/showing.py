"""A delivery as a person may read it: laid out in lines, and the ids of companies masked to their last four digits.

Which texts are ids of companies says the provider's own reading of the body; where it cannot be read, every long run of
digits is masked.
"""

from __future__ import annotations

import json
import re

from crm.providers.accounting import registry

LONG_NUMBER = re.compile(r"(?<![\w.-])\d{9,}(?![\w-])")
"""No id of an object is so long."""


def readable_body(provider: str, body: str) -> str:
    """The body of a delivery, pretty-printed where it is JSON."""
    try:
        pretty = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        pretty = body
    for company in sorted(_companies(provider, body), key=len, reverse=True):
        pretty = re.sub(rf"(?<!\w){re.escape(company)}(?!\w)", masked(company), pretty)
    return LONG_NUMBER.sub(lambda found: masked(found.group()), pretty)


def masked(text: str) -> str:
    """`9341452123456789` -> `••••6789`; four characters and fewer are hidden altogether."""
    return "••••" + (text[-4:] if len(text) > 4 else "")


def _companies(provider: str, body: str) -> set[str]:
    try:
        return {said.realm_id for said in registry.webhooks(provider).parse(body.encode()).notifications} - {""}
    except ValueError:
        return set()  # not readable: what is long and made of digits is masked anyway
