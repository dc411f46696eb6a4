"""The builtin environment `research-gym` as a component."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from attrs import evolve

from aegis.builtin.gym import GymSettings, aegis_environments
from aegis.contracts.capabilities import EnvironmentCapabilities
from aegis.contracts.component import Runtime
from aegis.evaluation.gym.corpus import corpus_digest

if TYPE_CHECKING:
    from pathlib import Path


def gym_component():
    (component,) = aegis_environments()
    return component


def test_it_says_that_it_is_seeded_and_of_which_version():
    component = gym_component()
    assert (component.kind, component.name) == ("environment", "research-gym")
    assert component.describe(GymSettings()) == EnvironmentCapabilities(
        version="1", seeded=True, splits=True, library=True
    )


def test_without_a_corpus_it_practises_on_the_agents_library(root: Path, tmp_path: Path):
    runtime = Runtime(tmp_path, tmp_path / "cache", library=root / "data" / "library")
    gym = gym_component().build(GymSettings(), {}, runtime)
    assert (gym.split, gym.k, gym.steps, gym.failures) == ("practice", 8, 40, 0.1)
    assert gym.reset(0).goal.startswith("Understand ")
    assert [file.suffix for file in (tmp_path / "cache" / "research-gym").iterdir()] == [".npz"]


def test_a_corpus_and_the_rules_can_be_set(root: Path, tmp_path: Path):
    shutil.copytree(root / "data" / "library", tmp_path / "notes")
    notes = tmp_path / "notes"  # the configuration makes paths absolute
    settings = GymSettings(corpus=str(notes), split="test", k=5, steps=7, failures=0.0)
    gym = gym_component().build(settings, {}, Runtime(tmp_path, tmp_path / "cache"))
    assert (gym.split, gym.k, gym.steps, gym.failures) == ("test", 5, 7, 0.0)
    told = gym_component().describe(settings)
    assert told == evolve(gym.capabilities, content=corpus_digest(notes))
