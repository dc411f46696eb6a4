"""A third party's distribution, installed by pip, with all five kinds, a command and an event."""

import math
import subprocess
import sys
import time

import pytest

import aegis
from aegis.config.config import load
from aegis.config.source import read
from aegis.contracts.check import check
from aegis.contracts.component import KINDS
from aegis.host.building import build, build_engine
from aegis.host.composition import compose
from aegis.host.interface import actions
from aegis.host.manager import Host

TOML = """
profile = "short"
plugins.enabled = ["length>=1.4,<2"]
[profiles.short]
engine = "length"
environment = "pick-a-word"
phases.imitate = "length"
[engine.length]
weight = 0.5
"""


@pytest.fixture
def composition(third_party, tmp_path, monkeypatch, fresh_modules):
    monkeypatch.syspath_prepend(str(third_party))
    (tmp_path / "aegis.toml").write_text(TOML, "utf-8")
    source = read(tmp_path / "aegis.toml", environ={})
    host = Host.load(source.enabled, source.project, builtins=())
    return compose(host, load(source, [one.component for one in host.components()]))


@pytest.fixture
def runtime(tmp_path):
    return aegis.Runtime(project=tmp_path, data=tmp_path)


def test_its_distribution_and_version_are_known_and_all_kinds_are_there(composition):
    host = composition.host
    (plugin,) = host.plugins
    assert (plugin.name, plugin.distribution, plugin.version) == ("length", "acme-length", "1.4.2")
    assert {provided.component.kind for provided in host.components()} == set(KINDS)
    assert [provided.command.name for provided in host.commands()] == ["length"]


def test_it_passes_the_contract_check(composition):
    report = check(composition)
    assert report.ok
    assert report.unverified == ()


def test_its_engine_scores_with_the_configured_weight(composition, runtime):
    engine = build_engine(composition, runtime)
    long, short = aegis.Action("x", {"a": "four"}), aegis.Action("x", {"a": "no"})
    scores = engine.score(aegis.View(goal="g"), [long, short])
    assert scores[0] - scores[1] == pytest.approx(0.5 * (len("four") - len("no")))
    assert sum(math.exp(score) for score in scores) == pytest.approx(1)


def test_its_tool_is_a_function_of_its_module(composition, runtime):
    (chosen,) = composition.tools
    tool = build(chosen, runtime)
    (action,) = actions(tool, aegis.View(goal="first second"), chosen.plugin)
    context = aegis.ToolContext(key="k", deadline=time.monotonic() + 9, cache=runtime.data)
    (document,) = tool.call(action.arguments, context).documents
    assert document.text == "second first"


def test_its_trainer_learns_what_its_environment_pays(composition, runtime, tmp_path):
    engine = build_engine(composition, runtime)
    environment = build(composition.environment, runtime)
    steps = [_longest(environment, seed) for seed in range(8)]
    directory, state = tmp_path / "checkpoint", tmp_path / "state"
    directory.mkdir()
    state.mkdir()
    context = aegis.TrainingContext(
        seed=0, directory=directory, state=state, resume_from=None,
        deadline=time.monotonic() + 60, should_stop=lambda: False,
        report=lambda metrics: None, validation=[],
    )  # fmt: skip
    trainer = build(composition.trainers["imitate"], runtime)
    result = trainer.train(engine, steps, context)
    assert result.examples == 8
    served = build_engine(
        composition, aegis.Runtime(project=tmp_path, data=tmp_path, checkpoint=result.directory)
    )
    assert served.weight == 1.0


def _longest(environment, seed):
    """One step of a teacher that picks the longest word."""
    view = environment.reset(seed)
    candidates = tuple(environment.candidates(view))
    chosen = max(range(3), key=lambda index: len(candidates[index].arguments["word"]))
    result = environment.step(candidates[chosen])
    assert result.reward == max(len(action.arguments["word"]) for action in candidates)
    uniform = (-math.log(3),) * 3
    decision = aegis.Decision(candidates, chosen, uniform, uniform, candidates[chosen])
    return aegis.Experience(
        step=seed + 1, run="r", episode=seed, index=1, environment="pick-a-word", origin="teacher",
        seed=seed, generator="1", key=str(seed), started="2026-01-01T00:00:00Z", view=view,
        decision=decision, outcome=result.outcome, reward=result.reward, done=True,
    )  # fmt: skip


def test_it_hears_of_events(composition):
    composition.host.events.run_finished("r7", 12, "steps")
    assert sys.modules["acme_length.plugin"].FINISHED["r7"] == 12


def test_loading_it_imports_only_its_entry_point(third_party, tmp_path):
    program = f"""
import sys
sys.path.insert(0, {str(third_party)!r})
from pathlib import Path
from aegis.host.manager import Host
host = Host.load(["length"], Path({str(tmp_path)!r}))
print(*sorted(name for name in sys.modules if name.startswith("acme_length")))
print(*sorted({{"numpy", "torch", "click", "rich", "sqlalchemy", "packaging"}} & set(sys.modules)))
"""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "acme_length acme_length.plugin\n\n"
