"""Why a whole set cannot be trained on: each reason by itself, and all of them at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from aegis.config.settings import LearningSettings
from aegis.contracts.action import Action
from aegis.errors import InputError
from aegis.learning.selecting import select

SETTINGS = LearningSettings()
CALL = Action("web_search", {"query": "routing"})


def codes(steps, settings=SETTINGS):
    selected = select(steps, settings)
    for problem in selected.problems:
        assert problem.message
        assert problem.fix
    return [problem.code for problem in selected.problems]


def good(make, **more):
    """Thirty episodes of three steps that differ in choice and reward."""
    return make.episodes([[float(n % 3), 1.0, 0.0] for n in range(30)], **more)


def trained_on(make):
    """Goals whose episodes are not held out."""
    return sorted({step.view.goal for step in select(good(make), SETTINGS).train})


def test_a_good_set_has_no_problem(make):
    assert codes(good(make)) == []


def test_there_is_no_experience(make):
    assert codes([]) == ["data-empty"]


def test_nothing_can_be_learned_from_any_step(make):
    steps = [make.step(n, episode=n, candidates=["read"]) for n in range(1, 20)]
    selected = select(steps, SETTINGS)
    (problem,) = selected.problems
    assert problem.code == "data-empty"
    assert "19 steps" in problem.message
    assert "aegis data stats" in problem.fix


def test_nine_rows_to_train_on_are_too_few_and_ten_are_enough(make):
    steps = good(make)
    selected = select(steps, SETTINGS)
    train = {step.step for step in selected.train}
    held = [step for step in steps if step.step not in train]

    def cut(count):
        numbers = sorted(train)[:count]
        return codes([s for s in steps if s.step in numbers] + held)

    assert cut(9) == ["data-few"]
    assert cut(10) == []


def test_repeats_do_not_make_few_rows_many(make):
    steps = make.episodes([[0.0, 1.0]] * 4)
    more = [
        evolve(step, step=step.step + 8 * n, episode=step.episode + 4 * n)
        for n in range(1, 20)
        for step in steps
    ]
    assert {"data-few", "data-repeats"} <= set(codes([*steps, *more]))


def test_nothing_is_held_out_of_three_episodes(make):
    goals = trained_on(make)[:3]
    steps = [
        make.step(
            10 * n + index, episode=n, index=index, goal=goal, chosen=index % 2,
            reward=float(n), done=index == 9,
        )
        for n, goal in enumerate(goals)
        for index in range(1, 10)
    ]  # fmt: skip
    (problem,) = select(steps, SETTINGS).problems
    assert problem.code == "data-no-held-out"
    assert "4" in problem.fix


def only(make, names, tool):
    """The good set, choosing one tool among these candidates."""
    steps = []
    for step in good(make, candidates=names):
        actions = step.decision.candidates
        chosen = next(n for n, action in enumerate(actions) if action.tool == tool)
        decision = evolve(step.decision, chosen=chosen, action=actions[chosen])
        steps.append(evolve(step, decision=decision))
    return steps


def test_one_action_class_is_refused_where_there_was_another(make):
    assert codes(only(make, ["read", "search"], "read")) == ["data-one-action"]
    (problem,) = select(only(make, ["read", "search"], "read"), SETTINGS).problems
    assert '"read"' in problem.message


def test_one_tool_is_no_fault_where_there_is_no_other(make):
    assert codes(only(make, ["read", "read"], "read")) == []


def test_imports_without_candidates_may_all_take_the_same_action(make):
    steps = [
        evolve(
            step,
            origin="import",
            decision=evolve(
                step.decision, candidates=(), chosen=None, action=CALL, text=f"query {step.step}",
                engine_log_probabilities=(), behaviour_log_probabilities=(),
            ),
        )
        for step in make.episodes([[0.0, 0.0]] * 30)
    ]  # fmt: skip
    assert codes(steps) == []


def test_equal_returns_tell_nothing_apart(make):
    steps = make.episodes([[2.0]] * 60)
    (problem,) = select(steps, SETTINGS).problems
    assert problem.code == "data-constant-reward"
    assert "the same return, 2:" in problem.message


def test_a_teacher_needs_no_rewards(make):
    assert codes(make.episodes([[0.0]] * 60, origin="teacher")) == []
    taught = make.episodes([[0.0]] * 30, origin="teacher")
    own = make.episodes([[0.0]] * 30, first=31, episode=31)
    assert codes([*taught, *own]) == []


def test_the_returns_of_episodes_that_never_end_tell_nothing(make):
    steps = [evolve(step, done=False) for step in good(make)]
    (problem,) = select(steps, SETTINGS).problems
    assert problem.code == "data-constant-reward"
    assert "no episode has ended" in problem.message


def repeated(steps, times):
    """The steps and repetitions of them, all in the same episodes' places, under new numbers."""
    return [
        evolve(step, step=step.step + 1000 * n, episode=step.episode + 1000 * n)
        for n in range(times)
        for step in steps
    ]


def test_a_loop_is_refused_above_the_bound(make):
    """Twice is one half, three times two thirds."""
    steps = good(make)
    assert codes(repeated(steps, 2)) == []
    assert codes(repeated(steps, 3)) == ["data-repeats"]
    assert codes(repeated(steps, 3), LearningSettings(duplicates=0.7)) == []
    assert codes(repeated(steps, 2), LearningSettings(duplicates=0.4)) == ["data-repeats"]


def test_repeats_of_imports_without_candidates_are_a_log_and_no_loop(make, old_file, example):
    steps = [
        make.step(
            n, episode=n, origin="import", goal=f"goal {n % 30}", candidates=(), action=CALL,
            text="routing", reward=float(n % 2), done=True,
        )
        for n in range(600)
    ]  # fmt: skip
    assert codes(steps) == []


def test_questions_on_both_sides_are_refused_above_a_fifth(make):
    """All but the first steps of three goals' episodes show the same views."""
    steps = make.episodes([[0.0, float(n % 2), 1.0, 0.0] for n in range(60)])
    shared = [
        step if step.index == 1 else evolve(
            step, view=make.step(index=step.index, goal=f"shared {step.episode % 20}").view
        )
        for step in steps
    ]  # fmt: skip
    (problem,) = select(shared, SETTINGS).problems
    assert problem.code == "data-leak"
    assert "trained on as well" in problem.message
    # A tenth as many beside others is no fault.
    assert codes([*shared[:24], *steps[24:]]) == []


def test_everything_that_is_wrong_is_told_at_once(make):
    """One episode, one tool, no reward; five steps, then the same again and again."""
    goal = trained_on(make)[0]
    steps = [make.step(n, index=n, goal=goal, done=n == 15) for n in range(1, 16)]
    steps = [evolve(step, view=steps[(step.step - 1) % 5].view) for step in steps]
    selected = select(steps, SETTINGS)
    with pytest.raises(InputError) as caught:
        selected.raise_problems()
    assert [problem.code for problem in caught.value.problems] == [
        "data-few",
        "data-no-held-out",
        "data-one-action",
        "data-constant-reward",
        "data-repeats",
    ]


def test_every_reason_here_stands_in_the_source(root: Path):
    """A guard that is added without a test of it fails here."""
    import re

    source = (root / "aegis" / "learning" / "guards.py").read_text()
    here = Path(__file__).read_text()
    reasons = set(re.findall(r'"(data-[a-z-]+)"', source))
    assert len(reasons) == 7
    assert [reason for reason in reasons if f'"{reason}"' not in here] == []
