"""The child's side of a play, carried out in this process with a real pipe."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve

from aegis.errors import EvaluationError, PluginError
from aegis.evaluation import rollout
from aegis.evaluation.baselines import expert_names
from aegis.evaluation.contender import component, expert, majority, profiled
from aegis.evaluation.episode import Episode
from aegis.evaluation.playing_job import PlayingJob
from aegis.evaluation.playing_main import best, play_all
from aegis.evaluation.task import task_of
from aegis.exploration import require_scores, sample, step_rng
from aegis.host.building import build
from aegis.host.seat import seat_of
from aegis.jobs.child_job import Link
from aegis.project import load


class Stage:
    """The corridor with settings, and who may play there."""

    def __init__(self, folder: Path, *sets: str) -> None:
        self.project = load(folder / "aegis.toml", sets=sets, profile="moody")
        self.task = task_of(self.project, "corridor")
        self.content = self.task.content

    @property
    def moody(self):
        (own,) = profiled(self.project, self.task, "moody", "sampled")
        return own

    def job(self, who, seeds):
        return PlayingJob(
            workplace=who.workplace, environment=seat_of(self.task.environment),
            player=who.player, greedy=who.greedy, seeds=tuple(seeds), seconds=60.0, grace=1.0,
            content=self.content,
        )  # fmt: skip

    def play(self, who, seeds, stopped=False):
        """Return what the job answers and tells."""
        reading, writing = os.pipe()
        with Path(os.devnull).open("rb") as said, os.fdopen(reading) as told:
            link = Link(said, writing)
            if stopped:
                link._stop.set()
            try:
                answer = play_all(self.job(who, seeds), link)
            finally:
                os.close(writing)
                self.told = [json.loads(line)["episode"] for line in told]
        return answer, [Episode(**values) for values in self.told]


@pytest.fixture
def staged(corridor):
    """Makes stages of settings."""
    return lambda *sets: Stage(corridor, *sets)


def test_an_episode_is_what_the_environment_shows_when_it_is_walked_by_hand(staged):
    stage = staged("engine.moody.lean=1.5")
    answer, episodes = stage.play(stage.moody, range(12))
    assert answer == {"played": 12}
    corridor = build(stage.task.environment, None)
    right = 1 / (1 + np.exp(-1.5))
    for episode in episodes:
        view, rng = corridor.reset(episode.seed), step_rng(episode.seed, 0, rollout.DECISIONS)
        results, taken = [], []
        while not results or not results[-1].done:
            candidates = corridor.candidates(view)
            action = candidates[sample(np.log([1 - right, right]), rng)]
            results.append(corridor.step(action))
            taken.append(action.tool)
            view = results[-1].view
        assert episode.total == pytest.approx(sum(result.reward for result in results))
        assert (episode.steps, episode.completed) == (len(results), results[-1].goal_completed)
        assert episode.actions == {side: taken.count(side) for side in set(taken)}
        assert episode.facts == {"topic": episode.seed % 50}
        assert (episode.parameters, episode.denied) == (1, 0)
    assert {episode.completed for episode in episodes} == {True, False}


def test_a_greedy_policy_takes_what_is_most_probable(staged):
    stage = staged("engine.moody.lean=0.01")
    _, episodes = stage.play(evolve(stage.moody, greedy=True), range(6))
    assert all(episode.actions.keys() == {"right"} for episode in episodes)


def test_nothing_is_played_over_other_files_than_the_figures_will_be_kept_under(staged):
    stage = staged()
    stage.content = "of yesterday"
    with pytest.raises(
        EvaluationError, match=r'content-changed.*"corridor" plays over was changed'
    ):
        stage.play(stage.moody, range(3))
    assert stage.told == []


def test_what_the_environment_denies_is_counted(staged):
    stage = staged("environment.corridor.fault=deny")
    _, episodes = stage.play(stage.moody, range(6))
    assert [e.denied for e in episodes] == [e.actions.get("left", 0) for e in episodes]
    assert sum(e.denied for e in episodes) > 0


def test_only_the_computing_of_decisions_is_timed(staged):
    stage = staged("engine.moody.pause=0.02")
    _, episodes = stage.play(stage.moody, range(2))
    for episode in episodes:
        assert 0 < episode.seconds < 0.01 * episode.steps, "waiting is no computing"


def test_the_majority_takes_its_tool(staged):
    stage = staged()
    _, episodes = stage.play(majority(stage.project, stage.task, "left", "somebody"), range(8))
    assert all(episode.actions.keys() == {"left"} for episode in episodes)


def test_of_several_engines_the_best_episode_counts_with_the_time_of_all(staged):
    stage = staged()
    _, episodes = stage.play(expert(stage.project, stage.task, "best"), range(6))
    assert all(episode.completed for episode in episodes)
    assert {side for episode in episodes for side in episode.actions} == {"left", "right"}
    low = episodes[0]
    high = evolve(low, total=low.total + 1, steps=9, seconds=2.0)
    assert best([low, high, evolve(high, steps=8)]) == evolve(high, seconds=4.0 + low.seconds)


def test_who_is_asked_to_stop_plays_no_further_episode(staged):
    stage = staged()
    assert stage.play(stage.moody, range(9), stopped=True) == ({"played": 0}, [])


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("raise", "ZeroDivisionError: the third layer"),
        ("exit", "SystemExit: 0"),
        ("no-number", "no log-probabilities: .nan"),
        ("shape", r"shape \(1,\) for 2 candidates"),
        ("close", "close of moody.*the door is stuck"),
    ],
)
def test_what_an_engine_does_wrong_is_said_of_its_plugin_alone(staged, fault, said):
    stage = staged(f"engine.moody.fault={fault}", "engine.moody.after=15")
    with pytest.raises(PluginError, match=f'plugin "moody.py".*{said}') as raised:
        stage.play(stage.moody, range(4))
    assert "corridor.py" not in str(raised.value)
    kept = (4,) if fault == "close" else (1, 2, 3)
    assert len(stage.told) in kept, "what was played before is kept"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("raise", "ZeroDivisionError: the fifth corridor"),
        ("no-number", "no finite reward for.*nan"),
        ("facts", "JSON"),
        ("empty", "no candidates, and the episode of seed 4 is not over"),
        ("endless", "the episode of seed 4 did not end within 60 steps"),
    ],
)
def test_what_an_environment_does_wrong_is_said_of_its_plugin_alone(
    staged, fault, said, monkeypatch
):
    monkeypatch.setattr(rollout, "LONGEST", 60)
    stage = staged(f"environment.corridor.fault={fault}")
    with pytest.raises(PluginError, match=f'plugin "corridor.py".*{said}') as raised:
        stage.play(stage.moody, range(4, 6))
    assert "moody.py" not in str(raised.value)


def test_experts_that_cannot_be_had_are_the_plugins_fault(staged):
    stage = staged("environment.corridor.fault=experts")
    with pytest.raises(PluginError, match=r'plugin "corridor.py".*experts.*no guide today'):
        expert_names(stage.project, stage.task)
    with pytest.raises(PluginError, match="no guide today"):
        stage.play(expert(stage.project, stage.task, "guide"), range(2))


def test_a_stage_without_experts_has_none(staged):
    stage = staged()
    assert expert_names(stage.project, task_of(stage.project, "doors")) == []
    who = component(stage.project, stage.task, "random")
    assert stage.play(who, range(2))[0] == {"played": 2}


def test_scores_that_rule_a_candidate_out_are_scores():
    require_scores(np.array([0.0, -np.inf]), 2)
    for wrong in ([np.inf, 0.0], [-np.inf, -np.inf], [0.0], [[0.0, 0.0]], 0.0):
        with pytest.raises(ValueError, match="scores"):
            require_scores(np.array(wrong), 2)
