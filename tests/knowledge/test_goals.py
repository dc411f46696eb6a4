from __future__ import annotations

from aegis.agent.curiosity import Curiosity
from aegis.knowledge.gaps import Gaps
from aegis.knowledge.goals import Goals, Stems, goal_terms


def curiosity(connection, interests, stale_days=30.0):
    goals, gaps = Goals(connection), Gaps(connection)
    return Curiosity(goals, gaps, interests=interests, stale_days=stale_days), goals, gaps


def test_the_terms_of_a_goal_are_its_content_words():
    assert goal_terms("parameter-efficient fine-tuning of the models") == goal_terms(
        "parameter-efficient fine-tuning models"
    )
    assert "of" not in goal_terms("parameter-efficient fine-tuning of the models")


def test_each_interest_becomes_a_goal_once_in_its_order(connection):
    maker, goals, _ = curiosity(connection, ["hierarchical reasoning", "low-rank adaptation"])
    first = maker.next_goal(1)
    goals.close(first, "done", step=5, progress=1.0)
    second = maker.next_goal(6)
    goals.close(second, "abandoned", step=9, progress=0.5)
    assert [first.subject, second.subject] == ["hierarchical reasoning", "low-rank adaptation"]
    assert maker.next_goal(10) is None


def test_what_a_person_told_goes_before_the_interests_and_these_before_gaps(connection):
    maker, goals, gaps = curiosity(connection, ["hierarchical reasoning"])
    for step in (1, 2, 3):
        gaps.note(["singular value decomposition"], lambda _: False, step)
    goals.add("mixture of experts", "told", step=1)
    order = []
    while (goal := maker.next_goal(4)) is not None:
        order.append(goal.origin)
        goals.close(goal, "done", step=4, progress=1.0)
    assert order == ["told", "interest", "gap"]


def test_an_interest_is_worth_another_look_once_its_answer_is_stale(connection):
    maker, goals, _ = curiosity(connection, ["hierarchical reasoning"], stale_days=10)
    goal = maker.next_goal(1)
    goals.close(goal, "done", step=5, progress=1.0)
    closed = {goal.id: "2026-01-01T00:00:00+00:00"}
    assert maker.revive("2026-01-10T00:00:00+00:00", closed) == []
    assert [g.id for g in maker.revive("2026-01-12T00:00:00+00:00", closed)] == [goal.id]
    assert maker.next_goal(6).id == goal.id


def test_a_gap_opens_when_a_term_recurs_and_closes_when_it_is_explained(connection):
    gaps = Gaps(connection)
    gaps.note(["singular-value-decomposition", "training"], lambda _: False, 1)
    assert gaps.open() == []
    gaps.note(["singular value decomposition", "training"], lambda _: False, 3)
    assert [(g.term, g.count, g.opened_step) for g in gaps.open()] == [
        ("singular value decomposition", 2, 3)
    ]
    assert gaps.close(["Principal component analysis"], 4) == []
    assert gaps.close(["The singular value decomposition (SVD)"], 5) == [
        "singular value decomposition"
    ]
    assert gaps.open() == []
    assert gaps.counts() == (0, 1)


def test_a_gap_that_was_worked_on_in_vain_has_to_come_up_anew(connection):
    gaps = Gaps(connection)
    for step in (1, 2):
        gaps.note(["universal transformer", "weight tying"], lambda _: False, step)
    gaps.worked_on("universal transformer", covered=False, step=3)
    gaps.worked_on("weight tying", covered=True, step=3)
    assert gaps.open() == []
    for step in (4, 5):
        gaps.note(["universal transformer", "weight tying"], lambda _: False, step)
    assert [gap.term for gap in gaps.open()] == ["universal transformer"]


def test_a_term_that_is_explained_already_is_no_gap(connection):
    gaps = Gaps(connection)
    for step in (1, 2, 3, 4):
        gaps.note(["low rank adaptation"], lambda _: True, step)
    assert gaps.open() == []


def test_a_document_is_relevant_by_title_and_half_of_the_terms_or_by_all_terms():
    terms = ("hierarchical", "reasoning")

    def about(terms, title, text):
        return Stems.of(title, text).about(terms)

    assert about(terms, "Hierarchical models", "Nothing else.")
    assert about(terms, "Puzzles", "Hierarchical planning helps reasoning.")
    assert not about(terms, "Puzzles", "Reasoning helps.")
    assert not about(("alpha", "beta", "gamma", "delta"), "About alpha", "nothing else")
    assert not about((), "Anything", "at all")
