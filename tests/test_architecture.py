"""Dependencies point one way; this reads them from the source."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = {"aegis", "aegis.commands", "aegis.neural", "aegis.testing"}
# What the modules of a package may import when they are imported themselves. Builtins import the
# rest of the host where they build, as any plugin does.
ALLOWED = {
    "errors": set(),
    "hookspecs": set(),
    "resources": set(),
    "exploration": set(),
    "whole_file": set(),
    "contracts": {"errors"},
    "config": {"errors", "contracts"},
    "host": {"errors", "contracts", "config", "hookspecs"},
    "project": {"errors", "contracts", "config", "host", "hookspecs", "store", "checkpoints"},
    "store": {"errors", "contracts"},
    "knowledge": {"contracts", "store"},
    "checkpoints": {"errors", "contracts", "config", "store", "neural"},
    "jobs": {"errors", "contracts", "config", "host", "whole_file"},
    "evaluation": {
        "errors",
        "contracts",
        "config",
        "host",
        "project",
        "store",
        "checkpoints",
        "exploration",
        "hookspecs",
        "jobs",
        "whole_file",
    },
    "learning": {
        "errors",
        "contracts",
        "config",
        "host",
        "project",
        "store",
        "checkpoints",
        "evaluation",
        "exploration",
        "hookspecs",
        "jobs",
        "whole_file",
    },
    "agent": {
        "errors",
        "contracts",
        "config",
        "host",
        "builtin",
        "project",
        "store",
        "knowledge",
        "checkpoints",
        "learning",
        "exploration",
        "jobs",
    },
    "builtin": {"errors", "contracts", "hookspecs", "knowledge", "evaluation"},
    "neural": {"errors", "contracts", "whole_file"},
    "testing": {
        "errors",
        "exploration",
        "contracts",
        "config",
        "host",
        "hookspecs",
        "agent",
        "learning",
        "neural",
        "resources",
    },
    "scaffolding": {"errors", "contracts", "host"},
    "deprecations": set(),
    "commands": {"cli"},
    "cli": {"errors", "resources", "agent"},
}


def imported(tree):
    """Yield the modules that importing this one imports: module level, annotations left out."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "aegis":
                yield from (f"aegis.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("part", sorted(ALLOWED))
def test_a_part_of_the_host_imports_only_what_stands_below_it(part):
    found = {}
    place = ROOT / "aegis" / part
    for file in place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]:
        for name in imported(ast.parse(file.read_text())):
            if name.startswith("aegis."):
                found.setdefault(name.split(".")[1], file.name)
    found.pop(part, None)
    found.pop("__version__", None)
    assert set(found) <= ALLOWED[part], found


def test_only_aegis_neural_imports_torch():
    heavy = {"torch", "transformers", "peft", "tokenizers", "safetensors"}
    for file in (ROOT / "aegis").rglob("*.py"):
        names = {name.split(".")[0] for name in imported(ast.parse(file.read_text()))}
        assert not names & heavy or file.is_relative_to(ROOT / "aegis" / "neural"), file


@pytest.mark.parametrize("file", sorted((ROOT / "plugins").glob("*/src/**/*.py")), ids=str)
def test_bundled_plugins_use_only_what_a_third_party_may(file):
    """What a plugin imports of the host is a public name, from where it is public."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names if alias.name.startswith("aegis.")]
            assert not set(named) - PUBLIC, named
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "aegis":
            names = {alias.name for alias in node.names}
            whole = {name for name in names if f"{node.module}.{name}" in PUBLIC}
            assert node.module in PUBLIC, f"{node.module} is private: {names}"
            assert names - whole <= set(importlib.import_module(node.module).__all__), names


def test_nothing_loads_what_could_run_code():
    forbidden = {"pickle", "marshal", "shelve", "dill", "joblib"}
    for file in [*(ROOT / "aegis").rglob("*.py"), *(ROOT / "plugins").glob("*/src/**/*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [(node.module or "").split(".")[0]]
            assert not forbidden & set(names), file
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"eval", "exec", "torch.load"}, f"{file}: {called}"
                assert not any(
                    keyword.arg == "trust_remote_code" and ast.unparse(keyword.value) != "False"
                    for keyword in node.keywords
                ), file
