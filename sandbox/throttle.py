"""Sliding windows of requests per company, and counters of calls by kind.

``Throttle`` limits (FACTS 3.1) are kept in memory; the API asks ``admit`` before anything else. ``Counters`` count
what was called so that a client's cost can be read: each batch item is a call [FACTS 3.2].
"""

import threading
import time
from collections import Counter, defaultdict, deque

from sandbox.settings import Throttle

READS = frozenset({"read", "query", "cdc", "pdf", "companyinfo", "preferences", "report"})


class Gate:
    """Decides whether a company may be called once more."""

    def __init__(self, limits: Throttle):
        self.limits = limits
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], deque[float]] = defaultdict(deque)

    def admit(self, realm: str, *, batch: bool) -> bool:
        now = time.monotonic()
        windows = [("second", self.limits.per_second, 1.0), ("minute", self.limits.per_minute, 60.0)]
        if batch:
            windows.append(("batch", self.limits.batches_per_minute, 60.0))
        windows = [window for window in windows if window[1]]
        with self._lock:
            for name, limit, span in windows:
                seen = self._seen[realm, name]
                while seen and seen[0] <= now - span:
                    seen.popleft()
                if len(seen) >= limit:
                    return False
            for name, _, _ in windows:
                self._seen[realm, name].append(now)
        return True

    def reset(self) -> None:
        with self._lock:
            self._seen.clear()


class Counters:
    """Calls per company and kind, since start or reset."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, realm: str, kind: str, number: int = 1) -> None:
        with self._lock:
            self._counts[realm][kind] += number

    def snapshot(self) -> dict[str, dict[str, int]]:
        """Realm -> kind -> calls, with "coreplus" (metered reads) and "core" (writes) added up."""
        with self._lock:
            counts = {realm: dict(kinds) for realm, kinds in self._counts.items()}
        for kinds in counts.values():
            reads = sum(number for kind, number in kinds.items() if kind in READS)
            apart = READS | {"batch", "throttled", "refused", "refresh"}
            kinds |= {"coreplus": reads, "core": sum(n for kind, n in kinds.items() if kind not in apart)}
        return counts

    def reset(self) -> None:
        with self._lock:
            self._counts.clear()
