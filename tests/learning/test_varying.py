from __future__ import annotations

import pytest

from aegis.config.settings import LearningSettings
from aegis.errors import InputError, PluginError
from aegis.jobs.limits import Limits
from aegis.learning.dataset import Dataset
from aegis.learning.job_folder import JobFolder
from aegis.learning.preparing import Plan
from aegis.learning.selecting import select
from aegis.learning.varying import varied
from aegis.project import load


@pytest.fixture(scope="module")
def _guided():
    """The ledger of 30 episodes of the guide, once they are collected."""
    return {}


@pytest.fixture
def collected(corridor, aegis_command, _guided):
    """The corridor's project with 30 episodes of its guide in its ledger."""
    run = corridor / "data" / "run"
    if not _guided:
        words = ("data", "collect", "--task", "corridor", "--teacher", "guide", "--episodes", 30)
        aegis_command(*words)
        _guided["ledger"] = (run / "ledger.sqlite").read_bytes()
    run.mkdir(parents=True, exist_ok=True)
    (run / "ledger.sqlite").write_bytes(_guided["ledger"])
    return corridor


@pytest.fixture
def aegis_command(corridor):
    from aegis.cli.main import main

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main(["-C", str(corridor), "-q", *map(str, words)])
        assert ended.value.code == 0

    return run


def steps_of(folder):
    from aegis.store.ledger import Ledger

    with Ledger.open(folder / "data" / "run", write=False) as ledger:
        return list(ledger.experiences())


def test_variants_follow_the_steps_with_their_returns_and_advantages(collected):
    steps = steps_of(collected)[:5]
    dataset = Dataset(tuple(steps), (1.0, 2.0, 3.0, 4.0, 5.0), (0.1, 0.2, 0.3, 0.4, 0.5))
    found = varied(dataset, load(collected / "aegis.toml").host, 2, seed=0)
    assert found.experiences[:5] == dataset.experiences
    assert found.returns[5:] == (1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 5.0, 5.0)
    assert found.advantages[5:7] == (0.1, 0.1)
    for step, variant in zip(steps, found.experiences[5::2], strict=True):
        assert variant.decision.chosen == 1 - step.decision.chosen
        assert variant.view.goal != step.view.goal


def test_none_are_made_where_none_are_asked_for(collected):
    dataset = Dataset(tuple(steps_of(collected)[:1]), (1.0,), (0.0,))
    assert varied(dataset, load(collected / "aegis.toml").host, 0, seed=0) is dataset


def test_what_knows_no_variants_and_what_raises_is_named(collected):
    from attrs import evolve

    host, (step, *_) = load(collected / "aegis.toml").host, steps_of(collected)
    strange = Dataset((evolve(step, environment="doors"),), (1.0,), (0.0,))
    with pytest.raises(InputError, match=r"no environment of these steps .doors. knows variants"):
        varied(strange, host, 3, seed=0)
    dark = Dataset((evolve(step, view=evolve(step.view, goal="it is dark in 7")),), (1.0,), (0.0,))
    with pytest.raises(PluginError, match=r"corridor.*nothing to mirror"):
        varied(dark, host, 3, seed=0)


def test_a_plan_trains_on_variants_and_judges_by_what_was_recorded(collected):
    plain = Plan.of(load(collected / "aegis.toml"))
    project = load(collected / "aegis.toml", sets=["learning.variants=3"])
    plan = Plan.of(project)
    recorded = len(plain.selected.train)
    assert len(plan.selected.train) == 4 * recorded
    assert plan.selected.validation.digest == plain.selected.validation.digest
    assert plan.fingerprint != plain.fingerprint
    said, before = plan.selected.provenance(), plain.selected.provenance()
    assert (said["examples"], said["variants"]) == (recorded, 3 * recorded)
    assert before["variants"] == 0
    assert said["train"] == before["train"]
    assert said["split"]["variants"] == 3


LESSONS = """

def lessons(step, count, seed):
    from attrs import evolve

    for number in range(count):
        yield evolve(step, view=evolve(step.view, goal=f"lesson {number}"))
"""


def with_lessons(folder):
    file = folder / "corridor.py"
    text = file.read_text().replace("variants=variants,", "variants=variants, lessons=lessons,")
    file.write_text(text + LESSONS)


def test_a_curriculum_goes_from_the_first_lesson_of_all_steps_to_the_last(collected):
    with_lessons(collected)
    steps = steps_of(collected)[:4]
    dataset = Dataset(tuple(steps), (1.0, 2.0, 3.0, 4.0), (0.1, 0.2, 0.3, 0.4))
    host = load(collected / "aegis.toml").host
    found = varied(dataset, host, 3, seed=0, curriculum=True)
    assert found.experiences[:4] == dataset.experiences
    goals = [step.view.goal for step in found.experiences[4:]]
    assert goals == [f"lesson {number}" for number in range(3) for _ in range(4)]
    assert found.returns[4:] == (1.0, 2.0, 3.0, 4.0) * 3
    plain = varied(dataset, host, 3, seed=0)
    assert not any(step.view.goal.startswith("lesson") for step in plain)


def test_a_curriculum_is_told_to_the_trainer_and_makes_another_training(collected):
    with_lessons(collected)
    sets = ["learning.variants=3"]
    plain = Plan.of(load(collected / "aegis.toml", sets=sets))
    plan = Plan.of(load(collected / "aegis.toml", sets=[*sets, "learning.curriculum=true"]))
    assert plan.fingerprint != plain.fingerprint
    assert plan.selected.provenance()["curriculum"] is True
    assert plain.selected.provenance()["curriculum"] is False
    folder = JobFolder(collected / "data" / "run" / "job")
    limits = Limits(60.0, 1000.0)
    assert plan.training(folder, resume=False, limits=limits).in_order
    assert not plain.training(folder, resume=False, limits=limits).in_order


def test_a_curriculum_without_variants_or_lessons_is_refused(collected):
    dataset = Dataset(tuple(steps_of(collected)[:1]), (1.0,), (0.0,))
    host = load(collected / "aegis.toml").host
    with pytest.raises(InputError, match=r"no-curriculum.*corridor.*knows lessons"):
        varied(dataset, host, 3, seed=0, curriculum=True)
    with pytest.raises(InputError, match=r"no-curriculum.*there are none"):
        varied(dataset, host, 0, seed=0, curriculum=True)


def test_a_task_is_trained_on_alone_and_judged_in_its_validation_split(collected, aegis_command):
    from aegis.evaluation.task import task_of

    aegis_command("data", "collect", "--task", "corridor:dark", "--teacher", "guide",
                  "--episodes", 30)  # fmt: skip
    project = load(collected / "aegis.toml")
    task = task_of(project, "corridor", "validation")
    plan = Plan.of(project, task=task)
    places = {step.environment for step in plan.selected.train}
    assert places == {"corridor:plain"}
    both = {step.environment for step in Plan.of(project).selected.train}
    assert both == {"corridor:plain", "corridor:dark"}
    from aegis.learning.preparing import _stage

    assert _stage(project, task).config.split == "validation"


def test_selecting_alone_has_no_variants(collected):
    assert select(steps_of(collected), LearningSettings(variants=9)).variants == 0


def test_what_makes_more_than_was_asked_for_is_cut_and_less_is_taken(collected):
    file = collected / "corridor.py"
    file.write_text(
        file.read_text().replace("def variants(", "def one_by_one(")
        + """

def variants(step, count, seed):
    if step.decision.action.tool == "left":
        return
    while True:
        yield from one_by_one(step, 1, seed)
"""
    )
    text = file.read_text()
    body, tail = text.split("@aegis.hookimpl")[0], text.split("def variants(")[1]
    hook = text[text.index("@aegis.hookimpl") : text.index("\n\ndef variants(")]
    file.write_text(body + "def variants(" + tail + "\n\n" + hook)
    steps = steps_of(collected)[:9]
    dataset = Dataset(tuple(steps), (0.0,) * 9, (0.0,) * 9)
    found = varied(dataset, load(collected / "aegis.toml").host, 4, seed=0)
    rights = sum(step.decision.action.tool == "right" for step in steps)
    assert 0 < rights < 9
    assert len(found) == 9 + 4 * rights


def test_training_says_what_was_made_and_judges_by_what_was_recorded(collected, aegis_command):
    aegis_command("train", "--task", "corridor", "--set", "learning.variants=2", "--episodes", 5)
    from aegis.checkpoints.folder import Checkpoints

    checkpoints = Checkpoints(collected / "data" / "run")
    (name,) = checkpoints.all()
    said = checkpoints.manifest(name).dataset
    assert said["variants"] == 2 * said["examples"]
    assert said["examples"] + said["held_out"] == len(steps_of(collected))
    facts = checkpoints.facts(name)
    assert facts["comparison"]["episodes"]["environment"] == "corridor"
    assert facts["comparison"]["held_out"]["measures"]["loss"]["rows"] == said["held_out"]


def test_a_task_without_experience_is_refused_with_how_to_collect_it(collected):
    from aegis.evaluation.task import task_of

    project = load(collected / "aegis.toml", sets=["environment.corridor.kind=dark"])
    task = task_of(project, "corridor", "validation")
    with pytest.raises(InputError, match="no step of corridor:dark is recorded") as raised:
        Plan.of(project, task=task)
    assert "aegis data collect --task corridor:dark" in raised.value.problems[0].fix
