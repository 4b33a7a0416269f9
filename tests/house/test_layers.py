"""The folder is the layer: who may import whom (docs/architecture.md), kept by reading the imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: layer -> what its modules may never import (a prefix of the module's name)
FORBIDDEN = {
    "crm/domain": (
        "flask",
        "sqlalchemy",
        "celery",
        "requests",
        "crm.models",
        "crm.services",
        "crm.queries",
        "crm.db",
        "crm.providers",
        "crm.blueprints",
        "crm.tasks",
        "crm.config",
        "crm.clock",
        "sandbox",
    ),
    "crm/models": ("flask", "crm.services", "crm.queries", "crm.providers", "crm.blueprints", "sandbox"),
    "crm/providers": (
        "flask",
        "sqlalchemy",
        "crm.models",
        "crm.services",
        "crm.queries",
        "crm.db",
        "crm.config",
        "os.environ",
        "os.getenv",
        "sandbox",
    ),
    "crm/queries": ("flask", "crm.services", "crm.providers", "crm.blueprints", "crm.tasks", "sandbox"),
    "crm/services": (
        "flask",
        "crm.blueprints",
        "crm.web",
        "crm.tasks",
        "crm.providers.accounting.quickbooks",
        "sandbox",
    ),
    "crm/blueprints": ("crm.providers", "sqlalchemy", "crm.models", "crm.tasks", "sandbox"),
    "crm/tasks": ("flask", "crm.models", "crm.providers", "crm.blueprints", "sandbox"),
    "sandbox": ("crm",),
}


def _modules(layer: str) -> list[Path]:
    return sorted((ROOT / layer).rglob("*.py"))


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_a_layer_imports_nothing_it_may_not(layer: str) -> None:
    assert _modules(layer), f"no modules under {layer}: the rule watches nothing"
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in _modules(layer)
        for name in _imports(path)
        for banned in FORBIDDEN[layer]
        if name == banned or name.startswith(f"{banned}.")
    ]
    assert not wrong


def test_only_the_database_module_commits() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "crm").rglob("*.py"))
        if path.name != "db.py" and ".commit(" in path.read_text()
    ]
    assert not wrong
