from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

EVAL = {
    "task", "profile", "checkpoint", "episodes", "success_rate", "mean_return", "ci95",
    "decisions_per_second", "peak_rss_mb", "parameters", "invalid_rate",
}  # fmt: skip
SHORT = ("--episodes", "12", "--jobs", "1")


def test_eval_answers_with_the_keys_that_are_relied_upon(aegis, corridor):
    said = aegis("-C", corridor, "eval", "--task", "corridor", *SHORT, "--json")
    assert said.code == 0, said.err
    assert said.json.keys() >= EVAL
    assert (said.json["task"], said.json["profile"]) == ("corridor:plain", "tally")
    assert said.json["parameters"] == 3
    assert said.json["environment"]["split"] == "test"


def test_eval_shows_a_row_for_each_way_to_decide(aegis, corridor):
    said = aegis("-C", corridor, "eval", "--task", "corridor", *SHORT, "--decide", "both")
    assert said.code == 0
    assert "tally sampled" in said.out
    assert "tally greedy" in said.out
    assert "12 episodes, seeds 0 to 11" in said.out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["eval", "--task", "corridr"], "task-unknown"),
        (["eval", "--task", "corridor:drak"], "not-a-choice"),
        (["eval", "--task", "corridor", "--checkpoint", "abc"], "checkpoint-unknown"),
        (["eval", "--task", "corridor", "--profile", "tali"], "unknown-profile"),
        (["compare", "tali", "--task", "corridor"], "unknown-profile"),
        (["compare", "--task", "corridor"], "usage"),
        (["data", "collect", "--task", "corridor", "--teacher", "gide"], "teacher-unknown"),
        (["data", "collect", "--task", "corridor", "--teacher", "best"], "teacher-unknown"),
        (["data", "collect", "--task", "corridor"], "usage"),
    ],
)
def test_a_mistake_is_one_clear_error(aegis, corridor, words, code):
    said = aegis("-C", corridor, *words)
    assert said.code == 2
    assert f"error[{code}]" in said.err
    assert "Traceback" not in said.err
    assert said.err.count("fix:") == 1


def test_a_comparison_has_all_rows_pairs_and_a_page(aegis, corridor):
    words = ["-C", corridor, "compare", "tally", "random", "--task", "corridor", *SHORT]
    said = aegis(*words, "--json")
    assert said.code == 0, said.err
    found = said.json
    assert [row["name"] for row in found["rows"]] == [
        "majority",
        "tally",
        "random",
        "guide",
        "best",
    ]
    assert found["rows"][0].keys() >= EVAL - {"task"}
    assert {(p["a"], p["b"]) for p in found["pairs"]} >= {("tally", "random"), ("tally", "guide")}
    assert found["pairs"][0].keys() >= {"a", "b", "difference", "lower_bound", "p"}
    assert found["published"] == [
        {"name": "Others", "value": 0.5, "source": "a paper", "note": "Longer.",
         "demonstrations": None}
    ]  # fmt: skip
    page = Path(found["page"])
    text = page.read_text("utf-8")
    assert "corridor:plain" in text
    assert "<svg" in text
    assert json.loads(page.with_suffix(".json").read_text())["rows"] == found["rows"]
    again = aegis(*words)
    assert "tally" in again.out
    assert "page: " in again.out


def test_the_untrained_row_has_the_weights_of_the_settings(aegis, corridor):
    aegis("-C", corridor, "-q", "data", "collect", "--task", "corridor", "--teacher", "guide",
          "--episodes", "40")  # fmt: skip
    trained = aegis("-C", corridor, "train", "--task", "corridor", "--json")
    assert trained.code == 0, trained.err
    assert aegis("-C", corridor, "checkpoints", "promote", "latest").code == 0
    said = aegis("-C", corridor, "compare", "tally", "--task", "corridor", *SHORT, "--json")
    rows = {row["name"]: row for row in said.json["rows"]}
    assert rows["tally@untrained"]["checkpoint"] is None
    assert rows["tally@untrained"]["kind"] == "baseline"
    (own,) = [row for row in said.json["rows"] if row["kind"] == "profile"]
    assert own["checkpoint"] == trained.json["checkpoint"]
    assert own["experience"]["episodes"] == 40
    assert "tally@untrained" not in {pair["a"] for pair in said.json["pairs"]}


def test_ctrl_c_ends_cleanly_and_the_same_command_goes_on(corridor):
    program = "import sys; from aegis.cli.main import main; main(sys.argv[1:])"
    words = [sys.executable, "-c", program, "-C", str(corridor), "eval", "--task", "corridor"]
    words += ["--episodes", "20000", "--jobs", "2", "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    kept = corridor / "data" / "run" / "evaluations"
    end = time.monotonic() + 60
    while time.monotonic() < end and not list(kept.rglob("episodes.txt")):
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "what was played is kept" in err
    assert "goes on where it stopped" in err
    assert "Traceback" not in err
    assert not psutil.wait_procs(children, timeout=10)[1]
    (file,) = kept.rglob("episodes.txt")
    played = file.read_bytes().count(b'{"seed"')
    assert 0 < played < 20000
    from aegis.evaluation.episode import EpisodeFile

    assert len(EpisodeFile(file).read()) == played
