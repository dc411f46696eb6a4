"""The plugin in a project: what it offers, and an agent that learns by it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from aegis.cli.main import main
from aegis.resources import library

PROJECT = f"""
profile = "values"
[agent]
library = "{library()}"
[plugins]
enabled = ["reinforce", "hrm"]
[profiles.values]
engine = "action-values"
environment = "research-gym"
phases.reinforce = "fitted-q"
[profiles.small]
engine = "hrm"
environment = "research-gym"
phases.reinforce = "policy-distillation"
[engine.hrm]
hidden = 16
heads = 2
[trainer.fitted-q]
iterations = 5
[trainer.policy-distillation]
iterations = 5
epochs = 1
newest = 16
[runtime]
threads = 1
offline = true
"""


@pytest.fixture
def aegis(tmp_path, capsys):
    """Return the function that runs a command in a project and returns what it answers."""
    (tmp_path / "aegis.toml").write_text(PROJECT)

    def run(*words, code=0):
        with pytest.raises(SystemExit) as ended:
            main(["-C", str(tmp_path), "--json", *map(str, words)])
        said = capsys.readouterr()
        assert ended.value.code == code, said.err
        return json.loads(said.out.splitlines()[-1])

    return run


def test_describing_it_imports_neither_torch_nor_numpy():
    code = (
        "import sys, aegis_reinforce.plugin as plugin; "
        "[c.describe(c.config()) for c in (*plugin.aegis_engines(), *plugin.aegis_trainers())]; "
        "assert not {'torch', 'numpy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_trainer_of_other_engines_is_refused(aegis):
    found = aegis("--set", "profiles.values.phases.reinforce=policy-distillation", "check", code=2)

    (error,) = found["errors"]
    assert "policy-distillation" in error["message"]
    assert "fitted-q" in error["fix"]


@pytest.mark.slow
def test_an_agent_practises_learns_and_goes_on_with_what_it_learned(aegis):
    assert aegis("check")["ok"]
    assert aegis("run", "--steps", 300)["experiences"] == 300
    trained = aegis("train", "--no-judge")
    assert trained["trainer"] == "fitted-q"
    assert trained["total_parameters"] == trained["trainable_parameters"] > 1000
    before = aegis("estimate", "--checkpoint", "configured")
    assert before["estimates"]["snips"]["difference"]["mean"] == pytest.approx(0, abs=0.05)
    assert aegis("checkpoints", "promote", "latest")
    ran = aegis("run", "--steps", 20)
    assert ran["checkpoint"] == trained["checkpoint"]
    step = aegis("log", "--step", 320)
    assert len({round(c["engine_log_probability"], 6) for c in step["candidates"]}) > 1

    hrm = aegis("train", "--profile", "small", "--no-judge")
    assert (hrm["trainer"], hrm["examples"]) == ("policy-distillation", 16)
    assert aegis("checkpoints", "promote", hrm["checkpoint"], "--profile", "small")
    words = ("eval", "--profile", "small", "--task", "research-gym", "--episodes", 2, "--jobs", 1)
    assert aegis(*words)["checkpoint"] == hrm["checkpoint"]
