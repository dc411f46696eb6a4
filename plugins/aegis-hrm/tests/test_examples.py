"""What recorded decisions train: targets and weights by their formulas, and what is left out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from attrs import evolve

from aegis.contracts.view import View
from aegis_hrm.decision.layout import Layout
from aegis_hrm.examples import examples_of
from aegis_hrm.trainer_settings import TrainerSettings

SAID = (-0.1, -3.0, -4.0, -5.0, -math.inf)


@pytest.fixture(scope="module")
def layout(tokenizer):
    return Layout(tokenizer, 1024, 96)


@pytest.fixture(scope="module")
def made(layout):
    def make(data, scale=None, **settings):
        return examples_of(data, layout, TrainerSettings(**settings), scale)

    return make


def softmax(values, temperature=1.0):
    """Return probabilities, in double precision, one after another."""
    each = [math.exp(value / temperature) for value in values]
    return [value / math.fsum(each) for value in each]


def one_hot(place, count=5):
    return [float(number == place) for number in range(count)]


# Targets


@pytest.mark.parametrize("objective", ["imitate", "reward_weighted"])
def test_the_candidate_that_was_taken_is_the_target(
    made, layout, rows, step, view, candidates, objective
):
    data = rows([step(view, candidates, 3, scores=SAID), step(view, candidates[:2], 1)])
    found = made(data, objective=objective).rows

    assert [example.targets for example in found] == [tuple(one_hot(3)), (0.0, 1.0)]
    assert [example.chosen for example in found] == [3, 1]
    assert found[0].row == layout.row(view, candidates)
    assert found[0].tokens == len(found[0].row.ids)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_a_teacher_s_probabilities_are_the_target(made, rows, step, view, candidates, temperature):
    data = rows([step(view, candidates, 3, scores=SAID)])
    (example,) = made(data, objective="distill", temperature=temperature).rows

    assert example.targets == pytest.approx(softmax(SAID, temperature), abs=1e-12)
    assert example.targets[4] == 0
    assert example.chosen == 3


def test_recorded_scores_need_not_be_normalised_and_may_be_far_below_zero(
    made, rows, step, view, candidates
):
    scores = [value - 5000 for value in SAID]
    (example,) = made(
        rows([step(view, candidates, 0, scores=scores)]), objective="distill", temperature=0.05
    ).rows

    assert example.targets == pytest.approx(softmax(SAID, 0.05), abs=1e-9)


@pytest.mark.parametrize("objective", ["imitate", "reward_weighted"])
@pytest.mark.parametrize("share", [0.25, 1.0])
def test_a_share_of_the_target_may_be_the_teacher_s(
    made, rows, step, view, candidates, objective, share
):
    data = rows([step(view, candidates, 3, scores=SAID)])
    settings = {"objective": objective, "distillation": share, "temperature": 2.0}
    (example,) = made(data, **settings).rows
    pairs = zip(softmax(SAID, 2.0), one_hot(3), strict=True)

    assert example.targets == pytest.approx([share * s + (1 - share) * h for s, h in pairs])
    assert sum(example.targets) == pytest.approx(1, abs=1e-12)


def test_only_the_named_teacher_teaches(made, rows, step, view, candidates):
    data = rows(
        [
            step(view, candidates, 0, scores=SAID, engine="gpt2"),
            step(view, candidates, 1, scores=SAID, engine="rules"),
        ]
    )
    distilled = made(data, objective="distill", teacher="gpt2")
    assert [example.chosen for example in distilled.rows] == [0]
    assert distilled.left_out == {"no teacher": 1}

    mixed = made(data, objective="imitate", distillation=0.5, teacher="gpt2")
    soft = [0.5 * value for value in softmax(SAID)]
    soft[0] += 0.5
    assert mixed.rows[0].targets == pytest.approx(soft)
    assert mixed.rows[1].targets == tuple(one_hot(1)), "the other is imitated"
    assert mixed.left_out == {}

    anyone = made(data, objective="distill")
    assert len(anyone.rows) == 2


# Left out


def test_what_was_no_choice_trains_nothing(made, rows, step, view, candidates):
    nothing = evolve(step(view, candidates, 0).decision, chosen=None)
    data = rows(
        [
            step(view, candidates[:1], 0),
            step(view, candidates, 2),
            evolve(step(view, candidates, 0), decision=nothing),
            evolve(step(view, candidates, 0), decision=evolve(nothing, candidates=())),
        ]
    )
    found = made(data)

    assert [example.chosen for example in found.rows] == [2]
    assert found.left_out == {"no choice": 3}


def test_a_decision_without_recorded_probabilities_has_no_teacher(
    made, rows, step, view, candidates
):
    """Another system's file may not say them."""
    silent = step(view, candidates, 2)
    silent = evolve(silent, decision=evolve(silent.decision, engine_log_probabilities=()))

    assert made(rows([silent]), objective="distill").left_out == {"no teacher": 1}
    (mixed,) = made(rows([silent]), objective="imitate", distillation=0.5).rows
    assert mixed.targets == tuple(one_hot(2))
    all_of_it = made(rows([silent]), objective="imitate", distillation=1.0)
    assert all_of_it.left_out == {"no teacher": 1}


def test_imitation_takes_own_steps_that_paid(made, rows, step, view, candidates):
    steps = [step(view, candidates, i, origin="own") for i in range(4)]
    found = made(rows(steps, [1.0, -1.0, 0.0, 0.5]), objective="imitate")

    assert [example.chosen for example in found.rows] == [0, 3]
    assert [example.weight for example in found.rows] == [1.0, 1.0]
    assert found.left_out == {"unpaid": 2}


# Weights


def test_own_steps_count_by_their_advantage_and_have_mean_one(made, rows, step, view, candidates):
    """exp(advantage / beta), at most the limit; a demonstration counts 1 whatever came of it."""
    advantages = [2.0, -1.0, 50.0, -7.0]
    steps = [step(view, candidates, 0, origin="own") for _ in range(3)]
    steps.append(step(view, candidates, 0))
    found = made(rows(steps, advantages), beta=2.0, weight_limit=5.0)
    plain = np.array([math.exp(2 / 2), math.exp(-1 / 2), 5.0])

    assert [e.weight for e in found.rows[:3]] == pytest.approx(plain * 3 / plain.sum())
    assert found.rows[3].weight == 1.0
    assert found.scale == pytest.approx(3 / plain.sum())
    held_out = made(rows(steps[:1], advantages[:1]), 0.5, beta=2.0)
    assert held_out.rows[0].weight == pytest.approx(0.5 * math.exp(1))


def test_a_teacher_is_right_whatever_came_of_it(made, rows, step, view, candidates):
    steps = [step(view, candidates, 0, origin="own", scores=SAID) for _ in range(4)]
    found = made(rows(steps, [9.0, -9.0, 0.0, -200.0]), objective="distill", beta=0.1)

    assert [example.weight for example in found.rows] == pytest.approx([1.0] * 4)


# The digest


def test_the_digest_is_that_of_all_that_is_trained_on(made, rows, step, view, candidates):
    data = rows([step(view, candidates, 0, scores=SAID)])
    same = rows([step(view, candidates, 0, scores=SAID, number=7)])
    digests = [
        made(data).digest,
        made(rows([step(view, candidates, 1, scores=SAID)])).digest,
        made(rows([step(View(goal="x"), candidates, 0, scores=SAID)])).digest,
        made(data, objective="distill").digest,
        made(data, objective="distill", temperature=2.0).digest,
        made(rows([*data, *data])).digest,
        made(rows([step(view, candidates, 0, origin="own")], [3.0]), 0.1).digest,
    ]

    assert made(same).digest == digests[0]
    assert len(set(digests)) == len(digests)
