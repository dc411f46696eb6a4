"""The files of the rows: what is missing, and that no training is lost where two are written."""

from __future__ import annotations

import json
from itertools import chain

import pytest
from attrs import evolve
from measuring import babyai_rows, research_rows
from measuring.kept_rows import all_of, forget, known_rows, missing, there, write
from measuring.recipes import GYM_ROWS, IMPROVE_ROWS, baby_rows

BABY = next(row for row in baby_rows() if row.name == "babyai-GoToLocal-marked-gpt2-1000")
ONCE = (*GYM_ROWS, *IMPROVE_ROWS)


def _made(*seeds):
    won = {"sampled": "10", "greedy": "11"}
    return babyai_rows.about(BABY) | {
        "split": "test",
        "trainings": [{"seed": seed, "successes": won} for seed in seeds],
    }


def test_rows_are_called_differently():
    names = [row.name for row in known_rows()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", ONCE, ids=lambda row: row.name)
def test_a_row_without_seeds_is_there_or_missing(row, tmp_path):
    assert missing(row, tmp_path) == all_of(row) == (0,)
    write(row, research_rows.about(row), tmp_path)
    assert missing(row, tmp_path) == ()


@pytest.mark.parametrize(
    ("row", "key"), list(chain.from_iterable(((r, k) for k in research_rows.about(r)) for r in ONCE)),
    ids=str,
)  # fmt: skip
def test_a_row_that_was_made_otherwise_is_missing(row, key, tmp_path):
    write(row, research_rows.about(row) | {key: "other"}, tmp_path)
    assert missing(row, tmp_path) == (0,)


def test_practice_and_its_trainings_follow_from_the_row_s_settings():
    row = next(row for row in IMPROVE_ROWS if row.name == "improve-library-mini")
    found = research_rows.settings(row)
    assert found["engine"] == "gpt2"
    assert found["exploration"] == {"epsilon_untrained": 1}
    assert found["trainer"] == {"epochs": 1, "newest": 1000}
    assert research_rows.settings(evolve(row, steps=500)) != found


def test_trainings_that_are_written_one_after_the_other_are_put_together(tmp_path):
    write(BABY, _made(2), tmp_path)
    write(BABY, _made(0), tmp_path)
    found = there(BABY, tmp_path)
    assert [one["seed"] for one in found["trainings"]] == [0, 2]
    assert [one["seeds"] for one in found["groups"]] == [[0, 2], [0, 2]]
    assert found.keys() >= {"commit", "machine", "made"}
    assert missing(BABY, tmp_path) == (1,)


def test_what_is_made_anew_counts_as_missing_until_it_is(tmp_path):
    write(BABY, _made(0, 1, 2), tmp_path)
    forget(BABY, (0, 2), tmp_path)
    assert missing(BABY, tmp_path) == (0, 2)
    forget(BABY, (1,), tmp_path)
    assert there(BABY, tmp_path) is None
    forget(BABY, (1,), tmp_path)


def test_a_file_is_whole_or_not_there(tmp_path):
    write(BABY, _made(0), tmp_path)
    (file,) = tmp_path.glob("[!.]*")
    assert json.loads(file.read_text())["row"] == BABY.name
