"""A small model from the command line: made, trained whole, promoted, checked, trained on."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from attrs import evolve

import aegis
from aegis.contracts.view import View

TOML = """\
profile = "small"

[plugins]
enabled = ["gpt2-lora"]

[profiles.small]
engine = "gpt2"
phases.imitate = "gpt2-full"

[engine.gpt2]
model = "./small"

[agent.view]
characters = 300
candidate_characters = 40

[trainer.gpt2-full]
objective = "imitate"
epochs = 12
batch_size = 8
"""
COLOURS = {"red": 0, "green": 1, "blue": 2, "grey": 3}
CANDIDATES = tuple(aegis.Action(move) for move in ("left", "right", "forward", "done"))


@pytest.fixture
def project(tmp_path, step):
    """A project, and demonstrations in which the colour of the goal decides."""
    from aegis.learning.exchange_jsonl import header, line
    from aegis.store.runs import EpisodeRow, RunRow

    run = RunRow("run", "small", 0, "2026-01-01T00:00:00+00:00")
    lines = [header(120)]
    for number in range(1, 121):
        colour = list(COLOURS)[number * 7 % 4]
        view = View(
            goal=f"go to the {colour} ball", step=number % 5 + 1, observation=(f"last {number}",)
        )
        told = evolve(
            step(view, CANDIDATES, COLOURS[colour], number=number),
            step=number,
            episode=number,
            environment="walk",
        )
        episode = EpisodeRow(number, "run", "walk", 0, view.goal, "teacher", number)
        lines.append(line(told, run.started, run if number == 1 else None, episode))
    (tmp_path / "walks.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "aegis.toml").write_text(TOML)
    return tmp_path


def said(project, *words):
    """Return what a command says in JSON."""
    program = "from aegis.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *words, "--json"],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_it_is_made_trained_promoted_checked_and_trained_on(project, engine_of):
    made = said(project, "model", "new", "./small", "--data", "walks.jsonl", "--layers", "2",
                "--width", "32", "--context", "192", "--seed", "5")  # fmt: skip
    assert made["split_words"] == []

    first = said(project, "train", "--data", "walks.jsonl", "--no-judge", "--seed", "1")
    said(project, "checkpoints", "promote", "latest")
    assert said(project, "check")["ok"]
    second = said(project, "train", "--data", "walks.jsonl", "--no-judge", "--epochs", "1")

    folders = sorted((project / "data" / "run" / "checkpoints").glob("????????????????"))
    manifests = {f.name: json.loads((f / "manifest.json").read_text()) for f in folders}
    assert {first["checkpoint"], second["checkpoint"]} == manifests.keys()
    manifest = manifests[first["checkpoint"]]
    assert manifest["trainer"] == "gpt2-full"
    assert manifest["needs"] == {"tokenizer": manifest["tokenizer_fingerprint"]}
    assert sorted(manifest["files"]) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert manifests[second["checkpoint"]]["parent"] == first["checkpoint"]
    assert manifest["metrics"]["held_out_accuracy"] == 1
    before = manifests[second["checkpoint"]]["metrics"]["held_out_loss_before"]
    assert before == pytest.approx(manifest["metrics"]["held_out_loss"], abs=1e-5)

    engine = engine_of(
        project / "small", checkpoint=project / "data/run/checkpoints" / first["checkpoint"]
    )
    for colour, best in COLOURS.items():
        view = View(goal=f"go to the {colour} ball", step=2, observation=("last 31",))
        assert engine.score(view, CANDIDATES).argmax() == best
