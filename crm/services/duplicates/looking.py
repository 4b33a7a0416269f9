"""Which records of one sort come together by an identity key, and what the rules say of each pair. Reads only.

Cost grows with the number of records: a key held by many (`identity.finds`) brings nobody together, so a record has
few candidates however many records there are. What a pair is depends on the two records, on how many hold their keys,
and on what people said; neither on ids nor on what was looked at before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.domain import duplicates
from crm.domain.identity import finds
from crm.domain.matching import Outcome, Scored, Settings
from crm.queries import households, match_settings
from crm.services.duplicates.subjects import ASKED, Subject, subjects, told_apart
from crm.services.identity_keys import KEYS, chunks

Pair = tuple[int, int]
"""The smaller id first."""


class Looking:
    """One look at one sort of records within one transaction; what was read once is not asked for again."""

    def __init__(self, session: Session, sort: str, *, settings: Settings | None = None) -> None:
        """`settings`: None asks for those in force."""
        self.session, self.sort = session, sort
        self._keys: dict[int, frozenset[str]] = {}
        self._frequency: dict[str, int] = {}
        self._settings = settings

    def keys_of(self, ids: Iterable[int]) -> Mapping[int, frozenset[str]]:
        """The keys of at least these records; none for what has none (archived, a job, gone)."""
        missing = sorted({id_ for id_ in ids if id_ not in self._keys})
        for part in chunks(missing, ASKED):
            found: dict[int, set[str]] = {id_: set() for id_ in part}
            for owner, key in self.session.execute(
                select(KEYS.c.owner_id, KEYS.c.key).where(KEYS.c.owner_kind == self.sort, KEYS.c.owner_id.in_(part))
            ):
                found[owner].add(key)
            self._keys |= {id_: frozenset(keys) for id_, keys in found.items()}
        return self._keys

    def frequency_of(self, keys: Iterable[str]) -> Mapping[str, int]:
        """How many records of the sort hold each of at least these keys."""
        missing = sorted({key for key in keys if key not in self._frequency})
        for part in chunks(missing, ASKED):
            self._frequency |= dict.fromkeys(part, 0)
            counted = select(KEYS.c.key, func.count()).where(KEYS.c.owner_kind == self.sort, KEYS.c.key.in_(part))
            self._frequency |= {key: number for key, number in self.session.execute(counted.group_by(KEYS.c.key))}
        return self._frequency

    def holders(self, keys: Iterable[str]) -> dict[str, list[int]]:
        """Key -> the records that hold it, in no order."""
        held: dict[str, list[int]] = {}
        for part in chunks(sorted(set(keys)), ASKED):
            query = select(KEYS.c.key, KEYS.c.owner_id).where(KEYS.c.owner_kind == self.sort, KEYS.c.key.in_(part))
            for key, owner in self.session.execute(query):
                held.setdefault(key, []).append(owner)
        return held

    def pairs_with(self, ids: Iterable[int], *, later: bool = False) -> set[Pair]:
        """Pairs of these records and any that share a key which finds. `later`: each only with those of higher ids."""
        wanted = set(ids)
        known = self.keys_of(wanted)
        own = {id_: known[id_] for id_ in wanted}
        frequency = self.frequency_of(key for keys in own.values() for key in keys)
        held = self.holders(
            key for keys in own.values() for key in keys if frequency[key] > 1 and finds(key, frequency[key])
        )
        return {
            (min(id_, other), max(id_, other))
            for id_, keys in own.items()
            for key in keys
            for other in held.get(key, ())
            if other > id_ or (other < id_ and not later)
        }

    def pairs_among(self, keys: Iterable[str]) -> set[Pair]:
        """Pairs of the holders of each of these keys, where it finds."""
        frequency = self.frequency_of(keys := list(keys))
        held = self.holders(key for key in keys if frequency[key] > 1 and finds(key, frequency[key]))
        return {pair for owners in held.values() for pair in combinations(sorted(owners), 2)}

    def judged(self, pairs: Iterable[Pair]) -> dict[Pair, Scored]:
        """Those of these pairs that are not apart."""
        pairs = list(pairs)
        keys = self.keys_of(id_ for pair in pairs for id_ in pair)
        shared = {pair: keys[pair[0]] & keys[pair[1]] for pair in pairs}
        frequency = self.frequency_of(key for common in shared.values() for key in common)
        met = [pair for pair in pairs if duplicates.meet(shared[pair], frequency)]
        known = subjects(self.session, self.sort, (id_ for pair in met for id_ in pair))
        found = {}
        for one, other in met:
            if one in known and other in known and known[one].connection_id == known[other].connection_id:
                scored = self._judge(known[one], known[other], frequency)
                if scored.outcome is not Outcome.APART:
                    found[one, other] = scored
        return self._without_told_apart(found)

    def _without_told_apart(self, found: dict[Pair, Scored]) -> dict[Pair, Scored]:
        """A person who says that somebody is not this customer has said it of the customer's contact too; and who
        belongs to somebody's household is another person."""
        if self.sort == "customer" or not found:
            return found
        ids = {id_ for pair in found for id_ in pair}
        apart = told_apart(self.session, ids) | households.belong_together(ids)
        return {pair: scored for pair, scored in found.items() if pair not in apart}

    def _judge(self, one: Subject, other: Subject, frequency: Mapping[str, int]) -> Scored:
        if self._settings is None:
            self._settings = match_settings.current(self.session)
        one_tree = bool(one.root) and one.root == other.root
        return duplicates.judge(
            one.identity, other.identity, frequency=frequency, one_tree=one_tree, settings=self._settings
        )
