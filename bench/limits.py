"""How long calls take at the least within what QuickBooks allows one company, however fast the machine is."""

from __future__ import annotations

A_SECOND, A_MINUTE, BATCHES_A_MINUTE = 10, 500, 40


def seconds(calls: int, batches: int = 0) -> float:
    """When the last of them may begin, the first beginning at 0, `batches` of them being batches (and coming first).

    Windows slide: the call that comes `most` calls later may begin when its window is over.
    """
    at: list[float] = []
    for number in range(calls):
        moment = at[-1] if at else 0.0
        for most, window in ((A_SECOND, 1.0), (A_MINUTE, 60.0), (BATCHES_A_MINUTE, 60.0)):
            if number >= most and (most != BATCHES_A_MINUTE or number < batches):
                moment = max(moment, at[number - most] + window)
        at.append(moment)
    return at[-1] if at else 0.0
