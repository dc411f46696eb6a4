"""What `aegis log` and the lines of a run show of an engine's remarks."""

from __future__ import annotations

import sqlite3

import pytest

ENGINE = """
import numpy as np
import aegis

class Thinker:
    capabilities = aegis.EngineCapabilities(kind="thinker")
    asked = 0

    @property
    def remarks(self):
        return {1: {}, 2: {"segments": 3}, 3: {"segments": 4, "cut": 2, "gap": 0.125}}[self.asked]

    def score(self, view, candidates):
        self.asked += 1
        return np.full(len(candidates), -np.log(len(candidates)))

    def score_batch(self, items):
        return [self.score(*item) for item in items]

    def save(self, directory):
        pass

    def close(self):
        pass

@aegis.hookimpl
def aegis_engines():
    return [aegis.Component(kind="engine", name="thinker", summary="Thinks.",
        describe=lambda config: aegis.EngineCapabilities(kind="thinker"),
        build=lambda config, parts, runtime: Thinker())]
"""


@pytest.fixture
def thinker(project):
    """A project whose engine remarks nothing, one thing and three things about its decisions."""
    (project / "thinker.py").write_text(ENGINE)
    file = project / "aegis.toml"
    text = file.read_text().replace('enabled = ["', 'enabled = ["./thinker.py", "')
    assert "thinker.py" in text
    file.write_text(text + '\n[profiles.thinker]\nengine = "thinker"\n')
    return project


@pytest.fixture
def ran(aegis, thinker):
    """What three steps of it printed."""
    said = aegis("-C", thinker, "run", "--profile", "thinker", "--steps", 3)
    assert said.code == 0, said.err
    return said.out


def test_the_lines_of_a_run_show_remarks_in_short(ran):
    one, two, three = (line for line in ran.splitlines() if "% of" in line)
    assert "segments" not in one
    assert one.count("]") == 1
    assert ", segments 3]  " in two
    assert ", segments 4, cut 2, …]  " in three


def test_the_last_steps_show_remarks_in_short(aegis, thinker, ran):
    one, two, three = aegis("-C", thinker, "log").out.splitlines()
    assert "[" not in one
    assert two.endswith("  [segments 3]")
    assert three.endswith("  [segments 4, cut 2, …]")


def test_one_step_shows_its_remarks_whole_and_only_where_there_are_any(aegis, thinker, ran):
    assert "remarks" not in aegis("-C", thinker, "log", "--step", 1).out
    assert "\nremarks: segments 3\n" in aegis("-C", thinker, "log", "--step", 2).out
    said = aegis("-C", thinker, "log", "--step", 3).out
    assert "\nremarks: segments 4, cut 2, gap 0.125\n" in said


def test_the_object_has_the_remarks(aegis, thinker, ran):
    expected = [{}, {"segments": 3}, {"segments": 4, "cut": 2, "gap": 0.125}]
    steps = aegis("-C", thinker, "log", "--json").json["steps"]
    assert [step["remarks"] for step in steps] == expected
    assert aegis("-C", thinker, "log", "--step", 3, "--json").json["remarks"] == expected[2]


def test_a_changed_remark_is_found_by_the_doctor(aegis, thinker, ran):
    assert aegis("-C", thinker, "doctor").code == 0
    with sqlite3.connect(thinker / "data" / "run" / "ledger.sqlite") as database:
        database.execute("UPDATE steps SET remarks = '{\"segments\":1.0}' WHERE id = 2")
    database.close()
    said = aegis("-C", thinker, "doctor")
    assert said.code == 1
    assert "step 2 was changed" in said.out + said.err


@pytest.mark.parametrize("remarks", ['{"segments": float("nan")}', '{"segments": "3"}', "None"])
def test_remarks_that_are_none_name_the_plugin(aegis, thinker, remarks):
    file = thinker / "thinker.py"
    code = file.read_text()
    start, end = code.index("        return {1:"), code.index("    def score(")
    file.write_text(f"{code[:start]}        return {remarks}\n\n{code[end:]}")
    said = aegis("-C", thinker, "run", "--profile", "thinker", "--steps", 1)
    assert said.code == 2
    assert (
        'error[plugin-interface]: plugin "./thinker.py" (local file): engine "thinker"' in said.err
    )
    assert "correct the file" in said.err
    assert "Traceback" not in said.err
