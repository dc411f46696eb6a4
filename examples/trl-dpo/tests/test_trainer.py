"""The trainer makes pairs of what was recorded, and a model that prefers what paid."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("trl", reason="the example trains with TRL")
pytest.importorskip("aegis_gpt2_lora", reason="the example trains the engine gpt2")

import numpy as np
import torch

import aegis

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),
]  # libraries warn as they like

PROFILE = """
[profiles.dpo]
engine = "gpt2"
phases.reinforce = "trl-dpo"
"""
VIEW = aegis.View("Understand low-rank adaptation", step=2, limit=10, missing=("rank",))
CANDIDATES = (
    aegis.Action("read", {"ref": "1"}, about="Low-rank adaptation"),
    aegis.Action("read", {"ref": "2"}, about="Cooking for two"),
    aegis.Action("search_library", {"query": "rank"}),
)
LINES = [f" {action.render()}\n" for action in CANDIDATES]


class Steps(list):
    """Recorded steps, with their advantages."""

    advantages = property(lambda self: [step.advantage for step in self])


def steps(*taken):
    """Return steps; each is the number of its view, what was chosen, and its advantage."""
    made = Steps()
    for number, chosen, advantage in taken:
        view = aegis.View(f"Understand number {number}", missing=("rank",))
        decision = SimpleNamespace(candidates=CANDIDATES, chosen=chosen)
        made.append(SimpleNamespace(view=view, decision=decision, advantage=advantage))
    return made


LEARNED = steps(*((number, 1, 1.0) for number in range(24)))


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    from aegis_gpt2_lora import plugin

    (component,) = plugin.aegis_engines()

    def built(checkpoint=None):
        runtime = aegis.Runtime(
            Path(), tmp_path_factory.mktemp("data"), "cpu", 1, 0, checkpoint, offline=True
        )
        return component.build(component.config(), {}, runtime)

    return built


@pytest.fixture
def train(tmp_path, build):
    """Train in a folder of the test, and return the result with what was reported."""
    made = []

    def run(data, *, stop=lambda: False, seconds=600.0, **settings):
        from aegis_example_trl.plugin import Settings
        from aegis_example_trl.trainer import DpoTrainer

        folder, state = (tmp_path / f"{name}{len(made)}" for name in ("result", "state"))
        folder.mkdir()
        state.mkdir()
        reports = []
        context = aegis.TrainingContext(
            seed=5,
            directory=folder,
            state=state,
            resume_from=None,
            deadline=time.monotonic() + seconds,
            should_stop=stop,
            report=reports.append,
            validation=steps(*((number, 1, 1.0) for number in range(90, 93))),
        )
        made.append(folder)
        return DpoTrainer(Settings(**settings)).train(build(), data, context), reports

    return run


def pairs(data, build):
    from aegis_example_trl.trainer import preferences

    return [(p["chosen"], p["rejected"]) for p in preferences(build(), data, 1)]


def test_what_paid_is_preferred_to_what_paid_less_in_the_same_view(build):
    assert pairs(steps((1, 0, 0.5), (1, 2, -0.5), (2, 1, -1.0)), build) == [(LINES[0], LINES[2])]
    assert pairs(steps((1, 0, 0.5), (1, 2, 0.2)), build)[0] == (LINES[0], LINES[2])


def test_what_paid_is_preferred_to_what_was_never_done_there(build):
    ((chosen, rejected),) = pairs(steps((1, 0, 0.5), (2, 2, 0.0)), build)
    assert chosen == LINES[0] and rejected in LINES[1:]


def test_what_did_not_pay_and_what_names_no_choice_teach_nothing(build):
    assert pairs(steps((1, 0, 0.0), (2, 1, -1.0), (3, None, 1.0)), build) == []


def test_a_prompt_is_what_the_engine_reads_and_is_left_out_where_it_does_not_fit(build):
    from aegis_example_trl.trainer import preferences

    engine, data = build(), steps((1, 0, 0.5))
    (pair,) = preferences(engine, data, 1)
    assert pair["prompt"] == f"{data[0].view.render()}\nnext:"
    ids = engine.tokenizer.encode(pair["prompt"])
    assert tuple(ids) == engine.encoding.prompt(data[0].view).ids[-len(ids) :]
    assert engine.tokenizer.encode(pair["chosen"]) == engine.encoding.candidate(CANDIDATES[0])
    data[0].view = aegis.View("Understand " + "rank " * 2000)
    assert preferences(engine, data, 1) == []


def test_the_trained_model_is_built_from_its_folder_and_prefers_what_paid(build, train):
    before = build().score(VIEW, CANDIDATES)
    kept = [(s.view, s.decision.candidates, s.decision.chosen, s.advantage) for s in LEARNED]
    result, reports = train(LEARNED, learning_rate=1e-3)

    after = build(result.directory).score(VIEW, CANDIDATES)
    assert after[1] > before[1] + 0.3
    assert result.stopped_because == "finished"
    assert (result.examples, result.epochs) == (24, 1.0)
    assert result.metrics["held_out_loss"] < reports[0]["loss"]
    assert [r["examples"] for r in reports if "loss" in r] == [8, 16, 24]
    assert {f.suffix for f in result.directory.rglob("*")} == {".json", ".safetensors"}
    assert kept == [
        (s.view, s.decision.candidates, s.decision.chosen, s.advantage) for s in LEARNED
    ]


def test_a_training_changes_nothing_around_it_and_is_the_same_again(train):
    def surroundings():
        drawn = (random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist())
        return (
            *drawn,
            torch.get_default_dtype(),
            torch.get_num_threads(),
            Path.cwd(),
            {**os.environ},
        )

    before = surroundings()
    weights = []
    for _ in range(2):
        result, _ = train(LEARNED)
        weights.append((result.directory / "model.safetensors").read_bytes())
        random.random()
    random.setstate(before[0])
    assert surroundings() == before
    assert weights[0] == weights[1]


def test_weights_that_are_no_numbers_are_told_and_not_written(build, tmp_path):
    from aegis_example_trl.plugin import Settings
    from aegis_example_trl.trainer import DpoTrainer

    engine, reports = build(), []
    with torch.no_grad():
        next(engine.module.parameters()).fill_(torch.nan)
    told = {"should_stop": lambda: False, "report": reports.append, "validation": steps()}
    told |= {"seed": 0, "resume_from": None, "deadline": time.monotonic() + 600}
    context = aegis.TrainingContext(directory=tmp_path, state=tmp_path, **told)
    result = DpoTrainer(Settings()).train(engine, LEARNED, context)
    assert result.stopped_because == "diverged"
    assert len(reports) == 1 and not np.isfinite(reports[0]["loss"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("how", "why"), [({"stop": lambda: True}, "interrupted"), ({"seconds": 5.0}, "deadline")]
)
def test_it_stops_after_the_step_that_is_on(train, how, why):
    result, reports = train(LEARNED, **how)
    assert result.stopped_because == why
    assert len([r for r in reports if "loss" in r]) == 1
    assert bool(list(result.directory.iterdir())) == (why == "deadline")


def test_nothing_to_prefer_is_one_clear_error(train):
    with pytest.raises(aegis.AegisError) as raised:
        train(steps((1, 0, -1.0)))
    (problem,) = raised.value.problems
    assert problem.code == "no-examples" and "1 steps" in problem.message and problem.fix


def test_it_keeps_every_law_of_its_roles(aegis_project):
    plugin = str(Path(__file__).parents[1] / "src" / "aegis_example_trl" / "plugin.py")
    report = aegis_project(PROFILE, plugins=["gpt2-lora", plugin]).check(plugin)
    failed = [finding for finding in report.findings if finding.status in ("failed", "blocked")]
    assert not failed and report.findings
