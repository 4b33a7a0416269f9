"""History that is read from the database once and gone through as often as needed: by what is learned, by what is
predicted, and by the back-test.

It lies in a file without a name, a range of contacts at a time, so that memory stays flat however long the history is;
the system forgets the file when the spool is closed or the process ends. Nothing but this process ever reads it.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from crm.db import end_reading
from crm.queries import forecast_history as histories

One = TypeVar("One")


class Spool(Generic[One]):
    """Filled once, in `with`. Called, it gives everything from the beginning, as the back-tests ask for it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end of the with
        self._starts: list[int] = []

    def __enter__(self) -> Spool[One]:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def fill(self, read: Callable[[histories.Range], Iterable[One]]) -> Iterator[One]:
        """Gives what it keeps, to be learned from on the way. At the end nothing is held in the database."""
        for part in histories.ranges():
            found = list(read(part))
            self._starts.append(self._file.tell())
            pickle.dump((part, found), self._file, protocol=pickle.HIGHEST_PROTOCOL)
            yield from found
        end_reading()

    def parts(self) -> Iterator[tuple[histories.Range, list[One]]]:
        """(range of contacts, what was read of them), in the order of reading; several may run side by side."""
        for start in self._starts:
            self._file.seek(start)
            yield pickle.load(self._file)

    def __call__(self) -> Iterator[One]:
        for _, found in self.parts():
            yield from found
