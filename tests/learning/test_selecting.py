"""What a trainer gets: of hand-made steps, of the gym, of a real file."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis.config.settings import LearningSettings, RewardSettings
from aegis.contracts.action import Action
from aegis.errors import InputError
from aegis.learning.dataset import Dataset
from aegis.learning.experience_file import from_file
from aegis.learning.row import NEEDS_CANDIDATES, NO_CHOICE, NO_RESULT, NOTHING
from aegis.learning.selecting import LEAKED, LEAKED_VARIANT, OVER_SHARE, REPEATED, select
from aegis.learning.splitting import held_out, key_of

SETTINGS = LearningSettings()
CALL = Action("web_search", {"query": "routing"})


def steps_of(dataset):
    return [step.step for step in dataset]


def sides(steps):
    """The numbers of the episodes to train on and of those held out, by their first steps."""
    first = {step.episode: key_of(step) for step in reversed(steps)}
    out = held_out(first.values(), 0.15)
    train = [episode for episode, key in sorted(first.items()) if key not in out]
    return train, [episode for episode in sorted(first) if episode not in train]


def on_one_side(make, count):
    """Goals of so many episodes that are trained on, and one that is held out."""
    goals = [f"goal {number}" for number in range(count * 3 + 20)]
    keys = {goal: key_of(make.step(goal=goal)) for goal in goals}
    out = held_out(keys.values(), 0.15)
    return [g for g in goals if keys[g] not in out][:count], next(
        g for g in goals if keys[g] in out
    )


def test_whole_episodes_are_held_out_and_every_step_is_accounted_for(make):
    steps = make.episodes([[0.0, 1.0, 2.0]] * 30)
    selected = select(steps, SETTINGS)
    train, validation = sides(steps)
    assert {step.episode for step in selected.train} == set(train)
    assert {step.episode for step in selected.validation} == set(validation)
    assert len(selected.train) + len(selected.validation) == 90
    assert selected.refused == {}
    assert selected.by_origin == {"own": len(train) * 3}


def test_returns_are_computed_before_rows_are_left_out(make):
    """The second of three steps has one candidate; its reward still belongs to the first."""
    steps = []
    for episode in range(1, 21):
        for index, names in enumerate((["a", "b"], ["a"], ["a", "b"]), start=1):
            number = len(steps) + 1
            steps.append(
                make.step(
                    number, episode=episode, index=index, candidates=names, chosen=0,
                    reward=10.0**index, done=index == 3,
                )
            )  # fmt: skip
    selected = select(steps, LearningSettings(discount=0.5))
    # 10 + (100 + 1000 / 2) / 2, and 1000.
    assert set(selected.train.returns) == {310.0, 1000.0}
    assert selected.refused == {NO_CHOICE: 20}


def test_held_out_steps_are_measured_by_what_is_usual_in_training(make):
    """Training: as many returns of 2 as of 4, mean 3 and deviation 1. Held out: one of 8."""
    goals, other = on_one_side(make, 20)
    steps = [
        make.step(n, episode=n, goal=goal, reward=2.0 + 2 * (n % 2), done=True)
        for n, goal in enumerate(goals, start=1)
    ]
    steps.append(make.step(21, episode=21, goal=other, reward=8.0, done=True))
    selected = select(steps, SETTINGS)
    assert selected.train.advantages == (1.0, -1.0) * 10
    assert selected.validation.returns == (8.0,)
    assert selected.validation.advantages == (5.0,)


def test_the_open_episode_at_the_end_has_no_advantage_and_changes_no_mean(make):
    goals, other = on_one_side(make, 21)
    steps = [
        make.step(n, episode=n, goal=goal, reward=2.0 + 2 * (n % 2), done=True)
        for n, goal in enumerate(goals[:20], start=1)
    ]
    steps.append(make.step(21, episode=21, goal=goals[20], reward=-90.0))
    steps.append(make.step(22, episode=22, goal=other, reward=3.0, done=True))
    selected = select(steps, SETTINGS)
    assert selected.train.advantages == (*(1.0, -1.0) * 10, 0.0)
    assert selected.train.returns[-1] == -90.0


def test_each_step_counts_under_its_first_reason(make):
    goals, _ = on_one_side(make, 8)
    own = {"episode": 1, "goal": goals[0]}
    kept = [
        make.step(1, **own, index=1),
        make.step(2, **own, index=2, candidates=(), action=CALL, text="routing"),
    ]
    left_out = [
        make.step(3, **own, index=3, candidates=()),
        make.step(4, **own, index=4, candidates=["read"]),
        make.step(5, **own, index=1),
        make.step(6, **own, index=1),
        make.step(7, **own, index=7, outcome=None, reward=None),
    ]
    selected = select([*kept, *left_out], SETTINGS)
    assert selected.refused == {NOTHING: 1, NO_CHOICE: 1, REPEATED: 2, NO_RESULT: 1}
    assert steps_of(selected.train) == [1, 2]
    strict = select([*kept, *left_out], SETTINGS, needs_candidates=True)
    assert strict.refused == {
        NOTHING: 1, NO_CHOICE: 1, REPEATED: 2, NO_RESULT: 1, NEEDS_CANDIDATES: 1
    }  # fmt: skip
    assert steps_of(strict.train) == [1]


def test_imports_over_their_share_leave_by_a_hash_neither_the_oldest_nor_the_newest(make):
    goals, other = on_one_side(make, 200)
    imported = [
        make.step(
            n, episode=n, goal=g, origin="import", candidates=(), action=CALL, text=g, done=True
        )
        for n, g in enumerate(goals[:180], start=1)
    ]
    own = [make.step(n, episode=n, goal=goals[n - 1], done=True) for n in range(181, 201)]
    own.append(make.step(201, episode=201, goal=other, done=True))
    selected = select([*imported, *own], SETTINGS)
    assert selected.by_origin == {"import": 20, "own": 20}
    assert selected.refused == {OVER_SHARE: 160}
    kept = [number for number in steps_of(selected.train) if number <= 180]
    assert min(kept) > 1
    assert max(kept) < 180
    assert Counter(number <= 90 for number in kept)[True] in range(3, 18)
    # The same rows in another place of another ledger: the same ones stay.
    moved = [evolve(step, step=step.step + 500, episode=step.episode + 500) for step in imported]
    again = select([*own, *moved], SETTINGS)
    assert [n - 500 for n in steps_of(again.train) if n > 500] == kept
    alone = select([*imported, evolve(own[-1], origin="import")], SETTINGS)
    assert alone.by_origin == {"import": 180}
    none = select([*imported, *own], LearningSettings(origins={"import": 0.0}))
    assert none.by_origin == {"own": 20}


def test_what_is_held_out_is_thinned_like_what_is_trained_on(make):
    keys = [f"goal {n}" for n in range(4000)]
    steps = [
        make.step(n, episode=n, goal=g, origin="import", candidates=(), action=CALL, text=g)
        for n, g in enumerate(keys[:3600], start=1)
    ]
    steps += [make.step(n, episode=n, goal=keys[n - 1]) for n in range(3601, 4001)]
    selected = select(steps, SETTINGS)
    out = Counter(step.origin for step in selected.validation)
    assert selected.by_origin["import"] == selected.by_origin["own"]
    # About as many as own ones, some 60: within five standard deviations.
    assert abs(out["import"] - out["own"]) < 5 * (60 + 60) ** 0.5


def test_a_question_that_is_trained_on_is_not_held_out(make):
    """Two goals whose second steps show the same view, one on each side."""
    goals, other = on_one_side(make, 20)
    view = make.step(index=2, goal="the same").view
    steps = []
    for episode, goal in enumerate([other, *goals], start=1):
        first = make.step(len(steps) + 1, episode=episode, goal=goal)
        shared = make.step(len(steps) + 2, episode=episode, index=2, chosen=episode % 2, done=True)
        own = evolve(shared, view=view) if episode < 3 else shared
        steps += [first, own]
    selected = select(steps, SETTINGS)
    assert steps_of(selected.validation) == [1]
    assert 4 in steps_of(selected.train)
    assert selected.refused == {LEAKED: 1}


def test_an_episode_without_its_first_step_goes_by_the_first_that_is_there(make):
    steps = [step for step in make.episodes([[0.0, 1.0]] * 12) if step.index == 2]
    selected = select(steps, SETTINGS)
    train, validation = sides(steps)
    assert {step.episode for step in selected.train} == set(train)
    assert validation


episodes = st.lists(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(-2, 2)), min_size=1, max_size=5),
    max_size=20,
)  # fmt: skip


def built(make, drawn):
    """Steps whose views (of few goals) and choices often coincide; episodes end, or not."""
    steps = []
    for episode, made in enumerate(drawn, start=1):
        for index, (goal, chosen, reward) in enumerate(made, start=1):
            step = make.step(
                len(steps) + 1, episode=episode, index=index, goal=f"goal {goal}",
                chosen=chosen, candidates=["a", "b", "c"], reward=float(reward),
                origin="own" if goal % 2 else "practice", done=index == len(made) and reward > -2,
            )  # fmt: skip
            steps.append(step)
    return steps


@given(episodes)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_episode_and_no_question_is_on_both_sides_and_no_step_gets_lost(make, drawn):
    steps = built(make, drawn)
    selected = select(steps, LearningSettings(origins={"practice": 0.4}))
    train, validation = selected.train, selected.validation
    assert not {s.episode for s in train} & {s.episode for s in validation}
    questions = [
        {(s.view, s.decision.candidates[0].key) for s in side} for side in (train, validation)
    ]
    assert not questions[0] & questions[1]
    rows = [(s.view.digest, s.decision.chosen) for s in train]
    assert len(rows) == len(set(rows))
    assert len(train) + len(validation) + sum(selected.refused.values()) == len(steps)
    assert steps_of(train) == sorted(steps_of(train))
    for step, value in zip(train, train.returns, strict=True):
        rest = [s.reward for s in steps if s.episode == step.episode and s.index >= step.index]
        assert value == pytest.approx(sum(rest))


@given(episodes)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_comes_later_moves_no_episode_to_the_other_side(make, drawn):
    before = make.episodes([[0.0, 1.0]] * 30)
    steps = built(make, drawn)
    later = [evolve(s, step=s.step + 60, episode=s.episode + 30) for s in steps]
    small, large = select(before, SETTINGS), select([*before, *later], SETTINGS)
    known = {step.episode for step in before}
    for side in ("train", "validation"):
        of = [{s.episode for s in getattr(x, side)} & known for x in (small, large)]
        assert of[0] == of[1]


def test_the_provenance_names_every_step_and_is_plain(make):
    steps = make.episodes([[0.0, 1.0]] * 30)
    selected = select(steps, SETTINGS)
    told = selected.provenance()
    assert told["digest"] == selected.train.digest
    assert told["examples"] == len(selected.train)
    assert told["episodes"] + told["held_out_episodes"] == 30
    assert told["split"]["holdout"] == 0.15
    assert expanded(told["train"]) == steps_of(selected.train)
    assert expanded(told["validation"]) == steps_of(selected.validation)
    assert select(steps, SETTINGS).provenance() == told


def expanded(ranges):
    """The numbers of ``1-50,52``."""
    numbers = []
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def test_nothing_is_selected_from_nothing():
    selected = select([], SETTINGS)
    assert (len(selected.train), len(selected.validation), selected.refused) == (0, 0, {})
    with pytest.raises(InputError) as caught:
        selected.raise_problems()
    assert [problem.code for problem in caught.value.problems] == ["data-empty"]


def test_practice_in_the_gym_can_be_trained_on(gym_steps):
    selected = select(gym_steps, SETTINGS)
    selected.raise_problems()
    assert selected.by_origin == {"practice": len(selected.train)}
    assert len(selected.train) + len(selected.validation) + sum(selected.refused.values()) == len(
        gym_steps
    )
    train, validation = sides(gym_steps)
    assert {step.episode for step in selected.train} <= set(train)
    assert {step.episode for step in selected.validation} <= set(validation)
    assert not {s.view.goal for s in selected.train} & {s.view.goal for s in selected.validation}
    paid = sum(advantage > 0 for advantage in selected.train.advantages) / len(selected.train)
    assert 0.2 < paid < 0.8


def test_the_1867_real_decisions_are_mostly_repeats(old_data):
    """512 attempts at 100 questions; 417 distinct decisions, counted without the code under test."""
    steps = list(from_file(old_data, RewardSettings()))
    distinct = {(s.view.render(), str(s.decision.action), s.decision.text) for s in steps}
    assert (len(steps), len(distinct)) == (1867, 417)
    selected = select(steps, SETTINGS)
    selected.raise_problems()
    assert len(selected.train) + len(selected.validation) == 417
    assert (len(selected.train), len(selected.validation)) == (297, 120)
    assert selected.refused == {REPEATED: 1450}
    assert selected.by_origin == {"import": 297}
    strict = select(steps, SETTINGS, needs_candidates=True)
    assert strict.refused == {NEEDS_CANDIDATES: 1867}
    assert [problem.code for problem in strict.problems] == ["data-empty"]


def test_two_thousand_steps_are_selected_in_a_moment(gym_steps):
    """Twenty thousand take a few seconds, so a tenth takes some tenths of one."""
    many = [evolve(s, view=evolve(s.view, goal=f"{s.view.goal} {n}"), episode=s.episode + 1000 * n)
            for n in range(3) for s in gym_steps][:2000]  # fmt: skip
    began = time.process_time()
    select(many, SETTINGS)
    assert time.process_time() - began < 2.0


def with_variants(selected, *made, count=1):
    """The selection with steps behind its rows, each with a return and an advantage of its own."""
    train = selected.train
    numbers = tuple(100.0 + n for n in range(len(made)))
    return selected.with_variants(
        Dataset(
            (*train.experiences, *made), (*train.returns, *numbers), (*train.advantages, *numbers)
        ),
        count,
    )


def test_variants_stand_behind_what_was_recorded_and_are_counted_apart(make):
    selected = select(make.episodes([[0.0, 1.0]] * 30), SETTINGS)
    first, second = selected.train.experiences[:2]
    made = [evolve(one, view=evolve(one.view, goal="mirrored")) for one in (first, second)]
    varied = with_variants(selected, *made, count=3)
    own = len(selected.train)
    assert varied.train.experiences == (*selected.train.experiences, *made)
    assert varied.train.returns[own:] == (100.0, 101.0)
    assert (varied.validation, varied.by_origin) == (selected.validation, selected.by_origin)
    before, after = selected.provenance(), varied.provenance()
    assert (before["examples"], before["variants"]) == (own, 0)
    assert (after["examples"], after["variants"]) == (own, 2)
    assert after["digest"] != before["digest"]
    assert after["split"] == {**before["split"], "variants": 3}
    unchanged = after.keys() - {"digest", "variants", "split"}
    assert {key: after[key] for key in unchanged} == {key: before[key] for key in unchanged}


def test_a_variant_that_asks_what_is_held_out_is_left_out(make):
    selected = select(make.episodes([[0.0, 1.0]] * 30), SETTINGS)
    first = selected.train[0]
    fresh = evolve(first, view=evolve(first.view, goal="mirrored"))
    held_out = selected.validation[0]
    answered = 1 - held_out.decision.chosen
    leak = evolve(
        first,
        view=held_out.view,
        decision=evolve(held_out.decision, chosen=answered),
    )
    varied = with_variants(selected, leak, fresh)
    assert varied.train.experiences == (*selected.train.experiences, fresh)
    assert varied.train.returns[-1] == 101.0
    assert varied.refused == {LEAKED_VARIANT: 1}
    assert varied.provenance()["variants"] == 1
