"""The bandit learns what pays, keeps it in safetensors, and needs no torch."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("sklearn", reason="the example needs scikit-learn")

import numpy as np

import aegis

SRC = str(Path(__file__).parents[1] / "src")
PROFILE = """
[profiles.bandit]
engine = "sklearn-bandit"
phases.reinforce = "sklearn-bandit"
"""
VIEW = aegis.View("Understand low-rank adaptation", step=2, limit=10, missing=("rank",))
CANDIDATES = (
    aegis.Action("read", {"ref": "1"}, about="Low-rank adaptation", signals={"rank": 1}),
    aegis.Action("read", {"ref": "2"}, about="Cooking", signals={"rank": 2}),
    aegis.Action("wait"),
)


class Steps(list):
    """Recorded steps with their returns."""

    returns = property(lambda self: [step.reward for step in self])


def steps(count):
    """Return steps in turn; reading what ranks first pays 1, the rest 0."""
    made = Steps()
    for number in range(count):
        chosen = number % len(CANDIDATES)
        decision = SimpleNamespace(candidates=CANDIDATES, chosen=chosen, action=CANDIDATES[chosen])
        made.append(SimpleNamespace(view=VIEW, decision=decision, reward=float(chosen == 0)))
    return made


@pytest.fixture
def context(tmp_path):
    """Make what a trainer is told."""

    def make(stop=False, seconds=60):
        reports = []
        made = aegis.TrainingContext(
            seed=3,
            directory=tmp_path,
            state=tmp_path,
            resume_from=None,
            deadline=time.monotonic() + seconds,
            should_stop=lambda: stop,
            report=reports.append,
            validation=steps(6),
        )
        return made, reports

    return make


def untrained():
    from aegis_example_sklearn.bandit import Bandit

    return Bandit.load(0.3, None)


def train(context, data):
    from aegis_example_sklearn.bandit import RidgeTrainer

    return RidgeTrainer().train(untrained(), data, context)


def test_nothing_learned_scores_all_alike():
    assert untrained().score(VIEW, CANDIDATES) == pytest.approx(np.full(3, -np.log(3)))
    assert untrained().score(VIEW, ()).shape == (0,)


def test_what_paid_becomes_probable_and_is_the_same_from_the_folder(context, tmp_path):
    from aegis_example_sklearn.bandit import Bandit

    told, reports = context()
    result = train(told, steps(300))

    learned = Bandit.load(0.3, tmp_path)
    scores = learned.score(VIEW, CANDIDATES)
    assert np.logaddexp.reduce(scores) == pytest.approx(0)
    assert scores.argmax() == 0 and np.exp(scores[0]) > 0.7
    assert result.stopped_because == "finished" and result.examples == 300
    assert result.metrics["held_out_loss"] < 0.1
    assert reports[-1]["examples"] == 300
    assert [file.name for file in tmp_path.iterdir()] == ["bandit.safetensors"]
    assert learned.capabilities.weights != untrained().capabilities.weights


@pytest.mark.parametrize(
    ("stop", "seconds", "why"), [(True, 60, "interrupted"), (False, -1, "deadline")]
)
def test_a_stop_leaves_nothing_behind(context, tmp_path, stop, seconds, why):
    assert train(context(stop, seconds)[0], steps(30)).stopped_because == why
    assert not list(tmp_path.iterdir())


def test_no_steps_are_one_clear_error(context):
    with pytest.raises(aegis.AegisError) as raised:
        train(context()[0], steps(0))
    assert raised.value.problems[0].code == "no-examples"


def test_damaged_weights_are_one_clear_error(tmp_path):
    from aegis_example_sklearn.bandit import Bandit

    (tmp_path / "bandit.safetensors").write_bytes(b"\x80\x04no pickle is ever read.")
    with pytest.raises(aegis.AegisError) as raised:
        Bandit.load(0.3, tmp_path)
    assert raised.value.problems[0].code == "bandit-weights"
    assert str(tmp_path) in raised.value.problems[0].where


def test_neither_manifest_nor_build_nor_decision_needs_torch():
    program = f"""
import sys
from pathlib import Path


class NoTorch:
    def find_spec(self, name, path=None, target=None):
        assert name.partition(".")[0] != "torch", "torch is imported"


sys.meta_path.insert(0, NoTorch())
sys.path[:0] = [{SRC!r}, {str(Path(__file__).parent)!r}]
import aegis
import aegis_example_sklearn.plugin as plugin

assert "sklearn" not in sys.modules and "numpy" not in sys.modules, "the manifest is cheap"
(engine,), (trainer,) = plugin.aegis_engines(), plugin.aegis_trainers()
runtime = aegis.Runtime(Path(), Path())
built = engine.build(engine.config(), {{}}, runtime)
trainer.build(None, {{}}, runtime)
print(len(built.score(aegis.View("g"), [aegis.Action("a"), aegis.Action("b")])))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.stdout.strip() == "2", done.stderr


def test_it_keeps_every_law_of_its_roles(aegis_project):
    plugin = str(Path(__file__).parents[1] / "src" / "aegis_example_sklearn" / "plugin.py")
    report = aegis_project(PROFILE, plugins=[plugin]).check(plugin)
    failed = [finding for finding in report.findings if finding.status in ("failed", "blocked")]
    assert not failed and report.findings
