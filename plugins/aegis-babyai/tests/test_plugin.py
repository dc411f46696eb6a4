from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from importlib.metadata import entry_points

import pluggy
import pytest

from aegis import hookspecs
from aegis.cli.main import main
from aegis.contracts.view import View
from aegis_babyai import plugin

PROFILE = """\
profile = "practice"

[plugins]
enabled = ["babyai"]

[profiles.practice]
engine = "random"
environment = "babyai"
"""


@pytest.fixture
def call(tmp_path):
    """Return the function that runs a command in a project and returns what it said."""
    (tmp_path / "aegis.toml").write_text(PROFILE)

    def run(*arguments):
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            main(["-C", str(tmp_path), *arguments])
        return ended.value.code, out.getvalue(), err.getvalue()

    return run


def test_manifests_and_facts_import_nothing_heavy():
    code = (
        "import json, sys\n"
        "from aegis_babyai import plugin\n"
        "for one in plugin.aegis_environments():\n"
        "    one.describe(one.config())\n"
        "    list(one.published(one.config())) if one.published else None\n"
        "heavy = ('gymnasium', 'minigrid', 'pygame', 'numpy', 'torch')\n"
        "print(json.dumps([name for name in heavy if name in sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_every_hook_exists_and_is_implemented_validly():
    manager = pluggy.PluginManager("aegis")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    manager.check_pending()
    assert plugin.plugin_api == hookspecs.PLUGIN_API
    (offered,) = manager.hook.aegis_environments()
    assert [(one.kind, one.name) for one in offered] == [
        ("environment", "babyai"),
        ("environment", "gymnasium"),
    ]


def test_the_entry_point_names_the_plugin():
    (entry,) = entry_points(group="aegis", name="babyai")
    assert entry.load() is plugin
    assert entry.dist.name == "aegis-babyai"


def test_the_check_passes_and_refuses_a_level_that_is_none(call):
    code, out, _ = call("check")
    assert code == 0
    assert 'environment "babyai" (aegis-babyai 0.1.0): version 2' in out
    code, _, err = call("--set", "environment.babyai.level=GoToLokal", "check")
    assert code == 2
    assert err.count("error[") == 1
    assert 'did you mean "GoToLocal"?' in err


def test_the_bots_demonstrations_are_collected(call, tmp_path):
    file = tmp_path / "bot.jsonl"
    code, _, err = call(
        *("data", "collect", "--task", "babyai:GoToLocalS5N2:marked", "--teacher", "bot"),
        *("--episodes", "3", "--jobs", "1", "--out", str(file)),
    )
    assert code == 0, err
    header, *rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert header["count"] == len(rows)
    assert {row["environment"] for row in rows} == {"babyai:GoToLocalS5N2:marked"}
    assert {row["generator"] for row in rows} == {"babyai-2"}
    assert [row["episode"] for row in rows if row["done"]] == [1, 2, 3]
    assert all(row["reward"] > 0.5 for row in rows if row["done"])
    assert all(View.parse(row["view"]).limit == 25 for row in rows)
