from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import psutil
import pytest

from aegis.cli.training_display import LiveScreen, line, table
from aegis.learning.progress import Progress

KEYS = {
    "trainer",
    "examples",
    "epochs",
    "seconds",
    "examples_per_second",
    "trainable_parameters",
    "total_parameters",
    "peak_rss_mb",
    "checkpoint",
    "gate",
    "comparison",
    "stopped_because",
}
GATE = {"accepted", "metric", "incumbent", "candidate", "difference", "lower_bound", "level"}


@pytest.fixture
def start(trainable):
    """Starts a command in a process of its own."""
    started = []

    def run(*arguments):
        program = "import sys; from aegis.cli.main import main; main(sys.argv[1:])"
        words = [sys.executable, "-c", program, "-C", str(trainable), *map(str, arguments)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def slowly(folder, *more):
    return ("train", "--no-judge", "--set", "trainer.tally.pause=0.03", *more)


def wait_for_state(folder, job="0001"):
    saved = folder / "data" / "run" / "training" / job / "state" / "state.json"
    end = time.monotonic() + 20
    while not saved.exists():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_episodes_about_one_topic_count_as_one(aegis, trained):
    """The corridor's seeds are about fifty topics: seventy episodes are no seventy samples."""
    words = ("train", "--task", "corridor", "--episodes", 70, "--epochs", 1, "--fresh", "--json")
    said = aegis("-C", trained, *words)
    assert said.code == 0, said.err
    measured = said.json["comparison"]["episodes"]["measures"]["return"]
    assert (measured["rows"], measured["clusters"]) == (70, 50)


def test_training_answers_with_the_keys_that_are_relied_on(aegis, trainable):
    said = aegis("-C", trainable, "train", "--json")
    assert said.code == 0, said.err
    assert set(said.json) >= KEYS
    assert set(said.json["gate"]) == GATE
    assert said.json["gate"]["accepted"] is None
    assert said.json["gate"]["metric"] == "return in doors"
    assert said.json["gate"]["difference"] > 0.5
    assert said.json["trainable_parameters"] == 3
    assert said.json["examples_per_second"] > 10
    assert 20 < said.json["peak_rss_mb"] < 500
    assert said.out.count("\n") == 1, "nothing but the object"
    lies = trainable / "data" / "run" / "checkpoints" / said.json["checkpoint"]
    assert (lies / "tally.json").is_file()


def test_training_says_what_it_did_and_how_to_let_it_decide(aegis, trainable):
    said = aegis("-C", trainable, "train")
    assert said.code == 0, said.err
    lies = trainable / "data" / "run" / "checkpoints"
    (name,) = [path.name for path in lies.iterdir() if path.is_dir()]
    assert f"aegis -C {trainable} checkpoints promote {name}" in said.out
    assert "loss over examples" in said.out
    assert "return in doors" in said.out
    assert "random, the same episodes" in said.out
    assert "held-out loss" in said.out
    assert "tally trained tally on" in said.out


def test_epochs_is_the_setting_of_the_profiles_trainer(aegis, trainable):
    said = aegis("-C", trainable, "train", "--epochs", 2, "--no-judge", "--json")
    assert said.json["epochs"] == 2
    assert said.json["comparison"] == {}
    assert said.json["gate"]["metric"] is None


def test_epochs_of_a_trainer_without_epochs_are_refused(aegis, trainable):
    file = trainable / "tally.py"
    file.write_text(file.read_text().replace("    epochs: int =", "    rounds: int =")
                    .replace("settings.epochs", "settings.rounds"))  # fmt: skip
    said = aegis("-C", trainable, "train", "--epochs", 2)
    assert said.code == 2
    assert 'error[no-epochs]: trainer "tally" has no setting epochs' in said.err
    assert "rounds, rate" in said.err


def test_a_profile_that_cannot_learn_is_refused_with_the_way_out(aegis, trainable):
    said = aegis("-C", trainable, "train", "--profile", "rules")
    assert said.code == 2
    assert "error[no-trainer]" in said.err
    assert "Traceback" not in said.err
    said = aegis("-C", trainable, "train", "--phase", "reinforce")
    assert said.code == 2
    assert 'phases.reinforce = "tally"' in said.err


def test_no_experience_is_refused(aegis, trainable):
    for file in (trainable / "data" / "run").glob("ledger*"):
        file.unlink()
    said = aegis("-C", trainable, "train")
    assert said.code == 2
    assert "error[no-run]" in said.err


def test_experience_of_a_file_serves_as_well_as_the_ledgers(aegis, trainable, tmp_path):
    file = tmp_path / "steps.jsonl"
    assert aegis("-C", trainable, "data", "export", file).code == 0
    by_ledger = aegis("-C", trainable, "train", "--no-judge", "--json")
    for ledger in (trainable / "data" / "run").glob("ledger*"):
        ledger.unlink()
    by_file = aegis("-C", trainable, "train", "--data", file, "--no-judge", "--json")
    assert by_file.code == 0, by_file.err
    assert by_file.json["examples"] == by_ledger.json["examples"]


def test_a_failed_training_exits_with_1_and_names_the_plugin(aegis, trainable):
    said = aegis("-C", trainable, "train", "--set", "trainer.tally.fault=raise-middle", "--json")
    assert said.code == 1
    assert "error[plugin-failed]" in said.err
    assert 'plugin "tally.py"' in said.err
    assert "log.txt" in said.err
    assert "Traceback" not in said.err
    assert said.json["checkpoint"] is None
    assert said.json["stopped_because"] == "failed"


def test_quiet_says_nothing(aegis, trainable):
    said = aegis("-C", trainable, "train", "--no-judge", "-q")
    assert (said.code, said.out, said.err) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_saves_and_the_next_training_goes_on(start, trainable, number):
    first = start(*slowly(trainable))
    wait_for_state(trainable)
    (child,) = psutil.Process(first.pid).children()
    began = time.monotonic()
    first.send_signal(number)
    out, err = first.communicate(timeout=30)
    assert first.returncode == 130
    assert time.monotonic() - began < 10
    assert "saving what was learned so far" in err
    assert "the same command, without --fresh, goes on with it" in err
    assert "interrupted: no new weights" in out
    assert not child.is_running()
    second = start(*slowly(trainable))
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    assert "goes on with training 0001" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_preparation_at_once(begin, trained, number):
    """Where nothing is learned yet there is nothing to save."""
    file = trained / "corridor.py"
    slow = "    time.sleep(0.2)\n    if step.view.goal"
    code = (
        file.read_text()
        .replace("    if step.view.goal", slow)
        .replace("import os", "import os\nimport time")
    )
    file.write_text(code)
    words = ("train", "--task", "corridor", "--set", "learning.variants=1", "--fresh")
    process = begin("-C", trained, *words)
    assert "further forms" in process.stdout.readline()
    began = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 3
    assert process.returncode in {130, -number}
    assert "Traceback" not in err
    assert not [*(trained / "data" / "run" / "training").glob("0002*")]


def test_the_second_signal_ends_at_once(start, trainable):
    process = start(*slowly(trainable, "--set", "trainer.tally.fault=deaf", "--epochs", 1000))
    wait_for_state(trainable)
    (child,) = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGINT)
    assert "saving" in process.stderr.readline() + process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.wait(timeout=5)
    assert process.returncode == 130
    assert not child.is_running()


def test_a_second_training_is_refused_with_the_process_of_the_first(start, aegis, trainable):
    first = start(*slowly(trainable))
    wait_for_state(trainable)
    said = aegis("-C", trainable, "train")
    assert said.code == 1
    assert f"process {first.pid} trains in this folder" in said.err
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=30)


def test_an_agent_runs_on_while_its_weights_are_trained(start, aegis, trainable):
    text = (trainable / "aegis.toml").read_text()
    ruled = text + '\n[profiles.ruled]\nengine = "random"\nenvironment = "doors"\n'
    (trainable / "aegis.toml").write_text(ruled)
    runs = start("run", "--profile", "ruled", "--steps", 100_000)
    assert runs.stdout.readline()
    trained = start("train", "--json", "--episodes", 5, "--set", "trainer.tally.pause=0.005")
    out, err = trained.communicate(timeout=60)
    assert trained.returncode == 0, err
    assert runs.poll() is None, "the agent was not disturbed"
    answer = json.loads(out.splitlines()[-1])
    assert answer["gate"]["metric"] == "return in doors"
    runs.send_signal(signal.SIGINT)
    runs.communicate(timeout=20)
    assert runs.returncode == 130
    assert aegis("-C", trainable, "doctor").code == 0
    assert aegis("-C", trainable, "status", "--json").json["experiences"] > 120


def test_a_line_of_progress_says_how_far_and_how_long():
    metrics = {"epoch": 2.25, "examples": 250, "examples_total": 1000, "loss": 0.5,
               "held_out_loss": 0.75, "examples_per_second": 25.0, "seconds_left": 30}  # fmt: skip
    now = Progress("training", seconds=10, limit=7200, silent=0, rss_mb=512.4, metrics=metrics)
    assert line(now) == (
        "training · epoch 2.2 · 250 of 1000 · loss 0.5000 · held out loss 0.7500 · 25.0 examples/s"
        " · 30 s left · 10 s of 2 h 0 min at most · 512 MiB"
    )
    assert "no word for 1 min 05 s" in line(Progress("training", silent=65))
    judging = {"side": "candidate", "what": "episodes", "done": 3, "total": 40}
    assert "candidate: episodes · 3 of 40" in line(Progress("judging", judging=judging))


def test_a_terminal_shows_the_figures_and_the_curve(capsys):
    points = [{"examples": float(n), "loss": 1.0 / (n + 1)} for n in range(9)]
    with LiveScreen() as screen:
        screen.listener.notice("goes on")
        screen.listener.progress(Progress("training", metrics={"loss": 0.5}, points=points))
        shown = screen._live.get_renderable().plain
    assert "loss 0.5000" in shown
    assert "loss over examples" in shown
    assert "goes on" in capsys.readouterr().out


def test_the_table_shows_means_with_their_intervals():
    found = {
        "rows": 40, "incumbent": {"mean": 1, "low": 0.5, "high": 1.5},
        "candidate": {"mean": 2, "low": 1.5, "high": 2.5}, "gain": {"mean": 1, "low": -0.25, "high": 2},
    }  # fmt: skip
    shown = table({"episodes": {"environment": "research-gym", "measures": {"return": found}}})
    assert shown.splitlines()[1].split("  ") == [
        "return in research-gym", "1.000 [0.500, 1.500]", "2.000 [1.500, 2.500]",
        "+1.000 [-0.250, +2.000]", "40",
    ]  # fmt: skip
    assert table({}) == "not compared with the weights that decide now"
