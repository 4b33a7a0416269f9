"""How often Python looks for objects that only hold each other: seldom, in processes that work through many records.

By default it looks again after every 700 new objects, and through all of them each time their number has grown by a
quarter, which takes up to a third of the time in which records are read and matched. Nothing the matcher makes holds
itself; what others leave behind waits a little longer. Called as a worker of Celery starts, and by the bench alike.
"""

from __future__ import annotations

import gc

YOUNG = 20_000
"""New objects before the young ones are looked through: some four megabytes."""


def collect_seldom() -> None:
    """From now on; what is there already (modules, tables, routes) is never looked through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 100)
