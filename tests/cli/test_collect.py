"""``aegis data collect``: experience of a task, of a teacher to imitate or of a profile's practice."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections import Counter

import numpy as np
import psutil
import pytest

from aegis.jobs.kept_lines import KeptLines
from aegis.store.ledger import Ledger
from aegis.store.lock import RunLock

KEYS = {"task", "who", "origin", "episodes", "completed", "examples", "known", "path"}


def steps_of(folder):
    with Ledger.open(folder / "data" / "run", write=False) as ledger:
        return list(ledger.experiences())


def whole(steps):
    """Whether each episode is there from its first to its last step, and nothing twice."""
    episodes = {}
    for step in steps:
        episodes.setdefault(step.episode, []).append(step)
    assert len({step.key for step in steps}) == len(steps)
    return all(
        [one.index for one in episode] == list(range(1, len(episode) + 1))
        and [one.done for one in episode] == [False] * (len(episode) - 1) + [True]
        and len({(one.seed, one.run) for one in episode}) == 1
        for episode in episodes.values()
    )


@pytest.fixture
def collect(aegis, corridor):
    """Collects in the corridor, six episodes by default, and returns what was said."""

    def run(*words, folder=corridor, task="corridor"):
        return aegis("-C", folder, "data", "collect", "--task", task, "--episodes", 6,
                     "--jobs", 1, "--json", *words)  # fmt: skip

    return run


def test_a_teachers_episodes_become_experience_once(collect, corridor):
    said = collect("--teacher", "guide")
    assert said.code == 0, said.err
    assert said.json.keys() == KEYS
    steps = steps_of(corridor)
    assert said.json == {
        "task": "corridor:plain", "who": "guide", "origin": "teacher", "episodes": 6,
        "completed": 6, "examples": len(steps), "known": 0, "path": str(corridor / "data/run/ledger.sqlite"),
    }  # fmt: skip
    assert whole(steps)
    assert {(s.environment, s.origin, s.generator) for s in steps} == {
        ("corridor:plain", "teacher", "corridor-1")
    }
    for step in steps:
        drawn = np.random.default_rng(step.seed)  # of practice; other splits draw otherwise
        door, room = ("left", "right")[int(drawn.integers(2))], int(drawn.integers(10**6))
        assert step.view.goal == f"the door of {room} is {door}"
    again = collect("--teacher", "guide")
    assert (again.json["examples"], again.json["known"]) == (len(steps), len(steps))
    assert steps_of(corridor) == steps
    more = collect("--teacher", "guide", "--episodes", 8)
    assert more.json["known"] == len(steps)
    assert steps_of(corridor)[: len(steps)] == steps
    assert whole(steps_of(corridor))
    assert [s.seed for s in steps_of(corridor) if s.done] == list(range(8))


def test_a_person_reads_what_is_new_and_what_was_known(aegis, corridor):
    words = ["-C", corridor, "data", "collect", "--task", "corridor", "--teacher", "guide",
             "--episodes", 4, "--jobs", 1]  # fmt: skip
    first, again = aegis(*words), aegis(*words)
    place = corridor / "data" / "run" / "ledger.sqlite"
    assert first.out == f"12 decisions of guide in 4 episodes of corridor:plain: {place}\n"
    assert "plain, 12 of them known already: " in again.out
    some = aegis(*words[:5], "corridor", "--teacher", "random", "--episodes", 20, "--fresh")
    assert re.search(r"in 20 episodes of corridor:plain, \d+ of which did not reach", some.out)


def test_what_other_settings_give_is_other_experience(collect, corridor):
    """Also where some steps are the same, an episode stays whole."""
    said = [
        collect("--profile", "moody"),
        collect("--profile", "moody", "--set", "engine.moody.lean=3"),
        collect("--profile", "moody", "--set", "environment.corridor.cells=2"),
        collect("--profile", "moody", "--set", "agent.exploration.epsilon=0.5"),
        collect("--profile", "moody", "--seed", 9),
        collect("--teacher", "moody"),
    ]
    assert [one.json["known"] for one in said] == [0] * 6
    steps = steps_of(corridor)
    assert len(steps) == sum(one.json["examples"] for one in said)
    assert whole(steps)
    assert Counter(s.seed for s in steps if s.done) == dict.fromkeys(range(6), 6)


def test_practice_explores_as_the_agent_does_and_a_teacher_does_not(collect, corridor):
    settings = ("--set", "engine.moody.lean=1", "--set", "agent.exploration.epsilon=0.2",
                "--set", "agent.exploration.temperature=2.0")  # fmt: skip
    collect("--profile", "moody", *settings)
    collect("--teacher", "moody", *settings)
    practice, teacher = ([s for s in steps_of(corridor) if s.origin == origin]
                         for origin in ("practice", "teacher"))  # fmt: skip
    engine = np.array([1, np.e]) / (1 + np.e)  # of left and right
    warm = np.array([1, np.e**0.5]) / (1 + np.e**0.5)
    for steps, behaviour in ((practice, 0.8 * warm + 0.1), (teacher, engine)):
        assert steps
        for step in steps:
            found = step.decision
            assert [action.tool for action in found.candidates] == ["left", "right"]
            assert np.exp(found.engine_log_probabilities) == pytest.approx(engine, abs=1e-6)
            assert np.exp(found.behaviour_log_probabilities) == pytest.approx(behaviour, abs=1e-6)
            assert found.engine == "moody"


def test_practice_of_what_was_never_trained_may_explore_more(collect, corridor, trained):
    settings = ("--set", "agent.exploration.epsilon=0", "--set",
                "agent.exploration.epsilon_untrained=1")  # fmt: skip
    collect("--profile", "moody", *settings)
    collect("--profile", "tally@latest", *settings, folder=trained)
    steps = [s.decision for s in steps_of(corridor) if s.origin == "practice"]
    assert {step.engine for step in steps} == {"moody", "tally"}
    for step in steps:
        behaviour = np.exp(step.behaviour_log_probabilities)
        engine = [0.5, 0.5] if step.engine == "moody" else np.exp(step.engine_log_probabilities)
        assert behaviour == pytest.approx(engine, abs=1e-6)


def test_the_weights_that_decide_are_those_of_the_checkpoint(collect, aegis, trained):
    collect("--profile", "tally@latest", folder=trained)
    (name,) = {s.decision.checkpoint for s in steps_of(trained) if s.decision.engine == "tally"}
    listed = aegis("-C", trained, "checkpoints", "list", "--json").out
    assert name in listed
    refused = collect("--profile", "tally@nothing", folder=trained)
    assert refused.code == 2
    assert "error[checkpoint-unknown]" in refused.err


def test_a_file_of_experience_is_imported_and_trained_on_elsewhere(
    collect, aegis, corridor, tmp_path
):
    out = tmp_path / "steps.jsonl"
    said = collect("--teacher", "guide", "--episodes", 30, "--out", out)
    assert (said.code, said.json["path"], said.json["known"]) == (0, str(out), 0)
    assert not (corridor / "data" / "run" / "ledger.sqlite").exists()
    lines = out.read_text().splitlines()
    assert json.loads(lines[0])["count"] == len(lines) - 1 == said.json["examples"]
    other = tmp_path / "other"
    shutil.copytree(corridor, other, ignore=shutil.ignore_patterns("data"))
    by_file = aegis("-C", other, "train", "--task", "corridor", "--data", out, "--no-judge",
                    "--json")  # fmt: skip
    assert by_file.code == 0, by_file.err
    assert aegis("-C", other, "data", "import", out, "-q").code == 0
    assert whole(steps_of(other))
    by_ledger = aegis("-C", other, "train", "--task", "corridor", "--no-judge", "--json")
    assert by_ledger.json["examples"] == by_file.json["examples"]
    assert collect("--teacher", "guide", folder=other).json["known"] == 6 * 3, "the same keys"


def test_what_was_interrupted_goes_on(aegis, begin, kept, all_end, corridor):
    words = ["-C", corridor, "data", "collect", "--task", "corridor", "--profile", "moody",
             "--set", "engine.moody.pause=0.02", "--episodes", "20", "--jobs", "2", "--json"]  # fmt: skip
    process, place = begin(*words), corridor / "data" / "run" / "collecting"
    kept(place, least=3)
    children = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert "the same command goes on where it stopped" in err
    all_end(children)
    assert 3 <= kept(place) < 20
    assert not (corridor / "data" / "run" / "ledger.sqlite").exists(), "not half of it"
    said = aegis(*words)
    assert said.code == 0, said.err
    assert kept(place) == 20, "only what was missing was played"
    steps = steps_of(corridor)
    assert whole(steps)
    assert [s.seed for s in steps if s.done] == list(range(20))


def test_while_an_agent_runs_here_it_is_refused_and_goes_on_later(collect, kept, corridor):
    with RunLock(corridor / "data" / "run"):
        said = collect("--teacher", "guide")
    assert said.code == 1
    assert "error[locked]" in said.err
    assert "Traceback" not in said.err
    assert not (corridor / "data" / "run" / "collecting").exists(), "before anything is played"
    assert collect("--teacher", "guide").json["known"] == 0


def test_an_episode_that_went_otherwise_is_another_one(collect, kept, corridor):
    """A library changed that nothing tells of: what is played anew is not put behind the old."""
    assert collect("--teacher", "guide").code == 0
    (file,) = (corridor / "data" / "run" / "collecting").rglob("episodes.txt")
    before = steps_of(corridor)
    kept_lines = KeptLines(file)
    episodes = [json.loads(line) for line in kept_lines]
    for one in episodes:  # as if the corridor had become a step longer at its beginning
        one["lines"] = [one["lines"][0], *one["lines"]]
        for index, text in enumerate(one["lines"]):
            one["lines"][index] = json.dumps(json.loads(text) | {"index": index + 1})
    kept_lines.put_aside()
    for one in episodes:
        kept_lines.add(json.dumps(one).encode())
    said = collect("--teacher", "guide")
    assert (said.json["known"], said.json["examples"]) == (0, len(before) + 6)
    steps = steps_of(corridor)
    assert steps[: len(before)] == before
    assert whole(steps)
    assert collect("--teacher", "guide").json["known"] == len(before) + 6


def test_where_there_are_no_splits_nothing_is_shown_that_is_reported(collect, aegis, corridor):
    file = corridor / "corridor.py"
    file.write_text(file.read_text().replace("splits=True", "splits=False"))
    assert collect("--teacher", "guide").code == 0
    shown = {step.seed for step in steps_of(corridor)}
    words = ("compare", "tally", "--task", "corridor", "--jobs", 1, "--no-baselines", "--json")
    said = aegis("-C", corridor, *words)
    first, count = said.json["first_seed"], said.json["episodes"]
    assert not shown & {*range(first, first + count)}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--teacher", "gide"], "teacher-unknown", 'did you mean "guide"'),
        (["--teacher", "best"], "teacher-unknown", "experts of corridor: guide"),
        (["--teacher", "tali"], "teacher-unknown", 'did you mean "tally"'),
        (["--profile", "tali"], "unknown-profile", 'did you mean "tally"'),
        ([], "usage", "--teacher NAME or --profile P"),
        (["--teacher", "guide", "--profile", "tally"], "usage", "--teacher NAME or --profile P"),
        (["--teacher", "guide", "--out", "/proc/x.jsonl"], "unwritable", "folder that exists"),
    ],
)
def test_a_mistake_is_one_clear_error(collect, words, code, said):
    found = collect(*words)
    assert (found.code, found.out) == (2, "")
    assert f"error[{code}]" in found.err
    assert said in found.err
    assert found.err.count("fix:") == 1
    assert "Traceback" not in found.err


@pytest.mark.parametrize("fault", ["raise", "no-number", "die"])
def test_who_fails_is_named_and_what_was_played_is_kept(collect, kept, corridor, fault):
    sets = ("--set", f"engine.moody.fault={fault}", "--set", "engine.moody.after=25")
    found = collect("--profile", "moody", *sets)
    assert (found.code, found.out) == (1, "")
    assert found.err.count("error[") == 1
    assert "moody" in found.err
    assert "Traceback" not in found.err
    assert 1 <= kept(corridor / "data" / "run" / "collecting") < 6
