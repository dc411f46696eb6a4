"""The plugin: cheap, complete, true, and usable from the command line alone."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

import pluggy
import pytest

from aegis import hookspecs
from aegis_hrm import plugin
from aegis_hrm.facts import describe_engine
from aegis_hrm.settings import EngineSettings

HEAVY = ("torch", "transformers", "tokenizers", "numpy", "safetensors", "huggingface_hub", "peft")


def test_manifests_facts_and_commands_import_nothing_heavy():
    code = f"""
import json, sys
from aegis_hrm import plugin
for component in [*plugin.aegis_engines(), *plugin.aegis_tokenizers(), *plugin.aegis_trainers()]:
    component.describe(component.config())
plugin.aegis_commands()
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == []


def test_every_hook_exists_and_is_implemented_validly():
    manager = pluggy.PluginManager("aegis")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    manager.check_pending()

    assert plugin.plugin_api == hookspecs.PLUGIN_API
    found = [
        (one.kind, one.name)
        for offered in (
            manager.hook.aegis_engines(),
            manager.hook.aegis_tokenizers(),
            manager.hook.aegis_trainers(),
        )
        for one in offered[0]
    ]
    assert found == [("engine", "hrm"), ("tokenizer", "hrm-bpe"), ("trainer", "hrm-imitation")]
    (engine,) = plugin.aegis_engines()
    assert engine.parts["tokenizer"].default == "hrm-bpe"


# From the command line


def test_the_check_shows_what_there_is(call, trained, small):
    said = call("-C", trained, "check")
    lines = said.out.splitlines()
    origin = f"(aegis-hrm {version('aegis-hrm')})"
    weights = describe_engine(EngineSettings(**small)).parameters

    assert (said.code, said.err) == (0, "")
    assert lines[0] == 'profile "hrm": this composition can work'
    assert lines[1] == (
        f'  engine "hrm" {origin}: kind hrm, embedding_rows 1000, context_length 1024, '
        f"trainable yes, parameters {weights}, memory_bytes {4 * weights}, order_independent yes"
    )
    assert lines[2].startswith(f'    tokenizer "hrm-bpe" {origin}: max_token_id 999, fingerprint ')
    assert f'  trainer "hrm-imitation" {origin}: accepts hrm, needs_candidates yes' in lines
    assert not any("unverified" in line for line in lines)


@pytest.mark.parametrize(
    ("key", "code", "fix"),
    [
        (
            "engine.hrm.heads=3",
            "shape-impossible",
            "choose heads so that hidden / heads is an even number",
        ),
        (
            "engine.hrm.context=100",
            "context-short",
            "set candidate_tokens = 50 or less, or a longer context",
        ),
        ("engine.hrm.hierarchy=hrn", "not-a-choice", ""),
        ("trainer.hrm-imitation.temperature=0", "out-of-range", "write temperature = 1.0"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_the_check(call, trained, key, code, fix):
    said = call("-C", trained, "check", "--set", key, "--json")
    (problem,) = said.json["errors"]

    assert (said.code, problem["code"], problem["fix"]) == (2, code, fix)


@pytest.mark.slow
def test_from_a_new_project_to_weights_that_decide_and_back(call, trained, answers):
    enabled, ran, learned = answers
    assert (enabled.code, ran.code, learned.code) == (0, 0, 0), learned.err
    assert ran.json["steps"] == 40
    assert learned.json["stopped_because"] == "finished"
    assert learned.json["trainer"] == "hrm-imitation"
    assert learned.json["gate"]["metric"] == "return in research-gym"
    assert learned.json["trainable_parameters"] == learned.json["total_parameters"]
    checkpoint = learned.json["checkpoint"]
    lies = trained / "data" / "run" / "checkpoints" / checkpoint
    assert json.loads((lies / "hrm.json").read_text())["shape"]["hidden"] == 16

    promoted = call("-C", trained, "checkpoints", "promote", "latest", "--json")
    assert promoted.json["checkpoint"] == checkpoint
    assert f"checkpoint {checkpoint}" in call("-C", trained, "check").out
    decided = call("-C", trained, "run", "--steps", 3, "--json")
    assert (decided.code, decided.json["checkpoint"]) == (0, checkpoint)

    rows = call("-C", trained, "log", "--last", 4, "--json").json["steps"]
    assert [row["remarks"] for row in rows] == [{}, *[{"segments": 3.0}] * 3]
    lines = call("-C", trained, "log", "--last", 4).out.splitlines()
    assert [line.endswith("[segments 3]") for line in lines] == [False, True, True, True]
    whole = call("-C", trained, "log", "--step", 42, "--json").json
    assert whole["engine"] == "hrm"
    assert "remarks: segments 3" in call("-C", trained, "log", "--step", 42).out

    assert call("-C", trained, "checkpoints", "rollback").code == 0
    fresh = call("-C", trained, "run", "--steps", 1, "--json").json["checkpoint"]
    assert fresh.startswith("fresh-")
    assert call("-C", trained, "doctor").code == 0
