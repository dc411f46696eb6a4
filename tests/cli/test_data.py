"""``aegis data``."""

from __future__ import annotations

import pytest


def test_stats_tell_what_is_recorded_and_what_a_trainer_would_get(aegis, project):
    aegis("-C", project, "run", "--steps", 12)
    told = aegis("-C", project, "data", "stats", "--json").json
    assert told["examples"] == 12
    assert set(told) >= {"actions", "reward_mean", "refused", "duplicates", "by_origin"}
    training = told["training"]
    left_out = sum(told["refused"].values())
    assert training["examples"] + training["held_out"] + left_out == 12
    assert training["refused"] == told["refused"]
    said = aegis("-C", project, "data", "stats").out
    assert "examples   12 in" in said
    assert f"training   {training['examples']} examples" in said
    assert "a trainer would refuse all of it: " in said  # a dozen steps are too few
    assert "fix: " in said


def test_stats_of_a_file_need_no_run_and_leave_none(aegis, project, old_data):
    told = aegis("-C", project, "data", "stats", "--data", old_data, "--json").json
    assert told["examples"] == 1867
    assert told["training"]["examples"] + told["training"]["held_out"] == 417
    assert told["training"]["texts_only"] == 1.0
    assert told["training"]["problems"] == []
    assert not (project / "data" / "run").exists()
    said = aegis("-C", project, "data", "stats", "--data", old_data).out
    assert "left out   1450: repeats an earlier step" in said


def test_stats_follow_the_settings(aegis, project, old_data):
    arguments = ("-C", project, "--set", "learning.holdout=0.5", "data", "stats", "--json")
    half = aegis(*arguments, "--data", old_data).json["training"]
    less = aegis("-C", project, "data", "stats", "--json", "--data", old_data).json["training"]
    assert half["held_out"] > less["held_out"]
    wrong = aegis("-C", project, "--set", "learning.origins.improt=0.5", "data", "stats")
    assert wrong.code == 2
    assert 'did you mean "import"?' in wrong.err


def test_a_file_that_is_no_experience_is_one_clear_error(aegis, project, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("hello")
    said = aegis("-C", project, "data", "stats", "--data", file)
    assert said.code == 2
    assert said.err.startswith("error[")
    assert "Traceback" not in said.err


def test_without_a_run_and_a_file_there_is_nothing_to_count(aegis, project):
    said = aegis("-C", project, "data", "stats")
    assert said.code == 2
    assert "error[no-run]" in said.err


@pytest.fixture
def old_data(shared):
    return shared / "aegis-v1" / "hrm_training_data.react.json"
