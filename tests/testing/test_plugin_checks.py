"""The checks of a plugin as a whole and of profiles: each finds what is wrong, and only that."""

from __future__ import annotations

import sys

import pytest

from aegis.errors import InputError
from aegis.testing.projects import ToyProject

ENGINE = """
import numpy as np
import aegis

class Engine:
    capabilities = aegis.EngineCapabilities(kind="even", embedding_rows=ROWS, tokenizer_max_id=255)
    def score(self, view, candidates):
        if FAULT and view.goal.startswith("Understand low-rank") is False and "room" in view.goal:
            raise ZeroDivisionError("no way out of " + view.goal)
        return np.full(len(candidates), -np.log(len(candidates)))
    def score_batch(self, items):
        return [self.score(*item) for item in items]
    def save(self, directory):
        pass
    def close(self):
        pass

class Doors:
    def reset(self, seed):
        self.at = 1
        return self.view()
    def view(self):
        return aegis.View(goal="Leave the room", step=self.at, limit=3)
    def candidates(self, view):
        return [aegis.Action("left"), aegis.Action("right")]
    def step(self, action):
        self.at += 1
        return aegis.StepResult(self.view(), aegis.Outcome("ok"), 1.0, self.at > 3)

@aegis.hookimpl
def aegis_engines():
    return [aegis.Component(kind="engine", name="even", summary="Even.",
        build=lambda c, p, r: Engine(), describe=lambda c: Engine.capabilities)]

@aegis.hookimpl
def aegis_environments():
    return [aegis.Component(kind="environment", name="doors", summary="Doors.",
        build=lambda c, p, r: Doors(),
        describe=lambda c: aegis.EnvironmentCapabilities(seeded=False))]
"""
PROFILE = '[profiles.even]\nengine = "even"\nenvironment = "doors"\n'
SOUND = {"ROWS": "256", "FAULT": "False"}


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Put a distribution on the path: installed(source, requires, typed) returns its name."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    before = set(sys.modules)

    def write(source, requires="aegis-agents<0.2,>=0.1", *, typed=True):
        info = site / "acme_even-0.3.0.dist-info"
        info.mkdir()
        needs = f"Requires-Dist: {requires}\n" if requires else ""
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: acme-even\nVersion: 0.3.0\n{needs}"
        )
        (info / "entry_points.txt").write_text("[aegis]\neven = fixture_even.plugin\n")
        package = site / "fixture_even"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "plugin.py").write_text(f"plugin_api = 1\n{source}")
        if typed:
            (package / "py.typed").write_text("")
        return "even"

    yield write
    for name in set(sys.modules) - before:
        if name.startswith("fixture_"):
            del sys.modules[name]


def source(**changed):
    text = ENGINE
    for word, value in {**SOUND, **changed}.items():
        text = text.replace(word, value)
    return text


def report_of(tmp_path, plugin, **how):
    return ToyProject.make(tmp_path / "project", PROFILE, [plugin]).check(plugin, **how)


def test_a_sound_plugin_with_a_profile_passes_everything(tmp_path, installed):
    report = report_of(tmp_path, installed(source()))

    assert report.ok, report.failed
    assert {one.check for one in report.findings if one.status == "passed"} >= {
        "plugin-light", "plugin-hooks", "plugin-requires", "plugin-typed",
        "engine-normalised", "environment-ends", "composition-checked", "composition-runs",
    }  # fmt: skip
    assert report.plugin == "acme-even 0.3.0"


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("plugin-light", {"source": "import torch\n" + source()}),
        ("plugin-hooks", {"source": source() + "\n@aegis.hookimpl\ndef aegis_dreams(): pass\n"}),
        ("plugin-requires", {"source": source(), "requires": "aegis-agents>=0.1"}),
        ("plugin-requires", {"source": source(), "requires": ""}),
        ("plugin-typed", {"source": source(), "typed": False}),
        ("composition-checked", {"source": source(ROWS="10")}),
        ("composition-runs", {"source": source(FAULT="True")}),
    ],
)
def test_exactly_one_check_finds_what_is_wrong(tmp_path, installed, check, change):
    report = report_of(tmp_path, installed(**change))

    assert [one.check for one in report.failed] == [check], report.failed
    assert report.failed[0].fix


def test_a_waiver_needs_a_reason_and_the_report_shows_it(tmp_path, installed):
    plugin = installed(source(), typed=False)
    with pytest.raises(InputError, match="waived without a reason"):
        report_of(tmp_path / "a", plugin, waive={"plugin-typed": "no"})
    report = report_of(tmp_path / "b", plugin, waive={"plugin-typed": "types come in 0.4"})

    assert report.ok
    (waived,) = [one for one in report.findings if one.status == "waived"]
    assert waived.message == "types come in 0.4"


def test_a_waiver_may_name_the_component(tmp_path, installed):
    report = report_of(
        tmp_path, installed(source()), waive={"engine-saved:even": "it has nothing to save"}
    )

    assert [one.check for one in report.findings if one.status == "waived"] == ["engine-saved"]


@pytest.mark.parametrize("how", [{"only": ["engine-normal"]}, {"waive": {"engine-normal": "a b"}}])
def test_a_check_that_is_none_is_refused_with_the_nearest_one(tmp_path, installed, how):
    with pytest.raises(InputError, match='did you mean "engine-normalised"'):
        report_of(tmp_path, installed(source()), **how)


def test_one_check_brings_what_it_needs(tmp_path, installed):
    report = report_of(tmp_path, installed(source()), only=["engine-saved"])

    assert [one.check for one in report.findings] == [
        "engine-normalised", "engine-repeats", "engine-seeds", "engine-saved",
    ]  # fmt: skip


def test_what_a_component_raises_is_told_with_its_place(tmp_path, installed):
    raising = source().replace("return np.full", "raise KeyError('w_q')\n        return np.full")
    report = report_of(tmp_path, installed(raising))
    first = report.failed[0]

    assert first.check == "engine-normalised"
    assert "KeyError: 'w_q'" in first.message
    assert "plugin.py:" in first.where
    assert {one.status for one in report.findings if one.check == "engine-batch"} == {"blocked"}


def test_a_plugin_that_is_not_enabled_is_refused_with_the_nearest_one(tmp_path, installed):
    project = ToyProject.make(tmp_path / "project", PROFILE, [installed(source())])
    with pytest.raises(InputError, match='did you mean "even"') as caught:
        project.check("evn")

    assert caught.value.problems[0].fix.startswith("aegis plugins enable evn")
