from __future__ import annotations

import pytest

from aegis.errors import ConfigError, InputError
from aegis.evaluation.task import overrides, task_of
from aegis.host.seat import seat_of
from aegis.project import load


@pytest.fixture
def named(corridor):
    """Return the task of a name."""

    def task(text, split="test", *sets):
        host = load(corridor / "aegis.toml").host
        project = load(corridor / "aegis.toml", sets=[*overrides(host, text), *sets])
        return task_of(project, text, split)

    return task


def test_a_task_has_the_settings_of_its_name_and_the_others_of_the_configuration(named):
    task = named("corridor:dark", "test", "environment.corridor.cells=7")
    assert (task.environment.config.kind, task.environment.config.cells) == ("dark", 7)
    assert task.name == "corridor:dark"
    assert (task.measure, task.version) == ("success", "1+cells=7")
    assert named("corridor").name == "corridor:plain"
    assert named("corridor:").name == "corridor:plain"


def test_settings_that_change_the_rules_are_part_of_their_version(named, corridor):
    """Nobody takes figures of an easier world for those of the known one."""
    (corridor / "data" / "library").mkdir(parents=True)
    (corridor / "data" / "library" / "a.md").write_text("# One\nwords")
    plain = named("research-gym")
    assert (plain.version, plain.rules) == ("1", "research-gym-1")
    easy = ["environment.research-gym.failures=0", "environment.research-gym.steps=50"]
    assert named("research-gym", "test", *easy).version == "1+failures=0.0+steps=50"
    there = named("research-gym", "test", "environment.research-gym.corpus=data/library")
    assert there.version == "1", "which documents is told by the content's digest"
    assert there.of_split("validation").version == "1"


def test_a_task_is_played_in_its_split_and_others_can_be_had(named):
    task = named("corridor", "validation")
    assert (task.split, task.environment.config.split) == ("validation", "validation")
    test = task.of_split("test")
    assert (test.environment.config.split, test.name) == ("test", task.name)
    assert task.seeds(3, 4) == test.seeds(3, 4) == range(3, 7), "the environment tells them apart"


def test_where_an_environment_knows_no_splits_they_are_other_seeds(named):
    """What is learned from, judged by and reported has nothing in common there either."""
    task = named("doors")
    assert (task.split, task.measure) == ("test", "return")
    splits = [task.of_split(split) for split in ("practice", "validation", "test")]
    assert {one.environment.config for one in splits} == {None}
    played = [set(one.seeds(0, 100_000)) for one in splits]
    assert len(set.union(*played)) == 300_000
    assert task.seeds(5, 2) == range(5, 7)


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("corridr", "task-unknown", 'did you mean "corridor"?'),
        ("corridor:dark:3", "task-unknown", "write corridor:KIND"),
        ("doors:big", "task-unknown", "write doors"),
        ("research", "task-unseeded", "name one of: research-gym, corridor, doors"),
    ],
)
def test_a_name_that_is_no_task_is_refused_with_what_is_meant(named, text, code, said):
    with pytest.raises(InputError) as raised:
        named(text)
    assert raised.value.problems[0].code == code
    assert said in str(raised.value)


def test_a_setting_that_is_not_allowed_is_refused_like_any_other(named):
    with pytest.raises(ConfigError, match=r"drak.*dark"):
        named("corridor:drak")


def test_the_content_of_a_gym_is_that_of_its_library_or_of_its_corpus(corridor):
    library = corridor / "data" / "library"
    library.mkdir(parents=True)
    (library / "a.md").write_text("# One\nwords")

    def content(*sets):
        return task_of(load(corridor / "aegis.toml", sets=sets), "research-gym").content

    first = content()
    (library / "b.md").write_text("# Two\nother words")
    second = content()
    assert len({"", first, second}) == 3
    assert content(f"environment.research-gym.corpus={library}") == second


def meant(task):
    """What a task is; components of two hosts are not equal."""
    return task.name, task.split, seat_of(task.environment)


def test_a_part_of_a_name_may_be_a_number(corridor):
    file = corridor / "corridor.py"
    file.write_text(file.read_text().replace('task=("kind",)', 'task=("kind", "cells")'))

    def named(text):
        host = load(corridor / "aegis.toml").host
        return task_of(load(corridor / "aegis.toml", sets=overrides(host, text)), text)

    task = named("corridor:dark:7")
    assert (task.environment.config.kind, task.environment.config.cells) == ("dark", 7)
    assert task.name == "corridor:dark:7"
    assert meant(named(task.name)) == meant(task)
    assert named("corridor::2").name == "corridor:plain:2"
    assert named("corridor").name == "corridor:plain:3"
    with pytest.raises(ConfigError, match="at most 9, found 99"):
        named("corridor:plain:99")
    with pytest.raises(ConfigError, match='found the string "many"'):
        named("corridor:plain:many")


def test_a_name_gives_back_its_task(named):
    for text in ("corridor:dark", "corridor", "doors"):
        assert meant(named(named(text).name)) == meant(named(text))
