"""The disk: the only place of this provider that reads, writes and locks files. Knows no accounting.

A write is whole or not there (written beside, then renamed). Everything raises OSError as the system does; what that
means is for `errors`. Tests put misfortune here.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def read(path: Path) -> bytes:
    return path.read_bytes()


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def names(folder: Path) -> list[str]:
    """Names of the JSON files of a folder without their ending, in order; none where there is no folder. Raises
    FileNotFoundError where even the folder around it is missing: a share that is not there holds not nothing."""
    if not folder.is_dir():
        folder.parent.stat()
        return []
    return sorted(path.stem for path in folder.iterdir() if path.suffix == ".json" and not path.name.startswith("."))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One writer at a time, whatever process it lives in; released by the system when that one dies."""
    with (folder / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
