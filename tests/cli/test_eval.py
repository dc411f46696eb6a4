"""``aegis eval``: answers, mistakes, and what a stop, a kill or a change leaves of what was played."""

from __future__ import annotations

import signal
import time

import psutil
import pytest

EVAL = {
    "task", "profile", "checkpoint", "episodes", "success_rate", "mean_return", "ci95",
    "decisions_per_second", "peak_rss_mb", "parameters", "invalid_rate",
}  # fmt: skip
SHORT = ("--episodes", "12", "--jobs", "1")
SLOW = (
    "--profile", "moody", "--set", "engine.moody.lean=1", "--set", "engine.moody.pause=0.02",
    "--episodes", "20", "--jobs", "2", "--json",
)  # fmt: skip


def steady(answer):
    """What does not change from one play to the next: all but time and memory."""
    return {key: answer[key] for key in ("episodes", "success_rate", "mean_return", "steps")}


def test_eval_answers_with_the_keys_that_are_relied_upon(aegis, corridor):
    said = aegis("-C", corridor, "eval", "--task", "corridor", *SHORT, "--json")
    assert said.code == 0, said.err
    assert said.json.keys() >= EVAL
    assert said.json["rows"][0].keys() >= EVAL
    assert (said.json["task"], said.json["profile"]) == ("corridor:plain", "tally")
    assert said.json["parameters"] == 3
    assert said.json["environment"]["split"] == "test"
    assert said.out.count("\n") == 1, "nothing but the object"


def test_eval_shows_a_row_for_each_way_to_decide(aegis, corridor):
    said = aegis("-C", corridor, "eval", "--task", "corridor", *SHORT, "--decide", "both")
    assert said.code == 0
    assert "tally sampled" in said.out
    assert "tally greedy" in said.out
    assert "12 episodes, seeds 0 to 11" in said.out


def test_quiet_says_nothing(aegis, corridor):
    said = aegis("-C", corridor, "eval", "--task", "corridor", *SHORT, "-q")
    assert (said.code, said.out, said.err) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["eval", "--task", "corridr"], "task-unknown", 'did you mean "corridor"'),
        (["eval", "--task", "corridor:drak"], "not-a-choice", 'did you mean "dark"'),
        (["eval", "--task", "corridor:dark:3"], "task-unknown", "write corridor:KIND"),
        (["eval", "--task", "research"], "task-unseeded", "research-gym, corridor, doors"),
        (
            ["eval", "--task", "corridor", "--checkpoint", "abc"],
            "checkpoint-unknown",
            "aegis train",
        ),
        (["eval", "--task", "corridor", "--profile", "tali"], "unknown-profile", "tally"),
        (["eval", "--task", "corridor", "--episodes", "1"], "usage", "2<=x<=1000000"),
        (["eval", "--task", "corridor", "--split", "tset"], "usage", "'test'"),
        (["compare", "tali", "--task", "corridor"], "unknown-profile", "tally"),
        (["compare", "tally@latest", "--task", "corridor"], "checkpoint-unknown", "aegis train"),
        (["compare", "--task", "corridor"], "usage", "PROFILE"),
        (["compare", "tally", "--task", "corridor", "--html", "a.json"], "usage", "--html"),
        (["train", "--task", "corridor:drak"], "not-a-choice", 'did you mean "dark"'),
        (["train", "--task", "corridor"], "no-run", "aegis data collect --task corridor:plain"),
    ],
)
def test_a_mistake_is_one_clear_error(aegis, corridor, words, code, said):
    found = aegis("-C", corridor, *words)
    assert found.code == 2
    assert f"error[{code}]" in found.err
    assert said in found.err
    assert "Traceback" not in found.err
    assert found.err.count("fix:") == 1
    assert found.out == ""


@pytest.mark.parametrize("fault", ["raise", "die"])
def test_an_engine_that_fails_is_one_error_with_exit_code_1(aegis, corridor, fault):
    words = ["eval", "--task", "corridor", "--profile", "moody", *SHORT]
    said = aegis("-C", corridor, *words, "--set", f"engine.moody.fault={fault}", "--json")
    assert (said.code, said.out) == (1, "")
    assert said.err.count("error[") == 1
    assert "moody" in said.err
    assert said.err.count("fix:") == 1
    assert "Traceback" not in said.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_was_interrupted_or_killed_goes_on_to_the_same_end(
    aegis, begin, kept, all_end, corridor, number
):
    words = ["-C", corridor, "eval", "--task", "corridor", *SLOW]
    process, place = begin(*words), corridor / "data" / "run" / "evaluations"
    kept(place, least=3)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == 2
    began = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 5
    all_end(children)
    played = kept(place)
    assert 3 <= played < 20
    assert out == ""
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert "what was played is kept" in err
        assert "the same command goes on where it stopped" in err
    again = aegis(*words)
    assert again.code == 0, again.err
    assert kept(place) == 20, "only what was missing was played"
    if number == signal.SIGKILL:
        fresh = aegis(*words, "--fresh")
        assert steady(fresh.json) == steady(again.json)


def test_the_second_signal_ends_at_once(begin, kept, all_end, corridor):
    words = ["--profile", "moody", "--set", "engine.moody.pause=60", "--episodes", "4"]
    process = begin("-C", corridor, "eval", "--task", "corridor", *words, "--fresh")
    end = time.monotonic() + 20
    while not (children := psutil.Process(process.pid).children()):
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = process.stderr.readline() + process.stderr.readline()
    assert "once more to end at once" in said
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130
    assert time.monotonic() - began < 2
    all_end(children)


def test_a_stop_of_a_fresh_play_says_how_not_to_begin_anew(begin, kept, corridor):
    process = begin("-C", corridor, "eval", "--task", "corridor", *SLOW, "--fresh")
    kept(corridor / "data" / "run" / "evaluations", least=1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert "the same command without --fresh goes on" in err


def test_two_that_play_the_same_at_once_both_have_the_figures(begin, corridor):
    words = ["-C", corridor, "eval", "--task", "corridor", *SLOW]
    both = [begin(*words), begin(*words)]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    from json import loads

    first, second = (steady(loads(out.splitlines()[-1])) for out, _ in said)
    assert first == second


def test_what_is_known_is_answered_and_what_has_changed_is_played(aegis, kept, corridor):
    place = corridor / "data" / "run" / "evaluations"
    (corridor / "data" / "library").mkdir(parents=True)

    def played(*more, task="corridor"):
        before = kept(place)
        said = aegis("-C", corridor, "eval", "--task", task, "--profile", "moody", "--episodes",
                     "3", "--jobs", "1", "-q", *more)  # fmt: skip
        assert said.code == 0, said.err
        return kept(place) - before

    assert played() == 3
    assert played() == 0
    assert played("--episodes", "5") == 2, "the last option counts"
    assert played("--first", "4", "--episodes", "4") == 3, "seeds 5 to 7"
    assert played("--decide", "greedy") == 3
    assert played("--split", "validation") == 3
    assert played("--set", "engine.moody.lean=1") == 3
    assert played("--set", "environment.corridor.cells=2") == 3
    assert played("--fresh") == 3 - 8, "the eight kept ones are put aside"
    assert played(task="corridor:dark") == 3
    assert played() == 0


def test_another_checkpoint_plays_and_the_same_one_is_known(aegis, kept, trained):
    place = trained / "data" / "run" / "evaluations"
    words = ["-C", trained, "eval", "--task", "corridor", *SHORT, "--json"]
    by_settings = aegis(*words)
    assert by_settings.json["checkpoint"] is None
    latest = aegis(*words, "--checkpoint", "latest")
    assert kept(place) == 24
    name = latest.json["checkpoint"]
    assert aegis(*words, "--checkpoint", name[:6]).json["checkpoint"] == name
    assert aegis("-C", trained, "checkpoints", "promote", name).code == 0
    serving = aegis(*words)
    assert serving.json == {**latest.json}
    assert aegis(*words, "--checkpoint", "configured").json == by_settings.json
    assert kept(place) == 24


def test_a_damaged_checkpoint_is_not_played(aegis, trained):
    (folder,) = (f for f in (trained / "data" / "run" / "checkpoints").iterdir() if f.is_dir())
    (folder / "tally.json").write_text("{}")
    said = aegis("-C", trained, "eval", "--task", "corridor", "--checkpoint", "latest", *SHORT)
    assert said.code == 2
    assert "tally.json" in said.err
    assert "Traceback" not in said.err


def test_the_files_of_a_library_are_what_a_gym_is_played_over(aegis, kept, project):
    words = ["-C", project, "eval", "--task", "research-gym", "--profile", "random", "-q",
             "--episodes", "3", "--jobs", "1"]  # fmt: skip
    place = project / "data" / "run" / "evaluations"
    assert aegis(*words).code == 0
    assert aegis(*words).code == 0
    assert kept(place) == 3
    note = next((project / "data" / "library").rglob("*.md"))
    note.write_text(note.read_text() + "\nAnother word.\n")
    assert aegis(*words).code == 0
    assert kept(place) == 6


def test_a_place_that_cannot_be_written_is_one_clear_error(aegis, corridor):
    (corridor / "data").mkdir()
    (corridor / "data" / "run").write_text("no folder")
    said = aegis("-C", corridor, "eval", "--task", "corridor", *SHORT)
    assert said.code in {1, 2}
    assert said.err.count("error[") == 1
    assert "Traceback" not in said.err
