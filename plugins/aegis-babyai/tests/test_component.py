from __future__ import annotations

import pytest
from attrs import evolve

import aegis
from aegis.config.structure import structure
from aegis_babyai.component import babyai_component
from aegis_babyai.environment import BabyAI
from aegis_babyai.settings import BabyAISettings


def _section(**raw):
    value, wrong = structure(BabyAISettings, raw, ("environment", "babyai"))
    return value, [(problem.code, problem.message) for problem in wrong]


def test_level_and_track_are_the_name_of_the_task_and_figures_are_shares_of_successes():
    made = babyai_component()
    assert (made.kind, made.name, made.task) == ("environment", "babyai", ("level", "track"))
    assert made.describe(BabyAISettings()) == aegis.EnvironmentCapabilities(
        version="2", seeded=True, splits=True, measure="success"
    )
    versions = {
        (level, track): made.describe(BabyAISettings(level=level, track=track)).version
        for level in ("GoToLocal", "PickupLoc", "BossLevel")
        for track in ("marked", "unmarked")
    }
    told = {("PickupLoc", "unmarked"), ("BossLevel", "unmarked")}
    assert {what for what, version in versions.items() if version == "3"} == told
    assert {version for what, version in versions.items() if what not in told} == {"2"}


def test_the_section_is_built_as_it_says(tmp_path):
    settings, wrong = _section(level="PickupLoc", track="marked", split="validation")
    assert not wrong
    made = babyai_component()
    built = made.build(settings, {}, aegis.Runtime(tmp_path, tmp_path))
    assert isinstance(built, BabyAI)
    assert built.settings == settings
    assert built.capabilities == made.describe(settings)
    assert BabyAISettings() == BabyAISettings(level="GoToLocal", track="unmarked", split="practice")


@pytest.mark.parametrize(
    ("key", "value", "near"),
    [("level", "PickupLok", "PickupLoc"), ("track", "mark", "marked"), ("split", "tests", "test")],
)
def test_a_wrong_name_is_one_error_that_names_the_near_one(key, value, near):
    _, wrong = _section(**{key: value})
    ((code, message),) = wrong
    assert code == "not-a-choice"
    assert message.endswith(f'found the string "{value}"; did you mean "{near}"?')


def test_variants_are_made_of_a_recorded_step(tmp_path):
    made = babyai_component()
    world = made.build(BabyAISettings(track="marked"), {}, aegis.Runtime(tmp_path, tmp_path))
    view = world.reset(0)
    candidates = tuple(world.candidates(view))
    even = (0.0,) * 7
    step = aegis.Experience(
        step=1, run="r", episode=1, index=1, environment="babyai:GoToLocal:marked", origin="own",
        seed=0, generator="babyai-1", key="k", started="", view=view,
        decision=aegis.Decision(candidates, 2, even, even, candidates[2]),
    )  # fmt: skip
    found = list(made.variants(step, 3, 0))
    assert len(found) == 3
    assert all(evolve(one, view=view, decision=step.decision) == step for one in found)


def test_published_figures_stand_beside_the_unmarked_track_alone():
    made = babyai_component()
    (figure,) = made.published(BabyAISettings(level="PickupLoc"))
    assert (figure.value, figure.demonstrations) == (0.99, 204_000)
    assert list(made.published(BabyAISettings(level="PickupLoc", track="marked"))) == []
    assert list(made.published(BabyAISettings(level="BossLevel"))) == []
