"""Every kind of skew between a checkpoint and what is installed now is named."""

from __future__ import annotations

import pytest
from attrs import evolve, frozen

from aegis.checkpoints.manifest import Draft, FileFacts, Manifest
from aegis.config.config import load
from aegis.config.source import read
from aegis.contracts.check import check, check_weights, verify_built
from aegis.contracts.facts import Stored
from aegis.errors import Problem
from aegis.host.composition import compose
from aegis.host.manager import Host

PLUGIN = """
import aegis

def make(kind, name, facts, **more):
    return aegis.Component(kind=kind, name=name, summary="A thing.", build=lambda c, p, r: None,
                           describe=lambda config: facts, **more)

@aegis.hookimpl
def aegis_engines():
    return [make("engine", "e", aegis.EngineCapabilities(kind="k", {engine}),
                 parts={{"tokenizer": aegis.Part("tokenizer")}})]

@aegis.hookimpl
def aegis_tokenizers():
    return [make("tokenizer", "t", aegis.TokenizerCapabilities(max_token_id=9, fingerprint="bb" * 8))]

@aegis.hookimpl
def aegis_environments():
    return [make("environment", "research", aegis.EnvironmentCapabilities())]
"""

SAID = {
    "component": "e", "kind": "k", "distribution": "local file", "version": "", "plugin_api": 1,
    "trainer": "t", "trainer_distribution": "x", "trainer_version": "1", "config": {},
    "tokenizer_fingerprint": "aa" * 8, "parent": None, "needs": {}, "dataset": {"examples": 812},
    "metrics": {}, "seed": 0, "files": {"a.json": FileFacts("0" * 64, 1)},
}  # fmt: skip
OWN = 'tokenizer_fingerprint="aa" * 8'


@pytest.fixture
def composed(tmp_path):
    def make(engine=OWN, profile=""):
        (tmp_path / "things.py").write_text(PLUGIN.format(engine=engine))
        file = tmp_path / "aegis.toml"
        head = 'profile = "p"\nplugins.enabled = ["things.py"]\n[profiles.p]\nengine = "e"\n'
        file.write_text(head + profile)
        source = read(file, environ={})
        host = Host.load(source.enabled, source.project, builtins=())
        return compose(host, load(source, [one.component for one in host.components()]))

    return make


def stored(**changes):
    return Stored("0" * 16, 1, Manifest(**{**SAID, **changes}), fix="go back")


def codes(report):
    return [problem.code for problem in report.problems]


def test_a_checkpoint_of_this_engine_passes_and_is_shown(composed):
    report = check(composed(), stored())
    assert report.problems == ()
    lines = [str(fact) for fact in report.facts]
    assert lines[0].startswith('engine "e"')
    assert lines[1] == f"  checkpoint {'0' * 16} (local file): made by t from 812 examples"


def test_without_a_checkpoint_nothing_of_it_is_said(composed):
    report = check(composed())
    assert report.problems == ()
    assert not any("checkpoint" in str(fact) for fact in report.facts)


SKEWS = [
    ({"component": "other"}, "checkpoint-engine"),
    ({"distribution": "aegis-other", "version": "1.0"}, "checkpoint-version"),
    ({"version": "1.0"}, "checkpoint-version"),
    ({"plugin_api": 2}, "checkpoint-version"),
    ({"tokenizer_fingerprint": "cc" * 8}, "checkpoint-tokenizer"),
]


@pytest.mark.parametrize(("changes", "code"), SKEWS, ids=[next(iter(c)) for c, _ in SKEWS])
def test_a_skew_is_named_with_what_to_do(composed, changes, code):
    composition = composed()
    for report in (
        check(composition, stored(**changes)),
        check_weights(composition, stored(**changes)),
    ):
        (problem,) = report.problems
        assert problem.code == code
        assert "0" * 16 in problem.message
        assert problem.fix == "go back"
        assert "aegis.toml" in problem.where


def test_all_skews_are_told_at_once(composed):
    report = check(composed(), stored(version="3", plugin_api=2, tokenizer_fingerprint="cc"))
    assert codes(report) == ["checkpoint-version"] * 2 + ["checkpoint-tokenizer"]


@pytest.mark.parametrize(
    ("made", "installed", "belongs"),
    [
        ("0.1.0", "0.1.0", True), ("0.1.0", "0.1.9", True), ("0.1.0", "0.1.1.dev3", True),
        ("0.1.0", "0.2.0", False), ("0.1.0", "1.1.0", False), ("1.10.0", "1.1.0", False),
        ("0.1", "0.1.7", True), ("", "", True), ("", "0.1.0", False), ("dev", "dev", True),
        ("dev", "main", False),
    ],
)  # fmt: skip
def test_versions_of_one_series_belong_together(composed, made, installed, belongs):
    composition = composed()
    plugin = evolve(composition.engine.plugin, distribution="aegis-x", version=installed)
    engine = evolve(composition.engine, provided=evolve(composition.engine.provided, plugin=plugin))
    composition = evolve(composition, engine=engine)
    report = check(composition, stored(distribution="aegis-x", version=made))
    assert codes(report) == ([] if belongs else ["checkpoint-version"])


def test_a_chosen_tokenizer_must_be_the_trained_one(composed):
    composition = composed("writes_text=True", 'tokenizer = "t"\n')
    assert codes(check(composition, stored(tokenizer_fingerprint="bb" * 8))) == []
    assert codes(check(composition, stored())) == ["checkpoint-tokenizer"]


@frozen
class Sized:
    """Settings of a tokenizer."""

    size: int = 9
    note: str | None = None


@pytest.mark.parametrize(
    ("made", "fix"),
    [
        ({"name": "t", "config": {"size": 2, "note": None}}, "set [tokenizer.t].size = 2"),
        ({"name": "t", "config": {"size": 9, "note": None, "gone": 5}}, None),
        (
            {"name": "t", "config": {"size": 2, "note": "x", "gone": 5}},
            'set [tokenizer.t].size = 2 and set [tokenizer.t].note = "x"',
        ),
        ({"name": "u", "config": {"size": 2}}, 'use tokenizer "u"'),
        ({"name": "u\x1b[2J"}, r'use tokenizer "u\u001b[2J"'),
        ({}, None),
        ("t", None),
        ({"name": "t", "config": [2]}, None),
    ],
    ids=str,
)
def test_what_was_changed_of_its_tokenizer_is_named(composed, made, fix):
    composition = composed("writes_text=True", 'tokenizer = "t"\n')
    part = evolve(composition.engine.parts["tokenizer"], config=Sized())
    engine = evolve(composition.engine, parts={"tokenizer": part})
    config = {"engine": {"config": {"embedding_rows": 7}, "parts": {"tokenizer": made}}}
    (problem,) = check(evolve(composition, engine=engine), stored(config=config)).problems

    assert problem.code == "checkpoint-tokenizer"
    assert problem.fix == ("go back" if fix is None else f"{fix}, and it decides again; or go back")


@pytest.mark.parametrize("config", [{"engine": None}, {"engine": {"parts": [1]}}])
def test_a_manifest_that_tells_nothing_of_its_tokenizer_names_the_way_back(composed, config):
    composition = composed("writes_text=True", 'tokenizer = "t"\n')
    (problem,) = check(composition, stored(config=config)).problems

    assert (problem.code, problem.fix) == ("checkpoint-tokenizer", "go back")


def test_a_fingerprint_that_is_not_known_yet_is_unverified_and_checked_after_the_build(composed):
    composition = composed('unverified=("tokenizer_fingerprint",)')
    report = check(composition, stored())
    assert report.ok
    assert any("tokenizer_fingerprint is unknown" in line for line in report.unverified)

    class Built:
        capabilities = None

    import aegis

    Built.capabilities = aegis.EngineCapabilities(kind="k", tokenizer_fingerprint="cc" * 8)
    built = verify_built(composition, {"engine": Built()}, stored())
    assert codes(built) == ["checkpoint-tokenizer"]


def test_what_cannot_be_read_is_a_problem_of_the_check(composed):
    problem = Problem(
        "checkpoint-damaged", "manifest.json is not what was stored", "there", "go back"
    )
    report = check(composed(), Stored("0" * 16, 1, problems=(problem,)))
    assert report.problems == (problem,)


def test_a_draft_has_everything_of_a_manifest_but_its_files():
    from attrs import fields

    assert {f.name for f in fields(Manifest)} - {f.name for f in fields(Draft)} == {"files"}
