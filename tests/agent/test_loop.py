from __future__ import annotations

import itertools

import numpy as np
import pytest

from aegis.agent.loop import Listener, Loop, Policy
from aegis.agent.stages import Seeded
from aegis.contracts.action import Action
from aegis.contracts.roles import Written
from aegis.errors import AegisError, InputError, PluginError
from aegis.exploration import Exploration
from aegis.host.plugin import PluginInfo
from aegis.store.ledger import Ledger

PLUGIN = PluginInfo("acme", "acme-kit", "1.2")


def loop_on(ledger, environment, engine, clock, *, seed=3, listener=None, name="buttons"):
    if ledger.run("run-1") is None:
        ledger.begin_run("run-1", "test", seed)
    stage = Seeded(environment, name, "own", f"{name}-1")
    policy = Policy(engine, "even", PLUGIN, Exploration(), seed)
    return Loop(
        ledger, policy, stage, None, run="run-1", clock=clock, listener=listener or Listener()
    )


def facts(experience):
    return (
        experience.step,
        experience.episode,
        experience.index,
        experience.seed,
        experience.key,
        experience.view,
        experience.decision,
        experience.outcome,
        experience.reward,
        experience.done,
    )


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path) as opened:
        yield opened


def test_every_step_is_recorded_with_both_distributions(ledger, buttons, even, clock):
    steps = list(loop_on(ledger, buttons, even, clock).run(12))
    assert [s.step for s in steps] == list(range(1, 13))
    assert [facts(s) for s in ledger.experiences()] == [facts(s) for s in steps]
    one = steps[0]
    assert len(one.decision.engine_log_probabilities) == len(one.decision.candidates) == 4
    assert np.exp(one.decision.behaviour_log_probabilities).sum() == pytest.approx(1)
    assert (one.decision.engine, one.decision.checkpoint) == ("even", "even-1")
    assert one.generator.endswith("/buttons-1")
    assert ledger.verify() == []


def test_an_episode_ends_where_the_environment_says_so(ledger, buttons, even, clock):
    steps = list(loop_on(ledger, buttons, even, clock).run(30))
    for _, episode in itertools.groupby(steps, key=lambda s: s.episode):
        rows = list(episode)
        assert [r.index for r in rows] == list(range(1, len(rows) + 1))
        assert all(not r.done for r in rows[:-1])
        assert rows[-1].done or rows[-1].step == 30


def test_the_same_seed_gives_the_same_steps(tmp_path, buttons, even, clock):
    runs = []
    for name in ("a", "b"):
        with Ledger.open(tmp_path / name) as ledger:
            runs.append([facts(s) for s in loop_on(ledger, buttons, even, clock).run(20)])
    assert runs[0] == runs[1]


@pytest.mark.parametrize("cuts", [(1,), (4, 9), (2, 3, 5, 7, 11)])
def test_a_run_in_pieces_equals_a_run_in_one(tmp_path, even, clock, buttons, cuts):
    """Resuming at any step goes on as if nothing had happened."""
    with Ledger.open(tmp_path / "whole") as ledger:
        whole = [facts(s) for s in loop_on(ledger, buttons, even, clock).run(20)]
    pieces = []
    for count in np.diff((0, *cuts, 20)):
        with Ledger.open(tmp_path / "pieces") as ledger:
            fresh = type(buttons)()
            pieces += [facts(s) for s in loop_on(ledger, fresh, even, clock).run(int(count))]
    assert pieces == whole


def test_an_intent_without_result_is_carried_out_again_under_its_key(
    tmp_path, buttons, even, clock
):
    """What a crash between intent and result leaves is the next step, once."""
    with Ledger.open(tmp_path) as ledger:
        walk = loop_on(ledger, buttons, even, clock).run(10)
        for _ in range(3):
            next(walk)
        walk.close()
        pending = ledger.pending()
        assert pending.step == 4
    with Ledger.open(tmp_path) as ledger:
        steps = list(loop_on(ledger, type(buttons)(), even, clock).run(2))
        assert [s.step for s in steps] == [4, 5]
        assert steps[0].key == pending.key
        assert steps[0].decision == pending.decision
        assert ledger.verify() == []


def test_stopping_ends_after_the_step_that_is_on(ledger, buttons, even, clock):
    loop = loop_on(ledger, buttons, even, clock)
    steps = []
    for step in loop.run():
        steps.append(step)
        if step.step == 5:
            loop.stop()
    assert loop.reason == "interrupted"
    assert [s.step for s in steps] == list(range(1, len(steps) + 1))
    assert len(steps) <= 6
    assert ledger.pending() is None or len(steps) == ledger.last_step() - 1


def test_listeners_hear_of_a_step_in_order(ledger, buttons, even, clock):
    heard = []
    listener = Listener(
        decided=lambda e: heard.append(("decided", e.step)),
        settled=lambda e, _: heard.append(("settled", e.step)),
        committed=lambda e: heard.append(("committed", e.step)),
    )
    list(loop_on(ledger, buttons, even, clock, listener=listener).run(2))
    assert heard == [
        ("decided", 1),
        ("settled", 1),
        ("committed", 1),
        ("decided", 2),
        ("settled", 2),
        ("committed", 2),
    ]


def test_an_open_episode_of_an_absent_environment_is_not_dropped(tmp_path, buttons, even, clock):
    with Ledger.open(tmp_path) as ledger:
        list(loop_on(ledger, buttons, even, clock, seed=0).run(1))
        assert ledger.open_episode() is not None
    with Ledger.open(tmp_path) as ledger:
        other = loop_on(ledger, buttons, even, clock, name="levers")
        with pytest.raises(AegisError, match='belongs to environment "buttons"'):
            next(other.run(1))


def test_an_episode_that_cannot_be_played_again_ends_and_the_run_goes_on(
    tmp_path, buttons, even, clock
):
    with Ledger.open(tmp_path) as ledger:
        walk = loop_on(ledger, buttons, even, clock, seed=0).run(10)
        next(walk)
        walk.close()
        assert ledger.pending().step == 2

    class Changed(type(buttons)):
        def step(self, action):
            if not self.pressed:
                self.pressed.append(action.key)
                raise InputError.of("gym-no-candidate", "no candidate any more")
            return super().step(action)

    notices = []
    with Ledger.open(tmp_path) as ledger:
        loop = loop_on(ledger, Changed(), even, clock, listener=Listener(notice=notices.append))
        steps = list(loop.run(3))
        assert [s.step for s in steps] == [3, 4, 5]
        assert ledger.experience(2).outcome.status == "error"
        assert ledger.verify() == []
    assert len(notices) == 1
    assert "no candidate any more" in notices[0]


@pytest.fixture
def thinking(even):
    """An engine that remarks how often it was asked, and something else while a text is written."""

    class Thinking(type(even)):
        asked = 0

        @property
        def remarks(self):
            return {"segments": self.asked % 3, "cut": 0.5} if self.asked % 3 else {}

        def score(self, view, candidates):
            self.asked += 1
            return super().score(view, candidates)

        def write(self, view, action, slot):
            self.asked += 1
            return Written("some words", -1.0)

    return Thinking()


def expected_remarks(asked):
    return {"segments": asked % 3, "cut": 0.5} if asked % 3 else {}


def test_what_the_engine_remarks_is_recorded_with_each_decision(ledger, buttons, thinking, clock):
    heard = []
    listener = Listener(
        decided=lambda e: heard.append(e.decision.remarks),
        settled=lambda e, _: heard.append(e.decision.remarks),
    )
    steps = list(loop_on(ledger, buttons, thinking, clock, listener=listener).run(7))
    expected = [expected_remarks(asked) for asked in range(1, 8)]
    assert [s.decision.remarks for s in steps] == expected
    assert heard == [remarks for remarks in expected for _ in range(2)]
    assert [s.decision.remarks for s in ledger.experiences()] == expected
    assert ledger.verify() == []


def test_remarks_are_those_of_scoring_and_not_of_writing(ledger, buttons, thinking, clock):
    class Slots(type(buttons)):
        def candidates(self, view):
            return [Action("press", {"button": i}, slot="why") for i in range(4)]

    (step,) = loop_on(ledger, Slots(), thinking, clock).run(1)
    assert step.decision.text == "some words"
    assert step.decision.remarks == expected_remarks(1)


def test_remarks_of_an_open_decision_survive_a_crash(tmp_path, buttons, thinking, clock):
    with Ledger.open(tmp_path) as ledger:
        walk = loop_on(ledger, buttons, thinking, clock, seed=0).run(10)
        next(walk)
        walk.close()
        assert ledger.pending().decision.remarks == expected_remarks(2)
    with Ledger.open(tmp_path) as ledger:
        (step,) = loop_on(ledger, type(buttons)(), thinking, clock, seed=0).run(1)
        assert (step.step, step.decision.remarks) == (2, expected_remarks(2))
        assert ledger.verify() == []


def test_remarks_that_are_none_end_the_run_with_the_plugin_named(ledger, buttons, even, clock):
    even.remarks = {"segments": float("nan")}
    with pytest.raises(PluginError) as caught:
        next(loop_on(ledger, buttons, even, clock).run(1))
    (problem,) = caught.value.problems
    assert problem.message == (
        'plugin "acme" (acme-kit 1.2): engine "even" does not fit its role: '
        "remarks: segments is nan, no finite number"
    )
    assert ledger.last_step() == 0


@pytest.mark.parametrize(
    "scores", [[0.0], [0.0] * 5, [float("nan")] * 4, [-np.inf] * 4, [0.0, float("nan"), 0.0, 0.0]]
)
def test_scores_that_are_none_are_the_engine_s_fault_and_record_nothing(
    ledger, buttons, even, clock, scores, monkeypatch
):
    monkeypatch.setattr(type(even), "score", lambda *_: np.array(scores))
    with pytest.raises(PluginError, match=r'acme.*engine "even".*score') as caught:
        list(loop_on(ledger, buttons, even, clock).run(3))
    assert "acme-kit 1.2" in str(caught.value)
    assert list(ledger.experiences()) == []
