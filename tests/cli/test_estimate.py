"""``aegis estimate``: what recorded steps tell of a profile, and where they tell nothing."""

from __future__ import annotations

import math

import pytest

KEYS = {
    "profile", "checkpoint", "environment", "discount", "means", "steps", "episodes", "left_out",
    "behaviour", "effective_sample_size", "largest_weight", "large_weights", "hardly_tried",
    "estimates",
}  # fmt: skip


@pytest.fixture
def recorded(aegis, corridor):
    """The corridor with 300 episodes of `moody`, who leans to one side but a little."""
    words = ("data", "collect", "--task", "corridor", "--profile", "moody", "--episodes", 300)
    plain = ("--set", "agent.exploration.epsilon=0")
    assert aegis("-C", corridor, "-q", *words, *plain, "--jobs", 1).code == 0
    return corridor


def test_who_decided_is_worth_what_was_recorded(aegis, recorded):
    said = aegis("-C", recorded, "estimate", "--profile", "moody", "--json")

    assert said.code == 0, said.err
    found = said.json
    assert found.keys() == KEYS
    assert found["environment"] == "corridor:plain"
    assert found["episodes"] == 300
    assert found["effective_sample_size"] == pytest.approx(found["steps"])
    snips = found["estimates"]["snips"]
    assert snips["value"]["mean"] == pytest.approx(found["behaviour"]["mean"])
    assert snips["difference"]["mean"] == pytest.approx(0, abs=1e-9)


def test_a_task_may_be_named_in_short_and_other_rules_do_not_count(aegis, recorded):
    words = ("-C", recorded, "estimate", "--profile", "moody", "--environment", "corridor")
    said = aegis(*words, "--json")
    assert said.code == 0, said.err
    assert said.json["environment"] == "corridor:plain"
    other = aegis(*words, "--set", "environment.corridor.cells=2")
    count = said.json["steps"]
    assert other.code == 2
    assert "error[estimate-few]: 0 finished episodes are recorded" in other.err
    assert f"(left out {count}: recorded under other rules of the environment)" in other.err


def test_another_profile_is_estimated_and_said_in_words(aegis, recorded):
    words = ("-C", recorded, "estimate", "--profile", "moody", "--set", "engine.moody.lean=0.5")
    said, answer = aegis(*words), aegis(*words, "--json").json

    assert said.code == 0, said.err
    assert f"moody on {answer['steps']:,} recorded steps of 300 episodes" in said.out
    for name in ("as recorded", "importance sampling", "doubly robust"):
        assert name in said.out
    assert "it promotes nothing" in said.out
    assert 200 <= answer["effective_sample_size"] < answer["steps"]
    for one in answer["estimates"].values():
        value = one["value"]
        assert value["low"] < value["mean"] < value["high"]
        assert all(math.isfinite(number) for number in value.values())


def test_weights_are_chosen_and_a_file_is_read(aegis, trained, tmp_path):
    file = tmp_path / "shown.jsonl"
    words = ("data", "collect", "--task", "corridor", "--profile", "tally", "--episodes", 300)
    sets = ("--jobs", 1, "--out", file)
    assert aegis("-C", trained, "-q", *words, *sets).code == 0

    words = ("-C", trained, "estimate", "--data", file, "--json", "--checkpoint")
    configured, latest = aegis(*words, "configured"), aegis(*words, "latest")
    assert configured.code == 0, configured.err
    assert configured.json["checkpoint"] is None
    assert configured.json["environment"] is None
    if latest.code:  # what was learned does other things than were done
        assert "estimate-size" in latest.err
    else:
        assert latest.json["checkpoint"] is not None


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--environment", "doors"], "data-empty", "no step of doors is recorded"),
        (["--environment", "research"], "data-empty", "aegis run --steps 1000"),
        (["--profile", "nobody"], "unknown-profile", "nobody"),
        (["--checkpoint", "abc"], "checkpoint-unknown", "abc"),
    ],
)
def test_mistakes_and_refusals_are_said_in_one_error(words, code, said, aegis, recorded):
    answer = aegis("-C", recorded, "estimate", *words)

    assert answer.code == 2
    assert answer.out == ""
    assert f"error[{code}" in answer.err
    assert said in answer.err


def test_few_steps_tell_nothing(aegis, corridor):
    words = ("data", "collect", "--task", "corridor", "--profile", "moody", "--episodes", 5)
    assert aegis("-C", corridor, "-q", *words, "--jobs", 1).code == 0
    said = aegis("-C", corridor, "estimate", "--profile", "moody")

    assert said.code == 2
    assert "error[estimate-size]: the effective sample size is" in said.err
    assert "at least 200 are needed" in said.err


def test_without_a_run_there_is_nothing_to_tell_from(aegis, corridor):
    said = aegis("-C", corridor, "estimate")

    assert said.code == 2
    assert "error[no-run]" in said.err


def test_what_the_agent_lives_through_is_found_under_the_name_of_its_task(aegis, corridor):
    assert aegis("-C", corridor, "-q", "run", "--profile", "moody", "--steps", 30).code == 0
    said = aegis("-C", corridor, "estimate", "--profile", "moody", "--json")

    assert "error[estimate-size]" in said.err  # and not that nothing is recorded
    log = aegis("-C", corridor, "log", "--json").json
    assert {step["environment"] for step in log["steps"]} == {"corridor:plain"}
