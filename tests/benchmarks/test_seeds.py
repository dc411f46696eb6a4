"""Rows of several training seeds: what is there, what is left to make, and what they come to."""

from __future__ import annotations

import json
import os

import pytest
from measuring.seeds import grouped, kept, left, successes

from aegis.evaluation.episode import Episode, EpisodeFile

WANTED = {
    "task": "babyai:GoToLocal:marked",
    "recipe": "gpt2",
    "demonstrations": 1000,
    "rules": "2",
    "forms": "120, others",
    "settings": {"minutes": 26},
    "episodes": 4,
    "first_seed": 0,
}
PLAYED = {"split": "test"}


def _training(seed, sampled="1101", greedy="1000"):
    return {"seed": seed, "successes": {"sampled": sampled, "greedy": greedy}}


def _row(*trainings, **other):
    return {**WANTED, **PLAYED, "trainings": list(trainings), **other}


def test_all_seeds_of_a_row_that_is_not_there_are_left():
    assert left((0, 1, 2), WANTED, None) == (0, 1, 2)


def test_only_the_seeds_that_lack_are_left():
    assert left((0, 1, 2), WANTED, _row(_training(1))) == (0, 2)
    assert left((0,), WANTED, _row(_training(0))) == ()


def test_a_training_without_its_episodes_is_left_to_make():
    assert left((0, 1), WANTED, _row({"seed": 0}, _training(1))) == (0,)


@pytest.mark.parametrize("key", WANTED)
def test_a_row_of_another_recipe_is_made_anew(key):
    other = _row(_training(0), **{key: "other"})
    assert left((0, 1), WANTED, other) == (0, 1)
    assert kept(_row(_training(1)), other) == []


@pytest.mark.parametrize("key", PLAYED)
def test_trainings_that_played_something_else_are_not_put_together(key):
    assert kept(_row(_training(1)), _row(_training(0), **{key: "other"})) == []


def test_a_seed_that_is_made_again_takes_the_place_of_the_earlier_one():
    earlier = _row(_training(0, "0000"), _training(1), {"seed": 2})
    assert kept(_row(_training(0)), earlier) == [_training(1)]
    assert kept(_row(_training(0)), None) == []


def test_trainings_together_are_as_good_as_their_mean():
    both = grouped([_training(0, "1111", "1110"), _training(2, "1100", "0000")])
    assert [one["way"] for one in both] == ["sampled", "greedy"]
    assert [one["success_rate"] for one in both] == [6 / 8, 3 / 8]
    assert [one["of_each"] for one in both] == [[1.0, 0.5], [0.75, 0.0]]
    assert [one["seeds"] for one in both] == [[0, 2], [0, 2]]
    for one in both:
        low, high = one["ci95"]
        assert low < one["success_rate"] < high


def test_trainings_that_agree_on_every_episode_say_no_more_than_one():
    """The episodes are the sample: the same ones twice are no more of them."""
    one, three = (
        grouped([_training(seed, "1101" * 50) for seed in seeds]) for seeds in ((0,), (0, 1, 2))
    )
    assert three[0]["ci95"] == pytest.approx(one[0]["ci95"], abs=0.01)


def test_what_a_checkpoint_accomplished_is_read_from_the_comparison(tmp_path):
    def kept_in(name, played, when=100, **about):
        folder = tmp_path / "data" / "run" / "evaluations" / name
        folder.mkdir(parents=True)
        (folder / "about.json").write_text(json.dumps(about))
        file = EpisodeFile(folder / "episodes.txt")
        for seed, completed in enumerate(played, start=10):
            file.add(_episode(seed, completed))
        os.utime(folder / "episodes.txt", (when, when))

    this = {"checkpoint": "c1", "split": "test", "task": "t", "rules": "2", "greedy": True}
    kept_in("a", [True, False, True], **this | {"greedy": False})
    kept_in("b", [True, True, True], **this)
    kept_in("c", [False, False, False], **this | {"split": "validation"})
    kept_in("d", [False, False, False], **this | {"checkpoint": "c2"})
    kept_in("e", [False, False, False], **this | {"task": "u"})
    kept_in("f", [False, False, False], **this | {"rules": "3"})
    kept_in("g", [False], **this)  # was cut off
    kept_in("h", [False, False, False], when=50, **this)  # played before b
    kept_in("i", [False, False, False], **this)
    (tmp_path / "data" / "run" / "evaluations" / "i" / "about.json").unlink()
    assert successes(tmp_path, "c1", "t", "2", [10, 11]) == {"sampled": "10", "greedy": "11"}


def _episode(seed, completed):
    return Episode(
        seed=seed, total=0.0, steps=3, completed=completed, denied=0, seconds=0.1, rss_mb=1.0,
        parameters=None, actions={}, facts={},
    )  # fmt: skip
