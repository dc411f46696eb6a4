"""Counting experience."""

from __future__ import annotations

import json

import pytest

from aegis.config.settings import LearningSettings
from aegis.contracts.action import Action
from aegis.learning.selecting import select
from aegis.learning.splitting import held_out, key_of
from aegis.learning.stats import TrainingStats, stats


def test_an_empty_ledger(open_ledger):
    found = stats(open_ledger())
    assert (found.examples, found.episodes, found.duplicates) == (0, 0, 0)
    assert found.reward_mean is None
    assert found.to_json()["actions"] == {}
    assert (found.first, found.last) == ("", "")


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


def test_steps_without_candidates_are_left_out_of_their_mean(open_ledger, recorder, later):
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
    kinds = [one, later(decision, chosen=None), later(nothing, text=None, action=None)]
    for number, changed in enumerate(kinds, start=4):
        ledger.record(
            later(template, step=number, index=number, key=str(number), decision=changed), "now"
        )
    found = stats(ledger)
    assert found.actions["none"] == 1
    assert found.with_candidates == 5 / 6
    assert found.candidates_mean == pytest.approx((4 * 2 + 1) / 5)


def test_what_a_trainer_would_get_is_counted(make):
    """Of 20 episodes of one step 10 rows decide, 5 of them with words, 5 are words only."""
    search, call = Action("search", {}, slot="query"), Action("web_search", {"query": "x"})
    goals = trained_on(make, 21)
    steps = []
    for number, goal in enumerate(goals[:20], start=1):
        kind = {0: {"candidates": [search, "read"], "text": "words", "chosen": 0},
                1: {"candidates": [search, "read"], "chosen": 1},
                2: {"candidates": (), "action": call, "text": "words", "origin": "import"},
                3: {"candidates": ["read"], "chosen": 0}}[number % 4]  # fmt: skip
        steps.append(
            make.step(number, episode=number, goal=goal, reward=float(number), done=True, **kind)
        )
    steps.append(make.step(21, episode=21, goal=goals[20], reward=1.0, done=True))
    settings = LearningSettings()
    selected = select(steps, settings)
    found = TrainingStats.of(selected)
    assert (found.examples, found.held_out, found.episodes, found.held_out_episodes) == (
        15,
        1,
        15,
        1,
    )
    assert found.by_origin == {"import": 5, "own": 10}
    assert found.actions == {"search": 5, "read": 5, "web_search": 5}
    assert (found.decisions, found.texts, found.texts_only) == (10 / 15, 10 / 15, 5 / 15)
    # 1, 2, 4, 5, 6, 8, ..., 18, 20: those whose number leaves 3 by 4 are refused.
    values = [n for n in range(1, 21) if n % 4 != 3]
    mean = sum(values) / 15
    assert found.return_mean == pytest.approx(mean)
    assert found.paid == sum(value > mean for value in values) / 15
    assert found.refused == {"one candidate and no text: there was no choice": 5}
    assert found.problems == ()
    told = json.loads(json.dumps(found.to_json()))
    assert told["examples"] == 15
    assert told["problems"] == []


def trained_on(make, count):
    """Goals of episodes that are trained on; the last of them is held out."""
    goals = [f"goal {number}" for number in range(100)]
    keys = {goal: key_of(make.step(goal=goal)) for goal in goals}
    out = held_out(keys.values(), 0.15)
    kept = [goal for goal in goals if keys[goal] not in out]
    return [*kept[: count - 1], next(goal for goal in goals if keys[goal] in out)]


def test_problems_of_the_whole_set_are_told(make):
    found = TrainingStats.of(select([], LearningSettings()))
    assert (found.examples, found.return_mean, found.paid) == (0, None, 0.0)
    (told,) = found.to_json()["problems"]
    assert told["code"] == "data-empty"
    assert set(told) == {"code", "message", "where", "fix"}


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
