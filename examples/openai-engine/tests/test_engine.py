"""The engine against a real server on this machine, in both modes, and when things go wrong."""

from __future__ import annotations

import importlib.util
import logging
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("httpx2", reason="the example needs httpx2")

import aegis

PROFILE = """
[profiles.served]
engine = "openai-compatible"
[engine.openai-compatible]
base_url = "{url}"
"""
VIEW = aegis.View("Understand low-rank adaptation", step=2, limit=10, missing=("rank", "adapter"))
CANDIDATES = (
    aegis.Action("read", {"ref": "1"}, about="Low-rank adaptation of language models"),
    aegis.Action("wait"),
    aegis.Action("search_library", {"query": "größe 日本"}),
)
SPEC = importlib.util.spec_from_file_location(
    "openai_server", Path(__file__).with_name("server.py")
)
SERVER = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = SERVER
SPEC.loader.exec_module(SERVER)


@pytest.fixture
def server():
    with SERVER.running() as made:
        yield made


@pytest.fixture
def engine(server):
    """Build engines; they are closed with the test."""
    from aegis_example_openai.engine import OpenAIEngine
    from aegis_example_openai.plugin import Settings

    made = []

    def build(fault="", offline=True, **settings):
        server.fault = fault
        made.append(OpenAIEngine(Settings(**{"base_url": server.url, **settings}), offline=offline))
        return made[-1]

    yield build
    for one in made:
        one.close()


def refused(engine, *, code):
    with pytest.raises(aegis.AegisError) as raised:
        engine().score(VIEW, CANDIDATES)
    (problem,) = raised.value.problems
    assert problem.code == code and problem.fix
    assert "base_url" in problem.where
    return problem


def test_candidates_have_the_mean_log_probability_of_their_own_tokens(engine, server):
    scores = engine().score(VIEW, CANDIDATES)

    # The server gives a word minus its length with the space before it; the last candidate's
    # "größe" counts characters, not bytes.
    means = [-np.mean([len(f" {word}") for word in a.render().split()]) for a in CANDIDATES]
    assert scores == pytest.approx(np.array(means) - np.logaddexp.reduce(means))
    ((path, _, body),) = server.asked
    assert path == "/v1/completions"
    assert (body["model"], body["echo"], len(body["prompt"])) == ("default", True, 3)
    assert body["prompt"][1] == f"{VIEW.render()}\nnext: wait"


@pytest.mark.parametrize("fault", ["no-echo", "404", "no-logprobs", "no-format"])
def test_a_server_without_log_probabilities_is_asked_to_choose(engine, server, fault):
    if fault == "no-format":
        built = engine("no-format", mode="choice")
    elif fault == "404":
        built = engine("404")
        with pytest.raises(aegis.AegisError):
            built.score(VIEW, CANDIDATES)
        server.fault, server.asked[:] = "no-echo", []
    else:
        built = engine(fault)
    scores = built.score(VIEW, CANDIDATES)

    found = np.exp([-0.5, -2.0])
    share = 0.9 * np.array([0, *found]) / found.sum()  # "wait" is shortest, then the search
    assert np.exp(scores) == pytest.approx(share + 0.1 / 3, abs=1e-6)
    before = len(server.asked)
    built.score(VIEW, CANDIDATES)
    paths = {path for path, _, _ in server.asked[before:]}
    assert paths == {"/v1/chat/completions"}, "what a server lacks is not asked for again"


def test_a_choice_without_its_alternatives_is_smoothed(engine):
    scores = engine("no-top", mode="choice", smoothing=0.3).score(VIEW, CANDIDATES)
    assert np.exp(scores) == pytest.approx([0.1, 0.8, 0.1], abs=1e-6)


def test_the_form_of_a_choice_allows_the_labels_alone(engine, server):
    many = [aegis.Action("read", {"ref": str(n)}) for n in range(30)]
    built = engine("", mode="choice")
    for candidates in (many[:24], many):
        scores = built.score(VIEW, candidates)
        assert np.logaddexp.reduce(scores) == pytest.approx(0, abs=1e-9)
        schema = server.asked[-1][2]["response_format"]["json_schema"]["schema"]
        labels = schema["properties"]["choice"]["enum"]
        assert labels[0] == ("A" if len(candidates) <= 26 else "1")
        assert len(set(labels)) == len(candidates)


def test_batches_are_the_same_and_nothing_asks_nothing(engine, server):
    built = engine()
    (one,) = built.score_batch([(VIEW, CANDIDATES)])
    assert one == pytest.approx(built.score(VIEW, CANDIDATES))
    asked = len(server.asked)
    assert built.score(VIEW, ()).shape == (0,)
    assert len(server.asked) == asked


def test_log_probabilities_may_be_insisted_on(engine):
    refused(lambda: engine("no-logprobs", mode="logprobs"), code="openai-logprobs")


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("401", "openai-status-401", "api_key_env"),
        ("429", "openai-status-429", "wait 7 s"),
        ("500", "openai-status-500", "log"),
        ("hang", "openai-no-answer", "timeout"),
        ("garbage", "openai-no-answer", "timeout"),
        ("no-choice", "openai-choice", "model"),
    ],
)
@pytest.mark.parametrize("mode", ["auto", "choice"])
def test_what_goes_wrong_at_the_server_is_one_clear_error(engine, fault, code, said, mode):
    if fault == "no-choice" and mode == "auto":
        pytest.skip("it gives log-probabilities there")
    problem = refused(lambda: engine(fault, mode=mode, timeout=0.3), code=code)
    assert said in problem.fix


def test_a_server_that_is_not_there_is_one_clear_error(engine, server):
    server.server_close()
    refused(engine, code="openai-no-answer")


def test_the_key_is_sent_and_never_shown(engine, server, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("AEGIS_TEST_KEY", "sk-very-secret")
    built = engine(api_key_env="AEGIS_TEST_KEY")
    built.score(VIEW, CANDIDATES)
    assert server.asked[0][1]["Authorization"] == "Bearer sk-very-secret"
    server.fault = "401"  # this server repeats the key in what it says
    problem = refused(lambda: built, code="openai-status-401")
    assert "***" in problem.message
    for text in (*problem, repr(built), repr(vars(built)["_settings"]), caplog.text):
        assert "secret" not in text


def test_a_variable_without_a_key_is_said_before_anything_is_asked(engine, server):
    refused(lambda: engine(api_key_env="AEGIS_TEST_NO_SUCH_KEY"), code="openai-key")
    assert not server.asked


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/v1",
        "http://127.0.0.1.example.com/v1",
        "http://127.0.0.1:80@example.com/v1",
        "http://10.0.0.1/v1",
    ],
)
def test_offline_only_this_machine_is_asked(engine, url):
    refused(lambda: engine(base_url=url), code="openai-offline")
    engine(base_url=url, offline=False)


@pytest.mark.parametrize(
    "url", ["http://localhost:1/v1", "http://[::1]:1/v1", "http://127.9.9.9:1/"]
)
def test_offline_every_name_of_this_machine_will_do(engine, url):
    engine(base_url=url)


def test_proxies_are_not_asked_for_this_machine(engine, server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert engine().score(VIEW, CANDIDATES).shape == (3,)


def test_the_manifest_reads_no_network_and_saves_nothing(engine, tmp_path):
    from aegis_example_openai import plugin

    (component,) = plugin.aegis_engines()
    said = component.describe(component.config(base_url="http://192.0.2.1/v1"))
    assert (said.kind, said.writes_text, said.trainable) == ("openai-compatible", False, False)
    engine().save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_it_keeps_every_law_of_its_roles(aegis_project, server):
    plugin = str(Path(__file__).parents[1] / "src" / "aegis_example_openai" / "plugin.py")
    report = aegis_project(PROFILE.format(url=server.url), plugins=[plugin]).check(plugin)
    failed = [finding for finding in report.findings if finding.status in ("failed", "blocked")]
    assert not failed and report.findings
