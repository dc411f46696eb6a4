"""Recorded steps as transitions."""

from __future__ import annotations

from attrs import evolve

from aegis_reinforce.features import Columns
from aegis_reinforce.transitions import Transitions, usable


def test_steps_follow_each_other_within_their_episode(world):
    steps = world.corridor(60)
    shown = Transitions.of(steps, Columns.of(steps))

    assert len(shown) == len(steps)
    for number, step in enumerate(steps):
        following = int(shown.following[number])
        assert (following < 0) == step.done
        if not step.done:
            after = steps[following]
            assert (after.episode, after.index) == (step.episode, step.index + 1)
    assert shown.known.all()
    assert shown.rewards.tolist() == [float(shown.rewards.new_tensor(s.reward)) for s in steps]


def test_where_the_next_step_is_missing_nothing_is_known_of_it(world):
    steps = [step for step in world.corridor(60) if step.index != 2]
    shown = Transitions.of(steps, Columns.of(steps))

    known = shown.known.tolist()
    assert known == [step.done or step.index == 3 for step in steps]
    assert not all(known)


def test_the_same_episode_of_another_run_is_another_one(world):
    one, two = (
        world.step_of(world.crowded_view(), (world.take(1.0), world.leave), 1, 0.0, index=index)
        for index in (1, 2)
    )
    steps = [one, evolve(two, run="other")]

    assert Transitions.of(steps, Columns.of(steps)).known.tolist() == [False, False]


def test_rows_are_padded_to_the_largest_choice(world):
    few = world.step_of(world.crowded_view(), (world.take(1.0),), 0, 0.0, index=1)
    many = world.step_of(
        world.crowded_view(), (world.take(0.5), world.leave, world.take(1.0)), 2, 0.0, index=2
    )
    columns = Columns.of([few, many])
    shown = Transitions.of([few, many], columns)

    assert shown.present.tolist() == [[True, False, False], [True, True, True]]
    assert (shown.rows[0, 1:] == 0).all()
    expected = columns.rows(many.view, many.decision.candidates)
    assert shown.rows[1].numpy().tolist() == expected.tolist()


def test_what_says_nothing_is_left_out(world):
    good = world.step_of(world.crowded_view(), (world.take(1.0), world.leave), 1, 0.0)
    steps = [
        evolve(good, reward=None),
        evolve(good, decision=evolve(good.decision, chosen=None)),
        evolve(good, decision=evolve(good.decision, candidates=())),
        good,
    ]

    assert usable(steps) == [good]
