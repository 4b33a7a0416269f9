"""`python -m bench` whose parts are forked from one process that has imported the CRM, instead of importing it each.

For tests alone: what is measured here is not judged. A part still has its own memory, environment, argument and output,
and its module runs as the main one. What `bench.child.run` does, one of the tests proves with processes of their own.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import runpy
import sys
import tempfile
import traceback
from collections.abc import Mapping
from typing import Any

import crm
from bench import child


def run(part: str, environment: Mapping[str, str] | None = None, **given: Any) -> dict[str, Any]:
    """As `bench.child.run`. Raises PartFailed with the end of what the part wrote to standard error."""
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as wrong:
        sys.stdout.flush()
        number = os.fork()
        if not number:
            os.dup2(said.fileno(), 1)
            os.dup2(wrong.fileno(), 2)
            _become(part, environment or {}, given)
        _, status = os.waitpid(number, 0)
        said.seek(0)
        wrong.seek(0)
        if status:
            raise child.PartFailed(f"{part} failed:\n{wrong.read()[-3000:]}")
        answered: dict[str, Any] = json.loads(said.read().strip().splitlines()[-1])
        return answered


def _become(part: str, environment: Mapping[str, str], given: dict[str, Any]) -> None:
    """The rest of a forked process's life."""
    code = 1
    try:
        os.environ.update(environment)
        sys.argv = [part, json.dumps(given)]
        runpy.run_module(f"bench.{part}", run_name="__main__", alter_sys=True)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    for module in pkgutil.walk_packages(crm.__path__, "crm."):
        importlib.import_module(module.name)
    child.run = run
    runpy.run_module("bench", run_name="__main__", alter_sys=True)
