from __future__ import annotations

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.contracts.action import Action
from aegis.contracts.experience import Decision, Experience
from aegis.contracts.outcome import Outcome
from aegis.contracts.view import View
from aegis.errors import InputError
from aegis.evaluation import off_policy
from aegis.evaluation.off_policy import Recorded, effective_sample_size, estimate, policy_scores

ARMS = ("a", "b", "c")
WORTH = {"a": 1.0, "b": 0.0, "c": -2.0}


def step(episode, index, chosen, behaviour, reward, *, done=True, text=None, tools=ARMS, **facts):
    candidates = tuple(Action(tool, signals={"rank": n}) for n, tool in enumerate(tools))
    logs = tuple(np.log(behaviour).tolist()) if behaviour is not None else ()
    decision = Decision(
        candidates, chosen, logs, logs, candidates[chosen], text=text, engine="old", checkpoint="1"
    )
    return Experience(
        step=index, run="r", episode=episode, index=index, environment="e", origin="own", seed=0,
        generator="g", key=f"{episode} {index}", started="", view=View(goal="g"),
        decision=decision, outcome=Outcome("ok"), reward=reward, done=done, **facts,
    )  # fmt: skip


def bandit(count, behaviour, seed=0, noise=1.0):
    """Episodes of one step; an arm earns its worth and noise."""
    rng = np.random.default_rng(seed)
    steps = []
    for episode in range(count):
        chosen = int(rng.choice(3, p=behaviour))
        reward = WORTH[ARMS[chosen]] + noise * float(rng.standard_normal())
        steps.append(step(episode, 1, chosen, behaviour, reward))
    return steps


def even(recorded, chances):
    return [np.log(chances)] * len(recorded.experiences)


NEW = np.array([0.7, 0.2, 0.1])
SURE = np.array([1 - 2e-22, 1e-22, 1e-22])
"""As an expert's log-odds of 50 are: whatever else could be done never is, with weights as even
as can be."""
VALUE = 0.7 * 1.0 + 0.2 * 0.0 + 0.1 * -2.0


@pytest.mark.parametrize("method", ["snips", "dr"])
def test_a_bandit_is_worth_what_its_arms_are(method):
    recorded = Recorded.of(bandit(20_000, [0.3, 0.3, 0.4]))
    found = estimate(recorded, even(recorded, NEW), method=method)
    assert found.value.mean == pytest.approx(VALUE, abs=0.06)
    assert found.value.low < VALUE < found.value.high
    assert found.behaviour.mean == pytest.approx(0.3 - 0.8, abs=0.05)
    assert found.difference.mean == pytest.approx(found.value.mean - found.behaviour.mean)
    assert found.difference.low > 0.9


@pytest.mark.parametrize("method", ["snips", "dr"])
def test_the_interval_holds_the_value_as_often_as_it_says(method):
    held = 0
    for seed in range(120):
        recorded = Recorded.of(bandit(400, [0.3, 0.3, 0.4], seed))
        found = estimate(recorded, even(recorded, NEW), method=method).value
        held += found.low <= VALUE <= found.high
    assert held >= 104  # of 120 at 95 %: fewer than once in a thousand


def test_by_hand():
    """Weights 2, 2, 0.5 and returns 1, 3, 5: (2 + 6 + 2.5) / 4.5."""
    rows = [
        step(0, 1, 0, [0.25, 0.75], 1.0, tools=("a", "b")),
        step(1, 1, 0, [0.25, 0.75], 3.0, tools=("a", "b")),
        step(2, 1, 1, [0.25, 0.75], 5.0, tools=("a", "b")),
    ] * 100
    rows = [row.__class__(**{**_values(row), "episode": n}) for n, row in enumerate(rows)]
    recorded = Recorded.of(rows)
    new = [np.log([0.5, 0.375]) for _ in rows]
    found = estimate(recorded, new, method="snips")
    assert found.value.mean == pytest.approx(10.5 / 4.5)
    assert found.effective_sample_size == pytest.approx(100 * 4.5**2 / (4 + 4 + 0.25))
    assert (found.largest_weight, found.large_weights) == (pytest.approx(2.0), 0.0)
    assert (found.steps, found.episodes) == (300, 300)


def _values(row):
    from attrs import fields

    return {one.name: getattr(row, one.name) for one in fields(type(row))}


def test_where_nothing_is_left_to_chance_the_model_takes_all_of_the_error_away():
    recorded = Recorded.of(bandit(1000, [0.3, 0.3, 0.4], noise=0.0))
    by_model = estimate(recorded, even(recorded, NEW), method="dr")
    assert by_model.value.mean == pytest.approx(VALUE, abs=0.02)
    width = by_model.value.high - by_model.value.low
    plain = estimate(recorded, even(recorded, NEW), method="snips").value
    assert width < 0.1 * (plain.high - plain.low)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.05, 1.0), min_size=3, max_size=3), st.integers(0, 1000))
def test_the_behaviour_itself_is_worth_what_it_got_and_every_step_counts(weights, seed):
    chances = np.array(weights) / sum(weights)
    recorded = Recorded.of(bandit(250, chances, seed))
    for method in ("snips", "dr"):
        found = estimate(recorded, list(recorded.behaviour), method=method)
        assert found.effective_sample_size == pytest.approx(250)
        assert found.behaviour.mean == pytest.approx(recorded.returns.mean())
        # The model corrects for how often each arm came up by chance.
        spread = 0.0 if method == "snips" else found.difference.high - found.difference.mean
        assert found.difference.mean == pytest.approx(0.0, abs=1e-9 + 2.5 * spread)


def test_returns_to_go_are_discounted_and_steps_of_open_episodes_are_left_out():
    first = [step(1, n, 0, [0.5, 0.3, 0.2], float(n), done=n == 3) for n in (1, 2, 3)]
    open_one = [step(2, 1, 0, [0.5, 0.3, 0.2], 1.0, done=False)]
    imported = [step(3, 1, 0, None, 1.0)]
    recorded = Recorded.of([*first, *open_one, *imported], discount=0.5)
    assert recorded.returns.tolist() == [1 + 0.5 * (2 + 0.5 * 3), 2 + 0.5 * 3, 3.0]
    assert recorded.left_out == {
        "its episode has not ended": 1,
        "no probabilities were recorded": 1,
    }


def test_where_the_model_knows_nothing_both_methods_are_one(monkeypatch):
    """With q = 0 the doubly robust estimate is sum(w G) / sum(w), and as sure of itself."""
    recorded = Recorded.of(bandit(400, [0.3, 0.3, 0.4]))
    shifted = evolve(recorded, returns=recorded.returns + 5.0)
    monkeypatch.setattr(off_policy, "predicted", lambda steps, *_: [np.zeros(3)] * len(steps))
    plain, robust = (
        estimate(shifted, even(recorded, NEW), method=method) for method in ("snips", "dr")
    )
    assert robust.value == pytest.approx(plain.value)
    assert robust.difference == pytest.approx(plain.difference)


def test_steps_of_one_episode_hang_together():
    alone = bandit(400, [0.3, 0.3, 0.4])
    together = [
        one.__class__(**{**_values(one), "episode": n // 4, "index": n % 4 + 1, "done": n % 4 == 3})
        for n, one in enumerate(alone)
    ]
    recorded = Recorded.of(together)
    new = even(recorded, NEW)
    found = estimate(recorded, new, method="snips")
    assert (found.steps, found.episodes) == (400, 100)
    single = estimate(Recorded.of(alone), new, method="snips").value
    assert (found.value.high - found.value.low) > 1.2 * (single.high - single.low)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: (bandit(150, [0.3, 0.3, 0.4]), NEW, None), "estimate-size"),
        (lambda: (bandit(3000, [0.94, 0.05, 0.01]), [0.01, 0.01, 0.98], None), "estimate-size"),
        (lambda: (bandit(3000, [0.5, 0.5, 0.0]), [0.4, 0.4, 0.2], None), "estimate-support"),
        (lambda: (bandit(3000, SURE), [1 / 3, 1 / 3, 1 / 3], None), "estimate-support"),
        (lambda: (bandit(1000, [0.9998, 0.0001, 0.0001]), [0.8, 0.1, 0.1], None), "estimate-support"),
        (lambda: (bandit(1, [0.3, 0.3, 0.4]), NEW, None), "estimate-few"),
        (
            lambda: (
                [
                    step(n, 1, n % 3, [0.3, 0.3, 0.4], 1.0, text="words")
                    for n in range(900)
                ],
                NEW,
                ("new", "2"),
            ),
            "estimate-writer",
        ),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_what_cannot_be_told_is_refused_with_the_reason(make, code):
    steps, chances, writer = make()
    recorded = Recorded.of(steps)
    with pytest.raises(InputError) as raised:
        estimate(recorded, even(recorded, chances), writer=writer)
    assert code in {problem.code for problem in raised.value.problems}
    assert all(problem.fix for problem in raised.value.problems)


@pytest.mark.parametrize("count", [220, 400, 5000])
@pytest.mark.parametrize("rare", [0.002, 0.0001])
def test_what_is_seldom_done_may_be_seldom_wanted(count, rare):
    """The behaviour itself, and one that does more of the rare by half, are no strangers to it."""
    chances = np.array([1 - 2 * rare, rare, rare])
    recorded = Recorded.of(bandit(count, chances))
    for times in (1.0, 1.5):
        wanted = np.array([1 - 2 * rare * times, rare * times, rare * times])
        found = estimate(recorded, even(recorded, wanted))
        assert found.effective_sample_size >= 200


def test_steps_under_other_rules_are_left_out_or_refused():
    steps = bandit(900, [0.3, 0.3, 0.4])
    mixed = [evolve(one, generator=f"e-{1 + n % 2}") for n, one in enumerate(steps)]
    own = [evolve(one, generator="0.1.0/e-1") for one in mixed if one.generator == "e-1"]
    recorded = Recorded.of([*own, *(one for one in mixed if one.generator == "e-2")], rules="e-1")
    assert len(recorded.experiences) == 450
    assert recorded.left_out == {"recorded under other rules of the environment": 450}
    both = Recorded.of(mixed)
    with pytest.raises(InputError, match=r"450 of e under e-1, 450 of e under e-2") as raised:
        estimate(both, even(both, NEW))
    assert [problem.code for problem in raised.value.problems] == ["estimate-mixed"]


def test_an_episode_that_met_several_rules_is_left_out_whole():
    steps = [step(1, n, 0, [0.5, 0.3, 0.2], 1.0, done=n == 3) for n in (1, 2, 3)]
    mixed = [evolve(one, generator=name) for one, name in zip(steps, "aba", strict=True)]
    assert Recorded.of(mixed, rules="a").left_out == {
        "recorded under other rules of the environment": 3
    }


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_however_improbable_something_was_nothing_overflows():
    behaviour = np.array([0.0, -720.0, -720.0])
    recorded = Recorded.of(bandit(300, [1.0, 0.0, 0.0]))
    recorded = evolve(recorded, behaviour=(behaviour,) * 300)
    with pytest.raises(InputError) as raised:
        estimate(recorded, even(recorded, NEW))
    assert [problem.code for problem in raised.value.problems] == ["estimate-support"]


def test_the_same_writer_may_be_judged_on_its_words():
    steps = [step(n, 1, n % 3, [0.3, 0.3, 0.4], 1.0, text="words") for n in range(900)]
    recorded = Recorded.of(steps)
    assert estimate(recorded, even(recorded, NEW), writer=("old", "1")).steps == 900


def test_scores_come_from_the_engine_in_the_order_of_the_steps():
    class Engine:
        def score_batch(self, items):
            return [np.log(np.full(len(candidates), 1 / 3)) for _, candidates in items]

    recorded = Recorded.of(bandit(130, [0.3, 0.3, 0.4]))
    scores = policy_scores(Engine(), recorded)
    assert len(scores) == 130

    class Broken:
        def score_batch(self, items):
            return [np.array([0.0, -1.0, np.nan])] * len(items)

    with pytest.raises(ValueError, match="no log-probabilities"):
        policy_scores(Broken(), recorded)
    assert effective_sample_size(np.ones(7)) == pytest.approx(7)
    assert effective_sample_size(np.zeros(3)) == 0.0
    with pytest.raises(ValueError, match=r"scores of 129 steps for 130"):
        estimate(recorded, scores[1:])
