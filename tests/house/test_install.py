"""tools/install.py, the first thing a stranger runs: every failure ends in one clear line, with the way out."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "install.py"
PIP = "ERROR: Could not find a version\nERROR: No matching distribution found for flask==3.1.2\n"
DEBIAN = "The virtual environment was not created successfully because ensurepip is not\navailable."


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script in an empty project of its own, whose `run` answers what `ran` says."""
    spec = importlib.util.spec_from_file_location("install_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", str(tmp_path))
    monkeypatch.setattr(module, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(module, "PYTHON", str(tmp_path / ".venv" / "bin" / "python"))
    monkeypatch.setattr(module, "STAMP", str(tmp_path / ".venv" / "installed"))
    (tmp_path / "requirements.txt").write_text("flask==3.1.2\n")
    (tmp_path / "requirements-dev.txt").write_text("flask==3.1.2\npytest==9.0.0\n")
    return module


@pytest.fixture
def answers(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """`answers(fails={"venv": "text"})`: commands holding the word fail with the text; returns all that are run."""

    def set_up(fails: dict[str, str]) -> list[list[str]]:
        commands: list[list[str]] = []

        def run(command: list[str]) -> Any:
            commands.append(command)
            text = next((text for word, text in fails.items() if word in command), None)
            if text is None and "venv" in command:
                Path(install.PYTHON).parent.mkdir(parents=True)
                Path(install.PYTHON).touch()
            return SimpleNamespace(returncode=0 if text is None else 1, stdout="", stderr=text or "")

        monkeypatch.setattr(install, "run", run)
        return commands

    return set_up


def test_a_python_too_old_is_told_which_one_is_needed_and_how_to_name_it() -> None:
    pretend = (
        "import platform, runpy, sys; sys.version_info = (3, 9, 2); platform.python_version = lambda: '3.9.2';"
        f"sys.argv = ['install.py']; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    )
    result = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == (
        "Python 3.9.2 is too old: Tradebook needs 3.11 or newer. Point to one with: make PYTHON=python3.12 ...\n"
    )


def test_an_old_python_can_read_the_script_that_refuses_it() -> None:
    tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 5))
    newer = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr | ast.NamedExpr | ast.AnnAssign)]
    assert newer == []
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.returns is not None]


def test_a_python_without_venv_is_told_what_to_install(
    install: ModuleType, answers: Callable[..., list[list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    answers(fails={"venv": DEBIAN})
    with pytest.raises(SystemExit):
        install.main([])
    assert capsys.readouterr().err == (
        "This Python cannot make virtual environments. On Debian or Ubuntu: sudo apt-get install python3-venv\n"
    )


def test_another_failure_to_make_the_environment_keeps_its_reason(
    install: ModuleType, answers: Callable[..., list[list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    answers(fails={"venv": "Error: [Errno 28] No space left on device\n"})
    with pytest.raises(SystemExit):
        install.main([])
    assert capsys.readouterr().err == "Making .venv failed: Error: [Errno 28] No space left on device\n"


def test_a_failed_download_is_one_line_and_is_tried_again_next_time(
    install: ModuleType, answers: Callable[..., list[list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    answers(fails={"install": PIP})
    with pytest.raises(SystemExit):
        install.main([])
    assert capsys.readouterr().err == (
        "Downloading the requirements failed: ERROR: No matching distribution found for flask==3.1.2"
        " Check the network and run the same command again.\n"
    )
    assert install.installed() == ""


def test_pip_has_the_last_word_when_uv_finds_nothing(
    install: ModuleType, answers: Callable[..., list[list[str]]]
) -> None:
    commands = answers(fails={"--python": "error: Failed to fetch"})
    install.main([])
    assert commands[-1][1:3] == ["-m", "pip"] and "--require-hashes" in commands[-1]
    assert install.installed() == install.digest("requirements.txt")


def test_nothing_is_done_the_second_time(install: ModuleType, answers: Callable[..., list[list[str]]]) -> None:
    commands = answers(fails={})
    install.main(["--dev"])
    done = len(commands)
    install.main(["--dev"])
    install.main([])  # what tests need holds what the product needs
    assert done and len(commands) == done
    Path(install.ROOT, "requirements-dev.txt").write_text("flask==3.1.3\n")
    install.main(["--dev"])
    assert len(commands) > done
