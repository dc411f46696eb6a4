"""What steps count: by objective, advantage and origin, and why some count nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from attrs import frozen

from aegis.contracts.experience import Decision, Experience
from aegis.contracts.view import View
from aegis.errors import InputError
from aegis.neural import LeftOut, Weighting, left_out_figures, no_examples, weigh

DECISION = Decision((), None, (), (), None)


def step(number, origin="own"):
    return Experience(
        step=number, run="run", episode=number, index=1, environment="research", origin=origin,
        seed=0, generator="1", key=f"k{number}", started="", view=View(goal="g"), decision=DECISION,
    )  # fmt: skip


@frozen
class Rows:
    """Steps with advantages, as a trainer gets them."""

    steps: tuple
    advantages: tuple

    @property
    def returns(self):
        return (0.0,) * len(self.steps)

    def __len__(self):
        return len(self.steps)

    def __getitem__(self, index):
        return self.steps[index]

    def __iter__(self):
        return iter(self.steps)


def rows(*pairs):
    steps = tuple(step(i, origin) for i, (origin, _) in enumerate(pairs))
    return Rows(steps, tuple(advantage for _, advantage in pairs))


def number(experience):
    return experience.step


def test_own_steps_weigh_exp_of_the_advantage_clipped_and_scaled_to_mean_one():
    data = rows(("own", -1.0), ("practice", 0.0), ("own", 0.5), ("import", 50.0), ("teacher", 9.0))
    found = weigh(data, Weighting("reward_weighted", beta=0.5, weight_limit=10.0), number)

    raw = np.array([math.exp(-2), 1.0, math.e, 10.0])
    assert [content for _, content in found.rows] == [0, 1, 2, 3, 4]
    assert [weight for weight, _ in found.rows] == pytest.approx([*(raw / raw.mean()), 1.0])
    assert found.scale == pytest.approx(1 / raw.mean())
    assert found.left_out == {}


def test_held_out_steps_get_the_scale_of_the_training_steps():
    found = weigh(
        rows(("own", 1.0), ("teacher", 5.0)), Weighting("reward_weighted"), number, scale=0.25
    )

    assert [weight for weight, _ in found.rows] == pytest.approx([math.e / 4, 1.0])
    assert found.scale == 0.25


def test_imitating_takes_demonstrations_and_what_paid_alike():
    data = rows(("own", -0.5), ("own", 2.0), ("practice", 0.0), ("teacher", -3.0), ("import", 0.1))
    found = weigh(data, Weighting("imitate", beta=0.01), number)

    assert found.rows == ((1.0, 1), (1.0, 3), (1.0, 4))
    assert found.left_out == {"unpaid": 2}


def test_steps_that_are_left_out_are_counted_by_reason_and_count_in_no_mean():
    data = rows(("own", 0.0), ("own", 1.0), ("own", 1.0), ("teacher", 1.0))

    def encode(experience):
        if experience.step == 0:
            return "kept"
        return LeftOut("no candidates" if experience.origin == "teacher" else "too long")

    found = weigh(data, Weighting("reward_weighted"), encode)
    assert found.rows == ((1.0, "kept"),)
    assert found.left_out == {"too long": 2, "no candidates": 1}
    assert left_out_figures(found.left_out) == {
        "left_out_too_long": 2.0,
        "left_out_no_candidates": 1.0,
    }


def test_what_does_not_pay_is_not_encoded():
    seen = []
    weigh(rows(("own", -1.0), ("own", 1.0)), Weighting("imitate"), lambda e: seen.append(e.step))

    assert seen == [1]


@pytest.mark.parametrize("scale", [None, 3.0])
def test_a_data_set_without_steps_has_no_weights(scale):
    found = weigh(rows(), Weighting("reward_weighted"), number, scale)

    assert (found.rows, found.scale, found.left_out) == ((), scale or 1.0, {})


def test_the_error_of_nothing_to_train_says_why():
    error = no_examples({"unpaid": 3, "too long": 1}, "imitate", "trainer.hrm")

    assert isinstance(error, InputError)
    assert error.problems[0].where == "[trainer.hrm].objective"
    assert error.problems[0].message == (
        'none of 4 steps trains anything with objective = "imitate" (1 too long, 3 unpaid)'
    )
    assert "(there are none)" in no_examples({}, "imitate", "x").problems[0].message


def test_there_is_no_third_objective():
    with pytest.raises(ValueError, match="objective"):
        Weighting("reinforce")
