"""What one step teaches by itself."""

from __future__ import annotations

import pytest
from attrs import evolve

from aegis.contracts.action import Action
from aegis.contracts.view import View
from aegis.learning.row import (
    NEEDS_CANDIDATES,
    NO_CHOICE,
    NO_RESULT,
    NOTHING,
    OTHER_RULES,
    Episode,
    Row,
    refusal,
)

SEARCH = Action("search", {}, slot="query")
CALL = Action("web_search", {"query": "routing"})


def reason(step, **how):
    return refusal(step, **{"needs_candidates": False} | how)


def test_a_choice_among_candidates_teaches(make):
    assert reason(make.step()) is None
    assert reason(make.step(), needs_candidates=True) is None


def test_a_step_of_other_rules_teaches_nothing_of_these(make):
    """Views that look alike may mean something else."""
    step = make.step()
    for generator in ("doors-2", "0.1.0/doors-2"):
        recorded = evolve(step, generator=generator)
        assert reason(recorded) is None
        assert reason(recorded, rules="doors-2") is None
        assert reason(recorded, rules="doors-3") == OTHER_RULES


def test_a_step_without_result_is_only_an_intent(make):
    assert reason(make.step(outcome=None, reward=None)) == NO_RESULT
    assert reason(make.step(outcome=None, reward=None, candidates=())) == NO_RESULT


def test_one_candidate_teaches_only_its_text(make):
    assert reason(make.step(candidates=["read"])) == NO_CHOICE
    assert reason(make.step(candidates=[SEARCH], text="routing")) is None
    assert reason(make.step(candidates=[SEARCH], text=" ")) == NO_CHOICE
    assert reason(make.step(candidates=["read"], text="words without a slot")) == NO_CHOICE


def test_a_row_without_candidates_teaches_its_text(make):
    written = make.step(candidates=(), action=CALL, text="routing")
    assert reason(written) is None
    assert reason(written, needs_candidates=True) == NEEDS_CANDIDATES
    assert reason(make.step(candidates=(), action=CALL)) == NOTHING
    assert reason(make.step(candidates=(), action=CALL), needs_candidates=True) == NOTHING
    assert reason(make.step(candidates=(), action=CALL, text="")) == NOTHING
    assert reason(make.step(candidates=(), action=None, text="into what?")) == NOTHING


def test_candidates_without_a_recorded_choice_teach_nothing(make):
    step = make.step()
    unknown = evolve(step, decision=evolve(step.decision, chosen=None))
    assert reason(unknown) == NOTHING
    texted = evolve(unknown, decision=evolve(unknown.decision, text="routing"))
    assert reason(texted) == NOTHING


def row(step):
    return Row.of(step, Episode("key", [0.0]), 0)


def changed(step, **more):
    return evolve(step, decision=evolve(step.decision, **more))


def test_what_was_asked_and_answered_identifies_a_row(make):
    one = row(make.step(1, candidates=[SEARCH, "read"], text="routing"))
    again = row(make.step(2, episode=1, candidates=[SEARCH, "read"], text="routing", reward=5.0))
    assert (again.question, again.content) == (one.question, one.content)


DIFFERENT = {
    "view": lambda step: evolve(step, view=View("another goal", 1, 40)),
    "a candidate's arguments": lambda step: changed(step, candidates=(SEARCH, Action("read", {"document": "9"}))),
    "what a candidate is about": lambda step: changed(step, candidates=(SEARCH, Action("read", {"document": "1"}, about="x"))),
    "a candidate's signals": lambda step: changed(step, candidates=(SEARCH, Action("read", {"document": "1"}, signals={"rank": 1}))),
    "the order of candidates": lambda step: changed(step, candidates=step.decision.candidates[::-1]),
}  # fmt: skip


@pytest.mark.parametrize("change", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_another_question_is_another_row(make, change):
    step = make.step(candidates=[SEARCH, "read"], text="routing")
    assert row(change(step)).question != row(step).question
    assert row(change(step)).content != row(step).content


def test_another_answer_to_the_same_question_is_another_row(make):
    step = make.step(candidates=[SEARCH, "read"], text="routing")
    for other in (changed(step, chosen=1), changed(step, text="gating")):
        assert row(other).question == row(step).question
        assert row(other).content != row(step).content
    call = make.step(candidates=(), action=CALL, text="routing")
    other = changed(call, action=Action("learn", {"query": "routing"}))
    assert row(other).question == row(call).question
    assert row(other).content != row(call).content
