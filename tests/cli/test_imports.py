from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "torch",
    "transformers",
    "peft",
    "tokenizers",
    "numpy",
    "sqlalchemy",
    "alembic",
    "rich",
    "tomlkit",
    "arxiv",
    "requests",
    "feedparser",
    "pypdf",
    "mcp",
}
PROBE = """
import json, sys
sys.argv = ["aegis", *{arguments!r}]
from aegis.cli.main import main
try:
    main()
except SystemExit as end:
    code = end.code
print("\\n" + json.dumps([code, sorted({{name.split(".")[0] for name in sys.modules}})]))
"""


def modules_of(*arguments):
    probe = PROBE.format(arguments=list(arguments))
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60
    )
    code, names = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stdout + done.stderr
    return set(names)


def test_help_imports_click_and_nothing_of_weight():
    names = modules_of("--help")
    assert not names & (HEAVY | {"attrs", "attr", "cattrs", "pluggy", "tomli"})


@pytest.mark.parametrize("profile", ["gpt2-lora", "rules", "random"])
def test_the_check_of_the_shipped_composition_imports_nothing_heavy(root, profile):
    names = modules_of("-C", str(root), "check", "--profile", profile)
    assert not names & HEAVY


def test_importing_the_package_imports_nothing_of_weight():
    probe = "import json, sys, aegis; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert not {name.split(".")[0] for name in json.loads(done.stdout)} & (HEAVY | {"click"})
