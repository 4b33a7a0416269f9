"""Which item of the books is which product of ours: by SKU, then by name, never two of one side with one of the other.

Called by the import; where it is not certain, a person is told and decides. Pure.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from crm.domain.names import without_deleted


@dataclass(frozen=True, slots=True)
class Named:
    """An item of the books, or a product of ours."""

    key: str
    name: str
    sku: str = ""
    type: str = ""
    active: bool = True
    category: str = ""
    """Path of its category: the same name may stand in two."""


@dataclass(frozen=True, slots=True)
class Pair:
    item: str
    product: str
    by: str
    """`sku` or `name`."""


@dataclass(frozen=True, slots=True)
class Doubt:
    item: str
    products: tuple[str, ...]
    """Keys, those a person chooses among; sorted."""
    sentence: str


@dataclass(frozen=True, slots=True)
class Matches:
    pairs: tuple[Pair, ...]
    doubts: tuple[Doubt, ...]
    items_alone: tuple[str, ...]
    products_alone: tuple[str, ...]
    """Neither paired nor in a doubt."""


def match(items: Iterable[Named], products: Iterable[Named]) -> Matches:
    """Every item is in exactly one of pairs, doubts and items_alone; a product is in one pair at most.

    A SKU decides where one of each side has it; then category and name, then the name alone. Whatever several share,
    and a name whose SKUs or categories differ, is a doubt. The order in which they come does not matter.
    """
    theirs = {one.key: one for one in sorted(items, key=lambda one: one.key)}
    ours = {one.key: one for one in sorted(products, key=lambda one: one.key)}
    pairs: dict[str, Pair] = {}
    doubts: dict[str, Doubt] = {}
    for by, value in (("sku", _sku), ("name", _path), ("name", _name)):
        _pass(by, value, theirs, ours, pairs=pairs, doubts=doubts)
    taken = {pair.product for pair in pairs.values()}
    for key, doubt in list(doubts.items()):
        left = tuple(product for product in doubt.products if product not in taken)
        if left:
            doubts[key] = Doubt(key, left, doubt.sentence)
        else:
            del doubts[key]
    asked = {product for doubt in doubts.values() for product in doubt.products}
    return Matches(
        tuple(pairs.values()),
        tuple(doubts.values()),
        tuple(key for key in theirs if key not in pairs and key not in doubts),
        tuple(key for key in ours if key not in taken and key not in asked),
    )


def _pass(
    by: str,
    value: Callable[[Named], str],
    theirs: Mapping[str, Named],
    ours: Mapping[str, Named],
    *,
    pairs: dict[str, Pair],
    doubts: dict[str, Doubt],
) -> None:
    """One round: of those not paired or in doubt yet, by one property."""
    taken = {pair.product for pair in pairs.values()}
    there = _by(value, (one for one in theirs.values() if one.key not in pairs and one.key not in doubts))
    here = _by(value, (one for one in ours.values() if one.key not in taken))
    for text, found in there.items():
        candidates = here.get(text, [])
        if not candidates:
            continue
        why = _why_doubtful(by, found, candidates)
        for item in found:
            if why:
                doubts[item.key] = Doubt(item.key, tuple(one.key for one in candidates), why)
            else:
                pairs[item.key] = Pair(item.key, candidates[0].key, by)


def _why_doubtful(by: str, items: Sequence[Named], products: Sequence[Named]) -> str:
    item, product = items[0], products[0]
    shown = f"SKU {item.sku.strip()}" if by == "sku" else f"the name “{_bare(item.name)}”"
    if len(items) > 1:
        return f"{len(items)} items in QuickBooks have {shown}. Choose which of them is this product."
    if len(products) > 1:
        return f"{len(products)} products here have {shown}. Choose the one this item is."
    if by == "name" and _sku(item) and _sku(product):
        return (f"Both have {shown}, but the SKUs differ: {item.sku.strip()} in QuickBooks, {product.sku.strip()} "
                "here. Say whether they are the same.")  # fmt: skip
    if by == "name" and _plain(item.category) != _plain(product.category) and item.category and product.category:
        return (f"Both have {shown}, but in other categories: {item.category} in QuickBooks, {product.category} here. "
                "Say whether they are the same.")  # fmt: skip
    if item.type and product.type and (item.type == "category") != (product.type == "category"):
        return f"Both have {shown}, but one is a category. Say whether they are the same."
    return ""


def _by(value: Callable[[Named], str], all_of: Iterable[Named]) -> dict[str, list[Named]]:
    found: dict[str, list[Named]] = defaultdict(list)
    for one in all_of:
        if text := value(one):
            found[text].append(one)
    return found


def _sku(one: Named) -> str:
    return "".join(one.sku.split()).casefold()


def _name(one: Named) -> str:
    return _plain(_bare(one.name))


def _path(one: Named) -> str:
    return f"{_plain(one.category)}:{_name(one)}" if one.category and _name(one) else ""


def _bare(name: str) -> str:
    return without_deleted(name.strip()).strip()


def _plain(text: str) -> str:
    """As names of items are compared: spaces and case aside. Marks count: “Pipe 1/2” is no “Pipe 12”."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
