from __future__ import annotations

import json
import math

import numpy as np
import pytest
from attrs import evolve, frozen

from aegis.errors import EvaluationError
from aegis.evaluation.clusters import topics
from aegis.evaluation.comparison import comparison
from aegis.evaluation.contender import Contender
from aegis.evaluation.contest import Standing
from aegis.evaluation.episode import Episode, EpisodeFile
from aegis.evaluation.groups import groups
from aegis.evaluation.playing_job import Player
from aegis.evaluation.task import task_of
from aegis.jobs.job_file import Workplace
from aegis.project import load

COUNT = 40


@frozen
class Drawn:
    successes: list
    returns: list


@pytest.fixture
def task(corridor):
    return task_of(load(corridor / "aegis.toml"), "corridor")


def contender(name, kind="profile", **facts):
    place = Workplace(path=(), plugins={}, runtime={})
    player = Player(kind="engine", name=name)
    return Contender(
        name=name, kind=kind, player=player, greedy=False, workplace=place, identity={}, **facts
    )


def standing(tmp_path, one, seed, rate):
    drawn = np.random.default_rng(seed)
    episodes = {
        n: Episode(
            seed=n, total=float(drawn.normal(rate)), steps=4 + n % 3, denied=n % 2,
            completed=bool(drawn.random() < rate), seconds=0.25, rss_mb=100.0 + n, parameters=7,
            actions={"a": 4}, facts={},
        )
        for n in range(COUNT)
    }  # fmt: skip
    return Standing(one, EpisodeFile(tmp_path / one.name), tuple(range(COUNT)), episodes)


@pytest.fixture
def standings(tmp_path):
    return [
        standing(tmp_path, contender("random", "baseline"), 1, 0.2),
        standing(tmp_path, contender("mine", experience={"episodes": 9}), 2, 0.9),
        standing(tmp_path, contender("guide", "expert"), 3, 1.0),
    ]


def test_rows_are_the_figures_of_their_episodes(task, standings):
    found = comparison(task, standings)
    for row, played in zip(found["rows"], standings, strict=True):
        episodes = played.result()
        decisions = sum(e.steps for e in episodes)
        assert row["name"] == played.contender.name
        assert row["success_rate"] == pytest.approx(sum(e.completed for e in episodes) / COUNT)
        assert row["mean_return"] == pytest.approx(math.fsum(e.total for e in episodes) / COUNT)
        assert row["steps"] == pytest.approx(decisions / COUNT)
        assert row["decisions_per_second"] == pytest.approx(decisions / (0.25 * COUNT))
        assert row["invalid_rate"] == pytest.approx(20 / decisions)
        assert (row["peak_rss_mb"], row["parameters"]) == (139.0, 7)
        low, high = row["ci95"]
        assert low <= row["success_rate"] <= high
        assert row["ci95"] == row["success_interval"]
    assert found["episodes"] == COUNT
    assert found["environment"]["split"] == "test"


def test_a_return_stands_between_random_and_the_first_expert(task, standings, tmp_path):
    standings.append(standing(tmp_path, contender("best", "expert"), 4, 2.0))
    found = comparison(evolve(task, measure="return"), standings)
    random, mine, guide, best = (row["mean_return"] for row in found["rows"])
    shares = [row["normalised"]["mean"] for row in found["rows"]]
    assert shares == pytest.approx(
        [0.0, (mine - random) / (guide - random), 1.0, (best - random) / (guide - random)]
    )
    assert all(row["ci95"] == row["return_interval"] for row in found["rows"])
    without = comparison(evolve(task, measure="return"), standings[:2])
    assert [row["normalised"] for row in without["rows"]] == [None, None]


def test_each_profile_is_paired_with_every_other_row_and_no_baselines_with_each_other(
    task, standings
):
    pairs = comparison(task, standings)["pairs"]
    assert [(pair["a"], pair["b"]) for pair in pairs] == [("mine", "random"), ("mine", "guide")]
    for pair, other in zip(pairs, (standings[0], standings[2]), strict=True):
        mine = [e.completed for e in standings[1].result()]
        theirs = [e.completed for e in other.result()]
        assert pair["difference"] == pytest.approx((sum(mine) - sum(theirs)) / COUNT)
        assert pair["test"] == "McNemar"
        assert pair["p"] <= pair["p_adjusted"] <= 1
        assert pair["low"] <= pair["lower_bound"] <= pair["difference"] <= pair["high"]
    assert pairs[0]["p_adjusted"] < 0.001


def test_episodes_of_one_topic_hang_together(task, standings):
    for played in standings:
        for n, episode in played.episodes.items():
            played.episodes[n] = evolve(episode, facts={"topic": f"t{n % 4}"})
    assert topics(standings[0].result())[:5] == ["t0", "t1", "t2", "t3", "t0"]
    assert {pair["test"] for pair in comparison(task, standings)["pairs"]} == {"sign flip"}


def test_episodes_of_other_topics_are_not_compared(task, standings):
    """As where a note was saved into the library while episodes were played."""
    last = standings[-1]
    last.episodes[3] = evolve(last.episodes[3], facts={"topic": "new"})
    with pytest.raises(EvaluationError, match=r"content-changed.*other topics"):
        comparison(task, standings)


def test_trainings_of_one_recipe_are_one_group_and_others_are_none(task, tmp_path):
    members = [
        contender(f"mine@{n}", profile="mine", checkpoint=str(n), experience={"episodes": e})
        for n, e in ((1, 100), (2, 100), (3, 500))
    ]
    played = {one.name: standing(tmp_path, one, n, 0.7).result() for n, one in enumerate(members)}
    clusters = topics(played["mine@1"])
    (group,) = groups(task, members, played, clusters)
    assert group["members"] == ["mine@1", "mine@2"]
    rates = [sum(e.completed for e in played[name]) / COUNT for name in group["members"]]
    assert group["of_each"] == pytest.approx(rates)
    assert group["success_rate"] == pytest.approx(sum(rates) / 2)
    assert group["ci95"][0] < group["success_rate"] < group["ci95"][1]
    assert groups(task, [members[0], evolve(members[1], recipe="other")], played, clusters) == []


def test_where_random_and_expert_are_not_told_apart_there_is_no_scale(task, standings):
    """Their difference is of either sign in the resamples; shares of it mean nothing."""
    (random, mine, guide) = standings
    drawn = np.random.default_rng(7)
    for played in (random, mine, guide):
        played.episodes.update(
            (n, evolve(e, total=float(drawn.normal()))) for n, e in played.episodes.items()
        )
    shift = 0.1 + np.mean([e.total for e in random.result()])
    shift -= np.mean([e.total for e in guide.result()])
    guide.episodes.update((n, evolve(e, total=e.total + shift)) for n, e in guide.episodes.items())
    found = comparison(evolve(task, measure="return"), standings)
    assert found["rows"][2]["mean_return"] > found["rows"][0]["mean_return"]
    assert [row["normalised"] for row in found["rows"]] == [None] * 3


def test_too_few_episodes_that_tell_random_and_expert_apart_give_no_scale(task, standings):
    """A resample without the first episode has nothing to divide by."""
    for played, first in zip(standings, (0.0, 0.5, 1.0), strict=True):
        played.episodes.update(
            (n, evolve(e, total=first if n == 0 else 1.0)) for n, e in played.episodes.items()
        )
    found = comparison(evolve(task, measure="return"), standings)
    assert [row["normalised"] for row in found["rows"]] == [None] * 3
    assert json.dumps(found, allow_nan=False)


def test_the_mean_lies_in_its_interval_whatever_rounding_does(task, standings):
    for played in standings:
        played.episodes.update((n, evolve(e, total=0.7)) for n, e in played.episodes.items())
    for row in comparison(task, standings)["rows"]:
        assert row["return_interval"][0] <= row["mean_return"] <= row["return_interval"][1]
