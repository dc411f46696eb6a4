"""Each check has one plugin that exactly this check finds something wrong with."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.testing import all_checks
from aegis.testing.projects import ToyProject

BROKEN = Path(__file__).parent / "broken"
FILES = {
    "tokenizer": "tokenizers.py",
    "engine": "engines.py",
    "trainer": "trainers.py",
    "tool": "tools.py",
    "environment": "environments.py",
}
CHECKS = [one.name for one in all_checks() if one.kind in FILES]


def findings(tmp_path, monkeypatch, kind, name):
    monkeypatch.setenv("AEGIS_BROKEN", name)
    file = BROKEN / FILES[kind]
    project = ToyProject.make(tmp_path / "project", plugins=[str(file)])
    return project.check(str(file)).findings


@pytest.mark.parametrize("kind", FILES)
def test_a_sound_component_passes_every_check_of_its_kind(tmp_path, monkeypatch, kind):
    found = findings(tmp_path, monkeypatch, kind, "sound")
    assert not [one for one in found if one.status == "failed"]
    found = [one for one in found if one.check.startswith(f"{kind}-")]

    assert {one.check: one.status for one in found} == {
        name: "passed" for name in CHECKS if name.startswith(f"{kind}-")
    }, [(one.check, one.message) for one in found if one.status != "passed"]


@pytest.mark.parametrize("name", CHECKS)
def test_exactly_one_check_finds_what_is_wrong(tmp_path, monkeypatch, name):
    if name == "tool-quick":  # every other check waits for the slow tool as well
        monkeypatch.setattr("aegis.testing.suites.tool._QUICK", 0.05)
    found = findings(tmp_path, monkeypatch, name.partition("-")[0], name)
    failed = [one for one in found if one.status == "failed"]

    assert [one.check for one in failed] == [name], [(one.check, one.message) for one in failed]
    assert failed[0].message
    assert failed[0].cause
    assert failed[0].fix
