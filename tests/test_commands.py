"""A command of a plugin has the project, its experience, its engine, and answers as verbs do."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from aegis import commands

PLUGIN = """
from pathlib import Path

import click

import aegis

plugin_api = 1


@aegis.hookimpl
def aegis_commands():
    @click.command("survey", help="Say what there is.")
    @click.option("--data", type=click.Path(path_type=Path))
    def survey(data):
        from aegis import commands

        call = commands.invocation()
        project = call.project()
        steps = list(commands.recorded(project, data))
        engine = commands.serving_engine(project)
        scores = engine.score(steps[0].view, steps[0].decision.candidates)
        engine.close()
        said = {"steps": len(steps), "candidates": len(scores)}
        call.answer(said, lambda: click.echo(f"{len(steps)} steps"))

    return [survey]
"""


@pytest.fixture
def lived(aegis_project):
    """A project whose agent has decided 12 times, with a plugin that adds a command."""
    project = aegis_project()
    (project.folder / "survey.py").write_text(PLUGIN)
    text = (project.folder / "aegis.toml").read_text()
    (project.folder / "aegis.toml").write_text(
        text.replace("enabled = []", 'enabled = ["survey.py"]')
    )
    with project.open() as agent:
        list(agent.run(12))
    return project


def call(project, *words):
    return subprocess.run(
        [sys.executable, "-m", "aegis", "-C", project.folder, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_a_command_answers_as_the_hosts_own_do(lived):
    plain, as_json = call(lived, "survey"), call(lived, "survey", "--json")

    assert plain.stdout == "12 steps\n", plain.stderr
    found = json.loads(as_json.stdout)
    assert found["steps"] == 12
    assert found["candidates"] >= 1


def test_a_file_is_read_in_the_place_of_the_ledger(lived, tmp_path):
    file = tmp_path / "some.jsonl"
    assert call(lived, "data", "export", file).returncode == 0
    lines = file.read_text().splitlines()

    assert call(lived, "survey", "--data", file).stdout == "12 steps\n"
    assert len(list(commands.recorded_in(file))) == len([n for n in lines if '"view"' in n]) == 12


def test_what_a_training_would_get_is_split_by_episode(trainable):
    from aegis.project import load

    train, held_out = commands.selected(load(trainable / "aegis.toml"))

    assert len(train) > len(held_out) > 0
    assert not {s.episode for s in train} & {s.episode for s in held_out}


def test_practice_is_the_same_for_the_same_seeds_and_leaves_tests_out():
    library = commands.sample_library()
    first, again = (list(commands.practice(library, range(2))) for _ in range(2))

    assert first == again
    assert len(first) > 4
    assert all(choice.candidates for choice in first)
    assert 0 < len(commands.notes(library)) < len(list(library.glob("*.md")))
