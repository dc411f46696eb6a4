from __future__ import annotations

import numpy as np
import pytest
from attrs import evolve

from aegis.evaluation.contender import component, expert
from aegis.evaluation.task import task_of
from aegis.host.building import build
from aegis.learning.collecting import Collection, Exploring
from aegis.learning.exchange import import_file
from aegis.project import load
from aegis.store.ledger import Ledger


@pytest.fixture
def collect(corridor, tmp_path):
    """Collects episodes of the corridor and returns the steps in a fresh ledger."""

    def run(
        seeds, who="guide", jobs=1, place="a", stop=None, exploring=None, fresh=False,
        counted=False,
    ):  # fmt: skip
        project, task = run.project, run.task
        player = expert(project, task, who) if who == "guide" else component(project, task, who)
        player = player if exploring is None else evolve(player, greedy=False)
        collection = Collection(
            tmp_path / place, project.folder, task, player, seeds,
            origin="teacher", jobs=jobs, exploring=exploring or Exploring(), fresh=fresh,
        )  # fmt: skip
        with collection:
            complete = collection.run(
                lambda done, _: collection.stop() if stop and done >= stop else None
            )
        if not complete:
            return collection
        if counted:
            return collection.completed
        file = tmp_path / "collected.jsonl"
        count = collection.write(file)
        with Ledger.open(tmp_path / f"ledger-{len(list(tmp_path.iterdir()))}") as ledger:
            report = import_file(ledger, file)
            assert report.imported == count
            assert import_file(ledger, file).duplicates == count  # the same again adds nothing
            return list(ledger.experiences())

    def configured(*sets):
        run.project = load(corridor / "aegis.toml", sets=sets)
        run.task = task_of(run.project, "corridor", "practice")

    configured()
    run.set = configured
    return run


def content(step):
    decision = step.decision
    return (step.episode, step.index, step.seed, step.view, decision.chosen, step.reward, step.key)


def test_what_is_recorded_is_what_a_replay_of_the_seed_shows(collect):
    steps = collect(range(4))
    environment = build(collect.task.environment, None)
    view = None
    for step in steps:
        if step.index == 1:
            view = environment.reset(step.seed)
        assert step.view == view
        assert step.decision.candidates == tuple(environment.candidates(view))
        assert step.decision.action.tool == environment.door
        assert np.exp(step.decision.engine_log_probabilities[step.decision.chosen]) > 0.99
        result = environment.step(step.decision.action)
        assert (step.reward, step.done) == (result.reward, result.done)
        view = result.view
    assert [step.seed for step in steps if step.done] == [0, 1, 2, 3]
    assert {step.environment for step in steps} == {"corridor:plain"}
    assert {step.origin for step in steps} == {"teacher"}
    assert {step.decision.engine for step in steps} == {"guide"}


def test_what_a_teacher_remarks_is_recorded(collect):
    assert [dict(step.decision.remarks) for step in collect(range(1))] == [
        {"place": place} for place in (0.0, 1.0, 2.0)
    ]


def test_an_episode_of_any_length_is_collected(collect):
    """Here of five megabytes, more than a message may have."""
    collect.set("environment.corridor.fault=wordy", "environment.corridor.cells=9")
    steps = collect(range(2))
    assert [step.index for step in steps] == [*range(1, 10)] * 2
    assert all(len(step.view.observation[0]) > 500_000 for step in steps)


def test_what_is_kept_is_played_again_only_when_asked(collect, tmp_path):
    """Code that was changed without a new version is not seen."""
    first = collect(range(2), place="kept")
    assert collect(range(2), place="kept") == first
    assert not [*(tmp_path / "kept").rglob("*.old")]
    again = collect(range(2), place="kept", fresh=True)
    assert [content(step) for step in again] == [content(step) for step in first]
    assert [*(tmp_path / "kept").rglob("*.old")]


def test_episodes_that_reached_their_goal_are_counted(collect):
    for who, reached in (("guide", {*range(20)}), ("random", None)):
        completed = collect(range(20), who, counted=True)
        if reached is None:
            assert 0 < len(completed) < 20
        else:
            assert completed == reached


def test_the_order_is_that_of_the_seeds_however_many_processes_play(collect):
    one = [content(step) for step in collect(range(7), "random")]
    assert [content(step) for step in collect(range(7), "random", jobs=3, place="b")] == one


def test_a_collection_that_is_stopped_goes_on_to_the_same_end(collect):
    whole = [content(step) for step in collect(range(40), "random", place="whole")]
    stopped = collect(range(40), "random", place="piece", stop=5)
    assert 5 <= stopped.done < 40
    assert [content(step) for step in collect(range(40), "random", place="piece")] == whole


def test_exploration_is_in_the_recorded_behaviour_and_makes_another_collection(collect):
    exploring = Exploring(epsilon=0.5)
    steps = collect(range(20), exploring=exploring)
    for step in steps:
        engine, behaviour = (
            np.exp(values)
            for values in (
                step.decision.engine_log_probabilities,
                step.decision.behaviour_log_probabilities,
            )
        )
        assert behaviour == pytest.approx(0.5 * engine + 0.25, abs=1e-6)
    chosen = [step.decision.engine_log_probabilities[step.decision.chosen] for step in steps]
    assert min(chosen) < -10
    assert {step.key for step in steps}.isdisjoint(step.key for step in collect(range(20)))
