"""One measured part in a process of its own: JSON in as its argument, JSON out as the last line it prints.

`run` starts `python -m bench.<part>` and waits; `answer` is what such a module calls. The memory reported is the peak
of that process alone, from its start.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class PartFailed(Exception):
    """A part ended with an error; its last words are the message."""


def run(
    part: str, environment: Mapping[str, str] | None = None, *, python: str = sys.executable, **given: Any
) -> dict[str, Any]:
    """What `python -m bench.<part>` answers. Raises PartFailed with the end of what it wrote to standard error."""
    command = [python, "-m", f"bench.{part}", json.dumps(given)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PartFailed(f"{part} failed:\n{done.stderr[-3000:]}")
    answered: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answered


def answer(part: Callable[..., dict[str, Any]]) -> None:
    """Do the part with what the parent gave, and print what it returns with the peak memory of this process."""
    given = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    result = part(**given)
    print(json.dumps({"peak_mb": round(peak_mb(), 1), **result}))


def peak_mb() -> float:
    """The most memory this process ever held at once (resident set), in MB of 1,000,000 bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage also counts what the parent held when it forked
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6
