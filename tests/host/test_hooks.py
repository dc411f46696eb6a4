"""Every hook is called as its specification says: by a real command, of a plugin that is a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aegis.host.events import EVENTS
from aegis.host.manager import Host
from aegis.host.manifest import PROVIDERS

LISTENER = """
import json
from pathlib import Path

import aegis

plugin_api = 1
FILE = Path(__file__).with_name("heard.jsonl")


def heard(hook, **facts):
    with FILE.open("a") as file:
        file.write(json.dumps([hook, facts]) + chr(10))


@aegis.hookimpl
def aegis_run_started(run, profile, resumed):
    heard("aegis_run_started", run=run, profile=profile, resumed=resumed)


@aegis.hookimpl
def aegis_step_finished(experience):
    heard("aegis_step_finished", tool=experience.decision.action.tool, reward=experience.reward)


@aegis.hookimpl
def aegis_training_progress(trainer, metrics):
    heard("aegis_training_progress", trainer=trainer, metrics=dict(metrics))


@aegis.hookimpl
def aegis_training_finished(trainer, checkpoint, metrics):
    heard("aegis_training_finished", trainer=trainer, checkpoint=checkpoint, metrics=dict(metrics))


@aegis.hookimpl
def aegis_checkpoint_promoted(engine, checkpoint, previous):
    heard("aegis_checkpoint_promoted", engine=engine, checkpoint=checkpoint, previous=previous)


@aegis.hookimpl
def aegis_run_finished(run, steps, reason):
    heard("aegis_run_finished", run=run, steps=steps, reason=reason)
"""


@pytest.fixture
def listening(trainable):
    """Run commands in a project with a listener; each answers with what the listener heard."""
    (trainable / "listener.py").write_text(LISTENER, "utf-8")
    file = trainable / "aegis.toml"
    text = file.read_text("utf-8")
    file.write_text(text.replace('["tally.py"]', '["tally.py", "listener.py"]'), "utf-8")
    heard = trainable / "heard.jsonl"

    def run(*words):
        heard.unlink(missing_ok=True)
        subprocess.run(
            [Path(sys.executable).parent / "aegis", "-C", trainable, *words],
            check=True,
            capture_output=True,
            timeout=120,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        return [json.loads(line) for line in heard.read_text("utf-8").splitlines()]

    return run


def test_a_run_tells_how_it_began_each_step_and_why_it_ended(listening):
    (first, begun), *steps, (last, ended) = listening("run", "--steps", "3")
    assert first == "aegis_run_started"
    assert (begun["profile"], begun["resumed"]) == ("tally", True)
    assert [hook for hook, _ in steps] == ["aegis_step_finished"] * 3
    assert all(facts["tool"] in {"left", "middle", "right"} for _, facts in steps)
    assert last == "aegis_run_finished"
    assert ended == {"run": begun["run"], "steps": 3, "reason": "steps"}


def test_a_training_tells_its_progress_its_end_and_a_promotion_what_decides(listening):
    *progress, (last, ended) = listening("train", "--no-judge")
    assert {hook for hook, _ in progress} == {"aegis_training_progress"}
    assert all(facts["trainer"] == "tally" and facts["metrics"] for _, facts in progress)
    assert last == "aegis_training_finished"
    checkpoint = ended["checkpoint"]
    assert ended["trainer"] == "tally"
    assert checkpoint

    promoted = ["aegis_checkpoint_promoted", {"engine": "tally", "checkpoint": checkpoint}]
    assert listening("checkpoints", "promote", "latest") == [
        [promoted[0], {**promoted[1], "previous": None}]
    ]
    assert listening("checkpoints", "rollback") == [
        [promoted[0], {"engine": "tally", "checkpoint": None, "previous": checkpoint}]
    ]


@pytest.mark.parametrize(
    "hook",
    ["aegis_engines", "aegis_tokenizers", "aegis_trainers", "aegis_tools", "aegis_environments"],
)
def test_what_a_provider_hook_returns_is_provided(project, hook):
    kind = hook.removeprefix("aegis_").removesuffix("s")
    assert PROVIDERS[kind] == hook
    project.write(
        "mine.py",
        f"""
        import aegis
        plugin_api = 1
        def build(config, parts, runtime):
            raise AssertionError("nothing is built to be listed")
        @aegis.hookimpl
        def {hook}():
            yield aegis.Component(kind={kind!r}, name="mine", summary="Mine.", build=build)
        """,
    )
    host = Host.load(["mine.py"], project.path, builtins=())
    (provided,) = host.components()
    assert (provided.component.kind, provided.component.name) == (kind, "mine")
    assert provided.plugin.name == "mine.py"


def test_a_command_of_the_hook_aegis_commands_is_a_command_of_aegis(project):
    project.write("aegis.toml", '[plugins]\nenabled = ["mine.py"]\n')
    project.write(
        "mine.py",
        """
        import aegis
        import click
        plugin_api = 1
        @click.command("greet", help="Greet.")
        def greet():
            click.echo("good day")
        @aegis.hookimpl
        def aegis_commands():
            return [greet]
        """,
    )
    aegis = [Path(sys.executable).parent / "aegis", "-C", project.path]
    done = subprocess.run(
        [*aegis, "greet"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "good day\n")


def test_every_event_is_heard_in_these_tests():
    assert [hook for hook in EVENTS if f"def {hook}(" not in LISTENER] == []
