from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from attrs import fields

from aegis.checkpoints.folder import Checkpoints
from aegis.checkpoints.manifest import Draft


@pytest.fixture
def trained(aegis, trainable):
    """A project with three candidates; identifiers, oldest first."""
    found = []
    for epochs in (1, 2, 4):
        said = aegis("-C", trainable, "train", "--epochs", epochs, "--no-judge", "--json")
        assert said.code == 0, said.err
        found.append(said.json["checkpoint"])
    return found


def listed(aegis, folder):
    return {
        row["checkpoint"]: row
        for row in aegis("-C", folder, "checkpoints", "list", "--json").json["checkpoints"]
    }


def test_an_empty_list_says_how_to_fill_it(aegis, project):
    said = aegis("-C", project, "checkpoints", "list")
    assert said.code == 0
    assert "aegis train" in said.out
    assert not (project / "data" / "run").exists(), "looking writes nothing"


def test_candidates_serve_and_have_served(aegis, trainable, trained):
    one, two, three = trained
    for name in (one, three):
        assert aegis("-C", trainable, "checkpoints", "promote", name).code == 0
    rows = listed(aegis, trainable)
    assert list(rows) == trained
    assert [row["status"] for row in rows.values()] == ["served before", "candidate", "serving"]
    assert rows[three]["profiles"] == ["tally"]
    assert rows[one]["examples"] > 50 and rows[one]["held_out_loss"] > 0
    text = aegis("-C", trainable, "checkpoints", "list").out.splitlines()
    assert text[0].split()[0] == "checkpoint"
    assert [line.split()[0] for line in text[1:]] == trained
    assert text[-1].endswith("serving (tally)")
    assert two not in text[-1]


def test_promote_run_and_rollback(aegis, trainable, trained):
    aegis_here = lambda *words: aegis("-C", trainable, *words)  # noqa: E731 - one folder
    said = aegis_here("checkpoints", "promote", trained[0][:8], "--json")
    assert said.code == 0
    assert (said.json["checkpoint"], said.json["changed"], said.json["step"]) == (
        trained[0],
        True,
        121,
    )
    assert aegis_here("checkpoints", "promote", trained[0], "--json").json["changed"] is False
    assert aegis_here("run", "--steps", 3, "--json").json["checkpoint"] == trained[0]
    assert aegis_here("status", "--json").json["checkpoint"] == trained[0]
    assert f"checkpoint {trained[0]} (profile tally)" in aegis_here("status").out
    check = aegis_here("check")
    assert check.code == 0 and f"checkpoint {trained[0]}" in check.out
    assert aegis_here("log", "--step", 122, "--json").json["checkpoint"] == trained[0]
    said = aegis_here("checkpoints", "rollback")
    assert said.code == 0 and "the configured weights decide for profile" in said.out
    assert aegis_here("run", "--steps", 1, "--json").json["checkpoint"] is None
    said = aegis_here("checkpoints", "rollback")
    assert said.code == 2 and "error[nothing-before]" in said.err


def test_latest_is_the_newest(aegis, trainable, trained):
    said = aegis("-C", trainable, "checkpoints", "promote", "latest", "--json")
    assert said.json["checkpoint"] == trained[-1]
    listed = aegis("-C", trainable, "checkpoints", "list", "--json").json["checkpoints"]
    assert [row["trained_for"] for row in listed] == [["tally"]] * len(trained)
    assert "trained for" in aegis("-C", trainable, "checkpoints", "list").out
    other = aegis("-C", trainable, "checkpoints", "promote", "latest", "--profile", "random")
    assert "no checkpoint was trained for profile 'random'" in other.err


def test_show_tells_the_whole_provenance(aegis, trainable, trained):
    aegis("-C", trainable, "checkpoints", "promote", trained[0])
    said = aegis("-C", trainable, "checkpoints", "show", trained[0])
    manifest = json.loads(
        (trainable / "data" / "run" / "checkpoints" / trained[0] / "manifest.json").read_text()
    )
    for text in (
        manifest["dataset"]["train"], manifest["dataset"]["digest"], "tally (local file)",
        manifest["files"]["tally.json"]["sha256"], "the configured weights", "trainer.config.epochs",
        "learning curve", "profile tally",
    ):  # fmt: skip
        assert text in said.out
    shown = aegis("-C", trainable, "checkpoints", "show", trained[0], "--json").json
    assert shown["dataset"] == manifest["dataset"]
    assert shown["facts"]["curve"]
    assert shown["promotions"][0]["checkpoint"] == trained[0]


def test_what_a_manifest_says_cannot_move_the_cursor(aegis, trainable, trained, tmp_path):
    store = Checkpoints(trainable / "data" / "run")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "tally.json").write_text("{}")
    said = {a.name: getattr(store.manifest(trained[0]), a.name) for a in fields(Draft)}
    said["dataset"] = {"digest": "\x1b[2Jgone", "note\x1b]0;x": 1}
    shown = aegis(
        "-C", trainable, "checkpoints", "show", store.add(tmp_path / "new", Draft(**said))
    )
    assert shown.code == 0
    assert "gone" in shown.out
    assert "\x1b" not in shown.out


def test_diff_puts_two_side_by_side(aegis, trainable, trained):
    said = aegis("-C", trainable, "checkpoints", "diff", trained[0], trained[2])
    assert said.code == 0
    assert "config.trainer.config.epochs  1  4" in said.out
    found = aegis("-C", trainable, "checkpoints", "diff", trained[0], trained[2], "--json").json
    assert {"name": "config.trainer.config.epochs", "a": 1, "b": 4} in found["settings"]
    assert found["rows"]["train"]["added_count"] == 0
    assert found["tensors"] == []


def test_prune_asks_and_keeps_what_decides(aegis, trainable, trained, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    one, two, three = trained
    for name in (two, one):
        aegis("-C", trainable, "checkpoints", "promote", name)
    prune = ("-C", trainable, "checkpoints", "prune", "--promotions", 0, "--candidates", 0)
    said = aegis(*prune)
    assert said.code == 1
    assert f"stays  {one}" in said.out and f"goes   {two}" in said.out
    assert list(listed(aegis, trainable)) == trained
    said = aegis(*prune, "--yes", "--json")
    assert said.code == 0
    assert said.json["removed"] == [two, three]
    assert said.json["bytes"] > 0
    assert list(listed(aegis, trainable)) == [one]
    assert "nothing is old enough" in aegis(*prune, "--yes").out
    assert aegis("-C", trainable, "run", "--steps", 1, "--json").json["checkpoint"] == one


@pytest.mark.parametrize("verb", ["show", "promote", "diff"])
@pytest.mark.parametrize("name", ["zzz", "../../etc/passwd", "/", "", "a b", "x\x1b[2J"])
def test_names_of_no_checkpoint_are_refused(aegis, trainable, verb, name):
    said = aegis("-C", trainable, "checkpoints", verb, name, *([name] if verb == "diff" else []))
    assert said.code == 2
    assert "error[checkpoint-unknown]" in said.err
    assert "Traceback" not in said.err and "\x1b" not in said.err


def test_a_damaged_one_is_named_everywhere_and_never_served(aegis, trainable, trained):
    one, two, _ = trained
    for name in (one, two):
        aegis("-C", trainable, "checkpoints", "promote", name)
    (trainable / "data" / "run" / "checkpoints" / two / "tally.json").write_text("{}")
    said = aegis("-C", trainable, "run", "--steps", 1)
    assert said.code == 2
    assert "error[checkpoint-damaged]" in said.err and "tally.json" in said.err
    assert f"aegis checkpoints rollback (goes back to checkpoint {one}" in said.err
    doctor = aegis("-C", trainable, "doctor", "--json")
    assert doctor.code == 1
    messages = [f["message"] for f in doctor.json["findings"] if f["level"] == "error"]
    assert any(two in text and "tally.json" in text for text in messages)
    assert any(one in text and "last good one" in text for text in messages)
    assert aegis("-C", trainable, "checkpoints", "promote", two).code == 0  # it decides already
    said = aegis("-C", trainable, "checkpoints", "rollback", "--json")
    assert said.json["checkpoint"] == one
    assert aegis("-C", trainable, "run", "--steps", 1, "--json").json["checkpoint"] == one
    (trainable / "data" / "run" / "checkpoints" / two / "manifest.json").write_text("{}")
    assert listed(aegis, trainable)[two]["status"] == "damaged"
    assert aegis("-C", trainable, "checkpoints", "promote", two).code == 2


def test_the_check_with_a_promoted_checkpoint_imports_nothing_heavy(aegis, trainable, trained):
    aegis("-C", trainable, "checkpoints", "promote", trained[0])
    (trainable / "tally.py").write_text(
        (trainable / "tally.py").read_text().replace("import numpy as np\n", "")
    )
    probe = (
        "import sys\nfrom aegis.cli.main import main\n"
        f"sys.argv = ['aegis', '-C', {str(trainable)!r}, 'check']\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end\n"
        "print(sorted({'numpy', 'sqlalchemy', 'alembic', 'torch', 'rich', 'filelock'} & {n.split('.')[0] for n in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert f"checkpoint {trained[0]}" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
