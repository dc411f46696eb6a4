"""Counting experience."""

from __future__ import annotations

import json

import pytest

from aegis.learning.stats import stats


def test_an_empty_ledger(open_ledger):
    found = stats(open_ledger())
    assert (found.examples, found.episodes, found.duplicates) == (0, 0, 0)
    assert found.reward_mean is None
    assert found.to_json()["actions"] == {}
    assert (found.first, found.last, found.refused) == ("", "", {})


def test_counts_of_a_ledger_with_several_origins(open_ledger, recorder):
    ledger = open_ledger()
    recorder.write(ledger, count=18)
    found = stats(ledger)
    made = list(ledger.experiences())
    assert found.examples == 18
    assert found.episodes == 3
    assert found.actions == {"search_library": 9, "read": 9}
    assert found.statuses == {"ok": 18}
    assert found.by_origin == {"own": 6, "practice": 6, "teacher": 6}
    assert found.reward_mean == pytest.approx(sum(e.reward for e in made) / 18)
    own = [e.reward for e in made if e.origin == "own"]
    assert found.reward_by_origin["own"] == pytest.approx(sum(own) / 6)
    assert (found.candidates_mean, found.with_candidates) == (2.0, 1.0)
    assert (found.first, found.last) == (made[0].started, made[-1].started)
    assert found.refused == {}
    keys = {"examples", "actions", "reward_mean"}
    assert keys <= json.loads(json.dumps(found.to_json())).keys()


def test_counts_of_one_origin_or_environment(open_ledger, recorder):
    ledger = open_ledger()
    recorder.write(ledger, count=18)
    assert stats(ledger, origin="teacher").examples == 6
    assert stats(ledger, environment="research-gym").by_origin == {"practice": 6, "teacher": 6}
    assert stats(ledger, origin="import").examples == 0


def test_a_decision_without_result_is_not_counted(open_ledger, recorder, later):
    ledger = open_ledger()
    recorder.write(ledger, count=3)
    ledger.intend(later(ledger.experience(3), step=4, index=2, key="open"))
    assert stats(ledger).examples == 3


def test_what_a_trainer_refuses_is_counted_once_with_its_reason(open_ledger, recorder, later):
    ledger = open_ledger()
    recorder.write(ledger, count=3)
    template = ledger.experience(3)
    decision = template.decision
    one = later(
        decision, candidates=decision.candidates[:1], chosen=0, action=decision.candidates[0],
        engine_log_probabilities=(0.0,), behaviour_log_probabilities=(0.0,),
    )  # fmt: skip
    nothing = later(
        one, candidates=(), chosen=None, engine_log_probabilities=(), behaviour_log_probabilities=()
    )
    kinds = [
        one,
        later(decision, chosen=None),
        later(nothing, text="a query"),
        later(nothing, text=None),
        later(nothing, text=None, action=None),
    ]
    for number, changed in enumerate(kinds, start=4):
        ledger.record(
            later(template, step=number, index=number, key=str(number), decision=changed), "now"
        )
    found = stats(ledger)
    assert found.refused == {
        "one candidate: there was no choice": 1,
        "the choice is not recorded": 1,
        "no candidates: trains the text loss only": 1,
        "no candidates and no text: nothing to learn a choice or words from": 2,
    }
    assert found.actions["none"] == 1
    assert found.with_candidates == 5 / 8
    assert found.candidates_mean == pytest.approx((4 * 2 + 1) / 5)


def test_repeated_choices_in_equal_views_are_duplicates(open_ledger, recorder, later):
    ledger = open_ledger()
    recorder.write(ledger, count=3)
    template = ledger.experience(3)
    other = later(
        template.decision,
        text="other words",
        action=template.decision.candidates[0].filled("other words"),
    )
    for number, decision in enumerate([template.decision, template.decision, other], start=4):
        ledger.record(
            later(template, step=number, index=number, key=str(number), decision=decision), "now"
        )
    assert stats(ledger).duplicates == 2
