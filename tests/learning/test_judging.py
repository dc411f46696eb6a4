"""Old against new: the measures against sums worked out by hand, then in a real child."""

from __future__ import annotations

import math

import numpy as np
import pytest
from attrs import evolve

from aegis.contracts.action import Action
from aegis.contracts.capabilities import EngineCapabilities
from aegis.contracts.experience import Decision, Experience
from aegis.contracts.outcome import Outcome, StepResult
from aegis.contracts.view import View
from aegis.learning.judging import Rows, compared, held_out, played
from aegis.learning.outcome import gate

LEFT, RIGHT = Action("left"), Action("right")


class Fixed:
    """Gives the candidates fixed probabilities."""

    def __init__(self, *probabilities, writes=False):
        self.probabilities = probabilities
        self.capabilities = EngineCapabilities(kind="fixed", writes_text=writes)
        self.batches = []

    def score(self, view, candidates):
        with np.errstate(divide="ignore"):
            return np.log(np.array(self.probabilities[: len(candidates)]))

    def score_batch(self, items):
        self.batches.append(len(items))
        return [self.score(view, candidates) for view, candidates in items]


def step(number, chosen=0, *, origin="own", episode=None, candidates=(LEFT, RIGHT), **decision):
    even = (math.log(0.5),) * len(candidates)
    action = candidates[chosen] if chosen is not None else None
    made = Decision(candidates, chosen, even, even, action)
    return Experience(
        step=number, run="r", episode=number if episode is None else episode, index=1,
        environment="e", origin=origin, seed=1, generator="1", key=str(number), started="",
        view=View("g"), decision=evolve(made, **decision), outcome=Outcome("ok"), reward=1.0,
    )  # fmt: skip


class Data:
    def __init__(self, steps, advantages):
        self.experiences, self.advantages = tuple(steps), tuple(advantages)


def silent(done, total):
    pass


def test_only_steps_that_paid_and_a_teachers_are_judged_on():
    steps = [step(1), step(2), step(3, origin="teacher"), step(4, None, candidates=())]
    rows = Rows.of(Data(steps, [0.5, 0.0, -1.0, 2.0]))
    assert [s.step for s in rows.choices] == [1, 3]
    assert rows.actions == (), "a step without candidates and without an action says nothing"


def test_loss_and_agreement_are_those_of_the_chosen_candidates():
    rows = Rows.of(Data([step(1, 0), step(2, 1)], [1.0, 1.0]))
    found = held_out(Fixed(0.8, 0.2), rows, silent)
    assert found["loss"] == pytest.approx([-math.log(0.8), -math.log(0.2)])
    assert found["agreement"] == [1.0, 0.0]
    assert rows.even_loss == pytest.approx(math.log(2))


def test_a_choice_that_is_ruled_out_counts_fifty():
    found = held_out(Fixed(1.0, 0.0), Rows.of(Data([step(1, 1)], [1.0])), silent)
    assert found["loss"] == [50.0]


def test_rows_are_scored_in_batches_and_progress_is_told():
    engine, told = Fixed(0.5, 0.5), []
    rows = Rows.of(Data([step(n) for n in range(1, 41)], [1.0] * 40))
    held_out(engine, rows, lambda done, total: told.append((done, total)))
    assert engine.batches == [16, 16, 8]
    assert told == [(16, 40), (32, 40), (40, 40)]


def test_texts_and_bare_actions_are_judged_where_the_engine_can():
    torch = pytest.importorskip("torch")

    class Writer(Fixed):
        def text_log_probabilities(self, items):
            assert torch.is_inference_mode_enabled()
            return torch.tensor([-float(len(item.text)) for item in items])

        def action_log_probabilities(self, items):
            return torch.tensor([-2.0 for _ in items])

    slot = Action("search", {}, slot="query")
    written = step(1, 0, candidates=(slot, RIGHT), text="abc", action=slot.filled("abc"))
    bare = step(2, None, candidates=(), action=RIGHT)
    rows = Rows.of(Data([written, bare], [1.0, 1.0]))
    found = held_out(Writer(0.5, 0.5, writes=True), rows, silent)
    assert found["text_loss"] == [3.0]
    assert found["action_loss"] == [2.0]
    assert set(held_out(Fixed(0.5, 0.5), rows, silent)) == {"loss", "agreement"}


def test_a_gain_is_positive_where_the_candidate_is_better_either_way():
    old = {"loss": [2.0, 2.0, 2.0], "agreement": [0.0, 0.0, 1.0]}
    new = {"loss": [1.0, 1.5, 1.0], "agreement": [1.0, 1.0, 1.0], "text_loss": [1.0]}
    groups = {"loss": [1, 2, 3], "agreement": [1, 2, 3]}
    found = compared(old, new, groups, seed=0)
    assert set(found) == {"loss", "agreement"}
    assert found["loss"]["gain"]["mean"] == pytest.approx(2.5 / 3)
    assert found["agreement"]["gain"]["mean"] == pytest.approx(2 / 3)
    assert found["loss"]["gain"]["low"] <= found["loss"]["lower_bound"] <= 2.5 / 3


def test_rows_of_one_episode_count_as_one():
    """Hundred copies of two episodes are no evidence of a hundred."""
    old, new = [1.0, 1.0] * 50, [0.0, 1.4] * 50
    alone = compared({"loss": old}, {"loss": new}, {"loss": list(range(100))}, seed=0)["loss"]
    together = compared({"loss": old}, {"loss": new}, {"loss": [1, 2] * 50}, seed=0)["loss"]
    assert alone["gain"]["mean"] == together["gain"]["mean"] == pytest.approx(0.3)
    assert alone["lower_bound"] > 0
    assert together["lower_bound"] == pytest.approx(-0.4), "both of two draws are the worse one"
    assert together["clusters"] == 2


def test_the_lower_bound_covers_as_it_says():
    """Of candidates that are no better, about one in twenty has a lower bound above 0."""
    dice = np.random.default_rng(1)
    above = 0
    for trial in range(80):
        old, new = dice.normal(size=(2, 60))
        found = compared({"return": old}, {"return": new}, {"return": range(60)}, seed=trial)
        above += found["return"]["lower_bound"] > 0
    assert above <= 12  # 4 expected; more by chance less than once in a thousand


class Buttons:
    """Pays 1 for the right action, and keeps the seeds that it was reset with."""

    def __init__(self):
        self.seeds = []

    def reset(self, seed):
        self.seeds.append(seed)
        return View("g")

    def candidates(self, view):
        return [LEFT, RIGHT]

    def step(self, action):
        return StepResult(View("g"), Outcome("ok"), float(action is RIGHT), done=True)


def test_episodes_are_sampled_and_the_same_for_both():
    environment = Buttons()
    told = []
    first = played(environment, Fixed(0.5, 0.5), range(40), lambda *now: told.append(now))
    assert 0 < sum(episode.total for episode in first) < 40, "sampled, not greedy"
    assert first == played(environment, Fixed(0.5, 0.5), range(40), silent)
    assert environment.seeds == [*range(40), *range(40)]
    assert told[-1] == (40, 40)


def test_the_gate_names_the_return_where_it_was_played_else_the_loss():
    measure = {
        "incumbent": {"mean": 1.0}, "candidate": {"mean": 3.0}, "gain": {"mean": 2.0},
        "lower_bound": 0.5,
    }  # fmt: skip
    played_too = {
        "episodes": {"environment": "research-gym", "measures": {"return": measure}},
        "held_out": {"measures": {"loss": measure}},
    }
    assert gate(played_too) == {
        "accepted": None, "metric": "return in research-gym", "incumbent": 1.0, "candidate": 3.0,
        "difference": 2.0, "lower_bound": 0.5, "level": 0.05,
    }  # fmt: skip
    skipped = played_too | {"episodes": {"skipped": "no corpus"}}
    assert gate(skipped)["metric"] == "held-out loss"
    assert gate({})["metric"] is None
