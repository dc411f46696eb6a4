"""Trainings in real child processes: what goes right, what goes wrong, and what stays of it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest

from aegis.checkpoints.folder import Checkpoints
from aegis.checkpoints.promoting import Promotions
from aegis.errors import AegisError, ConfigError, ContractError, InputError, StoreError
from aegis.evaluation.task import task_of
from aegis.jobs.limits import Limits
from aegis.learning.exchange import export_jsonl
from aegis.learning.job_folder import Jobs
from aegis.learning.progress import Listener
from aegis.learning.runner import Training, train
from aegis.project import load
from aegis.store.ledger import Ledger
from aegis.store.lock import RunLock
from aegis.store.owning import owning

ROOMY = Limits(seconds=60, memory_mb=4000, grace=20)


@pytest.fixture
def project(trainable):
    """Loads the project with settings of the trainer."""

    def make(**trainer):
        sets = [f"trainer.tally.{name}={value}" for name, value in trainer.items()]
        return load(trainable / "aegis.toml", sets=sets)

    return make


@pytest.fixture(autouse=True)
def no_orphans():
    """No test leaves a process behind."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    end = time.monotonic() + 5
    while left := [
        p for p in psutil.process_iter(["cmdline"]) if _is_job(p) and p.pid not in before
    ]:
        assert time.monotonic() < end, f"orphans: {left}"
        time.sleep(0.05)


def _is_job(process):
    try:
        command = " ".join(process.info["cmdline"] or ())
        mine = os.getsid(process.pid) == process.pid and process.ppid() in (os.getpid(), 1)
        return "aegis.learning." in command and mine and process.status() != "zombie"
    except (psutil.Error, ProcessLookupError):
        return False


def run(project, **options):
    return train(project, **{"limits": ROOMY, "judge": False, **options})


def stored(project):
    return Checkpoints(project.run_folder).all()


def only_job(project):
    (job,) = Jobs(project.run_folder).all()
    return job


def weights(project, checkpoint):
    folder = Checkpoints(project.run_folder).verified(checkpoint)
    return json.loads((folder / "tally.json").read_text())


# ------------------------------------------------------------------ the good end


def test_a_training_ends_with_a_stored_candidate_that_is_better(project):
    loaded = project()
    outcome = run(loaded, judge=True)
    assert (outcome.status, outcome.stopped_because, outcome.error) == (
        "finished",
        "finished",
        None,
    )
    assert stored(loaded) == [outcome.checkpoint]
    found = weights(loaded, outcome.checkpoint)
    assert found["right"] > max(found["middle"], found["left"]), "the right door pays most"
    played = outcome.comparison["episodes"]["measures"]["return"]
    assert played["incumbent"]["mean"] == pytest.approx(3 * 1.25 / 3, abs=0.5)
    assert played["gain"]["mean"] > 0.5
    assert played["gain"]["low"] <= played["lower_bound"] <= played["gain"]["mean"]
    assert played["rows"] == 20
    even = outcome.comparison["episodes"]["beside"]["random"]["mean"]
    assert even == pytest.approx(played["incumbent"]["mean"]), "even weights are no opinion"


def test_what_stays_of_a_training_is_its_job_and_its_result(project):
    loaded = project()
    outcome = run(loaded, judge=True)
    folder = only_job(loaded)
    assert {path.name for path in folder.path.iterdir()} == {
        "job.json",
        "judge.json",
        "result.json",
    }
    result = json.loads((folder.path / "result.json").read_text())
    assert result["status"] == "finished"
    assert result["checkpoint"] == outcome.checkpoint
    assert [point["examples"] for point in result["curve"]][:2] == [10.0, 20.0]
    facts = Checkpoints(loaded.run_folder).facts(outcome.checkpoint)
    assert {
        "created",
        "seconds",
        "examples_per_second",
        "peak_rss_mb",
        "curve",
        "comparison",
    } <= set(facts)


def test_the_manifest_says_where_the_weights_come_from(project):
    loaded = project(epochs=2)
    outcome = run(loaded)
    manifest = Checkpoints(loaded.run_folder).manifest(outcome.checkpoint)
    assert (manifest.component, manifest.kind, manifest.trainer) == ("tally", "tally", "tally")
    assert manifest.distribution == manifest.trainer_distribution == "local file"
    assert manifest.parent is None
    assert manifest.needs == {"base": "nothing"}
    assert manifest.config["trainer"]["config"]["epochs"] == 2
    assert manifest.metrics["epochs"] == 2
    assert not [name for name in manifest.metrics if "second" in name], "only what repeats exactly"
    assert len(manifest.dataset["digest"]) == 64


def test_the_same_training_twice_gives_the_same_checkpoint(project):
    loaded = project()
    first, second = run(loaded), run(loaded)
    assert first.checkpoint == second.checkpoint
    assert first.job != second.job


def test_plugins_hear_of_progress_and_of_the_end(project):
    loaded = project(epochs=1)
    heard = sys.modules[
        next(n for n in reversed(sys.modules) if n.startswith("aegis_local_tally"))
    ].HEARD
    outcome = run(loaded)
    assert heard[-1] == ("tally", outcome.checkpoint)
    assert [metrics["examples"] for _, metrics in heard[:-1]][:3] == [10.0, 20.0, 30.0]


def test_the_loop_can_poll_without_waiting(project):
    polls = []
    with Training(project(pause=0.02), judge=False, limits=ROOMY) as training:
        training.start()
        while training.outcome is None:
            began = time.monotonic()
            training.poll(0.0)
            polls.append(time.monotonic() - began)
    assert training.outcome.status == "finished"
    assert sorted(polls)[len(polls) // 2] < 0.05


def test_the_parent_imports_nothing_heavy(trainable):
    program = f"""
import sys
from pathlib import Path
from aegis.learning.runner import train
from aegis.project import load
outcome = train(load(Path({str(trainable)!r}) / "aegis.toml"), judge=False)
print(outcome.status, sorted({{"torch", "transformers", "peft", "rich"}} & set(sys.modules)))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    assert ran.stdout == "finished []\n"


def promote(project, checkpoint):
    with owning(project.run_folder) as ledger:
        Promotions(ledger.connection).promote(
            "tally",
            "tally",
            checkpoint,
            why="person",
            step=ledger.last_step(),
            at="2026-01-01T00:00:00Z",
        )
        ledger.commit()


def test_training_starts_from_the_weights_that_decide_and_is_compared_with_them(project):
    first = run(project(), judge=True)
    promote(project(), first.checkpoint)
    second = run(project(epochs=1), judge=True)
    manifest = Checkpoints(project().run_folder).manifest(second.checkpoint)
    assert manifest.parent == first.checkpoint
    before, after = weights(project(), first.checkpoint), weights(project(), second.checkpoint)
    assert after["right"] > before["right"], "they went on from there"
    played = "episodes", "measures", "return"
    old, new = first.comparison, second.comparison
    for key in played:
        old, new = old[key], new[key]
    assert new["incumbent"] == old["candidate"], "the same weights in the same episodes"


def test_damaged_weights_are_not_trained_from(project):
    first = run(project())
    promote(project(), first.checkpoint)
    (Checkpoints(project().run_folder).path / first.checkpoint / "tally.json").write_text("{}")
    with pytest.raises(ContractError) as refused:
        run(project())
    assert refused.value.problems[0].code == "checkpoint-damaged"


def test_weights_of_the_agents_own_life_are_compared_in_practice_over_its_library(
    project, trainable, root
):
    data = trainable / "steps.jsonl"
    with Ledger.open(project().run_folder, write=False) as ledger:
        export_jsonl(ledger, data)
    text = (trainable / "aegis.toml").read_text().replace('environment = "doors"\n', "")
    (trainable / "aegis.toml").write_text(text)
    (trainable / "data" / "library").symlink_to(root / "data" / "library")
    outcome = run(project(), data=data, judge=True, episodes=3)
    episodes = outcome.comparison["episodes"]
    assert (episodes["environment"], episodes["seeds"]) == ("research-gym", [0, 1, 2])
    assert set(episodes["beside"]) == {"random", "rules"}
    assert outcome.to_json()["gate"]["metric"] == "return in research-gym"
    judged = json.loads((outcome.job / "judge.json").read_text())
    assert judged["play"]["environment"]["config"]["split"] == "validation"


def test_where_there_are_no_splits_other_episodes_judge_than_are_reported(project, trainable):
    outcome = run(project(), judge=True, episodes=3)
    episodes = outcome.comparison["episodes"]
    assert episodes["environment"] == "doors"
    assert (
        min(episodes["seeds"]) == task_of(project(), "doors", "validation").seeds(0, 3)[0] > 10**6
    )


def test_a_library_that_is_too_small_to_play_over_leaves_the_held_out_rows(project, trainable):
    data = trainable / "steps.jsonl"
    with Ledger.open(project().run_folder, write=False) as ledger:
        export_jsonl(ledger, data)
    text = (trainable / "aegis.toml").read_text().replace('environment = "doors"\n', "")
    (trainable / "aegis.toml").write_text(text)
    (trainable / "data" / "library").mkdir()
    (trainable / "data" / "library" / "note.md").write_text("# Alone\n\nOne note.\n")
    outcome = run(project(), data=data, judge=True)
    assert "skipped" in outcome.comparison["episodes"]
    assert outcome.to_json()["gate"]["metric"] == "held-out loss"


# ------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("raise-begin", "plugin-failed", "ZeroDivisionError: the third layer"),
        ("raise-middle", "plugin-failed", "ZeroDivisionError"),
        ("exit-middle", "plugin-failed", "SystemExit"),
        ("exit-end", "plugin-failed", "SystemExit"),
        ("interrupt-middle", "plugin-failed", "KeyboardInterrupt"),
        ("surrogate", "plugin-failed", "half a character"),
        ("refuse", "tally-refuses", "not on a Sunday"),
        ("nan-first", "training-diverged", "loss = nan"),
        ("nan-middle", "training-diverged", "loss = nan"),
        ("nan-last", "training-diverged", "loss = nan"),
        ("nan-result", "training-diverged", "loss = inf"),
        ("diverged", "training-diverged", "diverged"),
        ("pickle", "checkpoint-foreign-file", "optimiser.pkl"),
        ("link", "checkpoint-foreign-file", "passwords.txt"),
        ("nothing", "checkpoint-empty", "no file to store"),
    ],
)
def test_a_failed_training_stores_no_weights_and_says_why(project, fault, code, said):
    loaded = project(fault=fault, epochs=2)
    outcome = run(loaded)
    assert outcome.status == "failed"
    (problem,) = outcome.error.problems
    assert problem.code == code
    assert said in problem.message
    assert outcome.error.exit_code == 1
    assert stored(loaded) == []
    job = only_job(loaded)
    result = json.loads((job.path / "result.json").read_text())
    assert result["problems"][0][0] == code
    assert not job.open, "the same again would end the same"
    assert not job.state.exists()


def test_a_plugin_is_named_and_its_traceback_kept(project):
    outcome = run(project(fault="raise-middle"))
    (problem,) = outcome.error.problems
    assert 'plugin "tally.py"' in problem.message
    assert "tally.py:" in problem.where
    log = (outcome.job / "log.txt").read_text()
    assert "Traceback" in log
    assert "in misbehave" in log


def test_a_segfault_is_told_and_the_state_kept(project):
    loaded = project(fault="segfault-middle")
    outcome = run(loaded)
    assert outcome.status == "failed"
    assert "SIGSEGV" in outcome.error.problems[0].message
    assert outcome.resumable
    assert only_job(loaded).open
    assert "Fatal Python error: Segmentation fault" in (outcome.job / "log.txt").read_text()
    assert stored(loaded) == []


def test_a_trainer_that_prints_cannot_forge_an_answer(project):
    loaded = project(fault="garbage")
    outcome = run(loaded)
    assert outcome.status == "finished"
    assert outcome.examples > 0


def test_a_trainer_that_prints_without_end_does_not_stop_the_clock(project):
    began = time.monotonic()
    outcome = run(project(fault="flood"), limits=Limits(seconds=1, memory_mb=4000, grace=0.5))
    assert time.monotonic() - began < 5
    assert outcome.error.problems[0].code == "training-stuck"


def test_a_copy_that_a_trainer_has_forked_answers_nothing(project):
    outcome = run(project(fault="forked-copy", epochs=1))
    assert outcome.status == "finished", outcome.error
    assert outcome.examples > 0  # the copy's result says 0


def test_memory_above_the_limit_ends_the_training(project):
    loaded = project(fault="memory")
    outcome = run(loaded, limits=Limits(seconds=60, memory_mb=300, grace=5))
    assert outcome.error.problems[0].code == "training-memory"
    assert "[learning].memory_mb" in outcome.error.problems[0].fix
    assert 300 < outcome.peak_rss_mb < 1200
    assert stored(loaded) == []


def test_a_trainer_that_keeps_to_its_deadline_gives_a_candidate(project):
    loaded = project(pause=0.05, epochs=1000)
    outcome = run(loaded, limits=Limits(seconds=2, memory_mb=4000, grace=5))
    assert (outcome.status, outcome.stopped_because) == ("finished", "deadline")
    assert stored(loaded) == [outcome.checkpoint]
    assert 0 < outcome.epochs < 1000


def test_a_trainer_that_knows_no_deadline_is_ended_after_the_grace(project):
    loaded = project(fault="deaf", pause=0.05, epochs=1000)
    began = time.monotonic()
    outcome = run(loaded, limits=Limits(seconds=1, memory_mb=4000, grace=1))
    assert time.monotonic() - began < 6
    assert outcome.error.problems[0].code == "training-stuck"
    assert outcome.resumable
    assert stored(loaded) == []


def test_what_a_trainer_has_started_ends_with_it(project):
    loaded = project(fault="forks", epochs=1)
    pids = []
    with Training(loaded, judge=False, limits=ROOMY) as training:
        training.start()
        pids.append(training._child.pid)
        while training.poll(0.02) is None:
            pass
    assert training.outcome.status == "finished"
    assert [pid for pid in psutil.pids() if _session(pid) == pids[0]] == []


def _session(pid):
    try:
        return os.getsid(pid) if psutil.Process(pid).status() != "zombie" else 0
    except (psutil.Error, OSError):
        return 0


# ------------------------------------------------------------------ interruption and what follows


def until(training, examples, timeout=20.0):
    """Poll until the trainer has reported so many examples."""
    end = time.monotonic() + timeout
    while training.outcome is None and training._metrics.get("examples", 0) < examples:
        assert time.monotonic() < end
        training.poll(0.02)


def test_a_stop_keeps_the_state_and_the_next_training_goes_on(project):
    loaded = project(pause=0.01)
    with Training(loaded, judge=False, limits=ROOMY) as training:
        training.start()
        until(training, 100)
        training.stop()
        while (outcome := training.poll()) is None:
            pass
    assert (outcome.status, outcome.error, outcome.resumable) == ("interrupted", None, True)
    assert stored(loaded) == []
    notices, first = [], []
    listener = Listener(
        notice=notices.append,
        progress=lambda now: first.append(now.metrics["examples"]) if now.metrics else None,
    )
    again = run(loaded, listener=listener)
    assert again.job == outcome.job
    assert again.status == "finished"
    assert "goes on with training 0001" in notices[0]
    assert first[0] > 100, "not from the beginning"
    examples = [point["examples"] for point in again.curve]
    assert examples == sorted(set(examples)), "one curve over both parts"
    assert examples[0] == 10.0
    twin = run(project(pause=0.01), fresh=True)
    assert weights(loaded, twin.checkpoint) == weights(loaded, again.checkpoint)


def test_other_settings_or_fresh_begin_anew(project):
    loaded = project(pause=0.01)

    def cut_off():
        with Training(loaded, judge=False, limits=ROOMY) as training:
            training.start()
            until(training, 20)
            training.stop()
            while training.poll() is None:
                pass
        return training.outcome

    first = cut_off()
    assert run(project(pause=0.01, epochs=1)).job != first.job
    assert not Jobs(loaded.run_folder).all()[0].open, "it is given up, and takes no room"
    second = cut_off()
    assert run(loaded, fresh=True).job != second.job


@pytest.mark.slow
def test_a_training_that_is_killed_ten_times_completes(project):
    """Kills of the child at random progress; the end equals an unkilled twin's."""
    loaded = project(pause=0.004, epochs=20)
    dice = random.Random(4)
    reached = kills = 0
    while kills < 10:
        with Training(loaded, judge=False, limits=ROOMY) as training:
            training.start()
            until(training, reached + dice.choice([1, 10, 40, 90, 200]))
            assert training.outcome is None, "it was to be killed before its end"
            reached = training._metrics["examples"]
            os.kill(training._child.pid, signal.SIGKILL)
            kills += 1
            while (outcome := training.poll()) is None:
                pass
        assert outcome.status == "failed"
        assert "SIGKILL" in outcome.error.problems[0].message
        assert stored(loaded) == []
    outcome = run(loaded)
    assert outcome.status == "finished"
    assert outcome.job.name == "0001"
    twin = run(loaded, fresh=True)
    assert weights(loaded, outcome.checkpoint) == weights(loaded, twin.checkpoint)


def test_the_child_of_a_killed_parent_saves_and_ends(project, trainable):
    program = f"""
from pathlib import Path
from aegis.learning.runner import train
from aegis.project import load
project = load(Path({str(trainable)!r}) / "aegis.toml", sets=["trainer.tally.pause=0.02"])
train(project, judge=False)
"""
    parent = subprocess.Popen([sys.executable, "-c", program])
    folder = trainable / "data" / "run" / "training" / "0001"
    saved = folder / "state" / "state.json"
    end = time.monotonic() + 20
    while not saved.exists() and time.monotonic() < end:
        time.sleep(0.01)
    (child,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    child.wait(timeout=10)
    loaded = project(pause=0.02)
    assert only_job(loaded).open
    outcome = run(loaded)
    assert (outcome.status, outcome.job) == ("finished", folder)


def test_a_successor_waits_for_a_child_without_a_parent_that_hears_nothing(project, trainable):
    program = f"""
from pathlib import Path
from aegis.jobs.limits import Limits
from aegis.learning.runner import Training
from aegis.project import load
sets = ["trainer.tally.pause=0.01", "trainer.tally.fault=deaf", "trainer.tally.epochs=1000"]
project = load(Path({str(trainable)!r}) / "aegis.toml", sets=sets)
training = Training(project, judge=False, limits=Limits(60, 4000, grace=1.5))
training.start()
while not training._metrics:
    training.poll()
print(training._child.pid, flush=True)
while True:
    training.poll()
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    notices = []
    outcome = run(project(epochs=1), listener=Listener(notice=notices.append))
    assert f"waits until process {child.pid}, an earlier training, has ended" in notices[0]
    assert _session(child.pid) == 0, "it was ended after its grace"
    assert outcome.status == "finished"


def test_only_one_training_at_a_time(project):
    loaded = project(pause=0.02)
    with Training(loaded, judge=False, limits=ROOMY) as training:
        training.start()
        with pytest.raises(StoreError) as refused:
            run(loaded)
        (problem,) = refused.value.problems
        assert problem.code == "training-locked"
        assert f"process {os.getpid()} trains in this folder" in problem.message
        training.stop()
        while training.poll() is None:
            pass
    assert run(loaded).status == "finished"


def test_a_failed_training_leaves_the_older_weights_alone(project):
    good = run(project())
    before = weights(project(), good.checkpoint)
    assert run(project(fault="nan-middle")).status == "failed"
    assert stored(project()) == [good.checkpoint]
    assert weights(project(), good.checkpoint) == before


# ------------------------------------------------------------------ nothing to begin with


def test_a_profile_without_a_trainer_is_told_which_would_do(trainable):
    text = (trainable / "aegis.toml").read_text().replace('phases.imitate = "tally"\n', "")
    (trainable / "aegis.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        run(load(trainable / "aegis.toml"))
    (problem,) = refused.value.problems
    assert problem.code == "no-trainer"
    assert 'phases.imitate = "tally"' in problem.fix


def test_without_experience_there_is_nothing_to_learn_from(project, trainable):
    for file in (trainable / "data" / "run").glob("ledger*"):
        file.unlink()
    with pytest.raises(InputError) as refused:
        run(project())
    assert refused.value.problems[0].code == "no-run"


def test_a_comparison_that_fails_keeps_the_candidate(project, monkeypatch):
    def broken(self, *_, **__):
        raise AegisError.of("no-court", "nobody to judge")

    monkeypatch.setattr("aegis.learning.preparing.Plan.judging", broken)
    outcome = run(project(), judge=True)
    assert outcome.status == "finished"
    assert outcome.error.problems[0].code == "no-court"
    assert outcome.checkpoint is not None


@pytest.mark.parametrize(("held", "policy"), [(True, "PASSIVE"), (False, None)])
def test_beside_an_agent_the_childs_threads_sleep_while_they_wait(
    project, monkeypatch, held, policy
):
    """Otherwise threads of both processes spin on the same cores and neither gets anywhere."""
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    loaded = project(epochs=1, pause=0.05)
    with contextlib.ExitStack() as stack:
        if held:
            stack.enter_context(RunLock(loaded.run_folder))
        training = stack.enter_context(Training(loaded, judge=False))
        training.start()
        child = psutil.Process(training._child.pid)
        assert child.environ().get("OMP_WAIT_POLICY") == policy
        training.kill()
