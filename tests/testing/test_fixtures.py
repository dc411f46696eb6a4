"""What authors get for tests of their own."""

from __future__ import annotations

import json
import urllib.request

import numpy as np
import pytest

from aegis.errors import AegisError
from aegis.testing import Reply, toy_candidates, toy_views


def test_a_temporary_project_runs_an_agent_at_the_time_of_the_clock(aegis_project, aegis_clock):
    aegis_clock.advance(60)
    with aegis_project().open(clock=aegis_clock) as agent:
        steps = list(agent.run(4))

    assert {step.started for step in steps} == {"2026-01-01T00:17:40.000000+00:00"}
    assert {step.decision.engine for step in steps} == {"rules"}
    assert steps[0].outcome.gained > 0


def test_projects_do_not_know_of_each_other(aegis_project):
    first, second = aegis_project(), aegis_project('[profiles.mine]\nengine = "random"\n')

    assert first.folder != second.folder
    assert "mine" in second.load().config.profile_names
    assert "mine" not in first.load().config.profile_names


def test_a_project_refuses_what_a_person_would_be_refused(aegis_project):
    with pytest.raises(AegisError, match="unknown key"):
        aegis_project("[profiles.mine]\nengin = 'random'\n").load()


def test_the_tiny_engine_plays_any_kind_and_is_built_again_from_what_it_saved(
    aegis_engine, tmp_path
):
    engine = aegis_engine("hrm", seed=3)
    engine.save(tmp_path)
    again = aegis_engine("hrm", checkpoint=tmp_path)
    view, candidates = toy_views()["usual"], toy_candidates(5)

    assert engine.capabilities.kind == "hrm"
    np.testing.assert_array_equal(engine.score(view, candidates), again.score(view, candidates))
    assert np.abs(engine.score(view, candidates) - aegis_engine().score(view, candidates)).max() > 0


def test_the_toy_experience_teaches_one_thing(aegis_experience):
    """Each tool is chosen equally often; one pays; returns are the sums to the episode's end."""
    tools = [step.decision.action.tool for step in aegis_experience]

    assert {tool: tools.count(tool) for tool in set(tools)} == {"take": 16, "leave": 16, "wait": 16}
    for step, value, advantage in zip(
        aegis_experience, aegis_experience.returns, aegis_experience.advantages, strict=True
    ):
        assert step.reward == float(step.decision.action.tool == "take")
        assert (advantage > 0) == (step.reward == 1.0)
        following = aegis_experience[step.step].reward if step.index == 1 else 0.0
        assert value == step.reward + following
    orders = {tuple(a.tool for a in step.decision.candidates) for step in aegis_experience}
    assert len(orders) == 6


def test_the_server_says_what_it_is_told_and_notes_what_it_was_asked(aegis_server):
    server = aegis_server([Reply(b'{"n": 1}'), Reply(status=204)], path="/v1")
    request = urllib.request.Request(server.url, data=b"[1]", headers={"X-Key": "k"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as answer:
        assert json.load(answer) == {"n": 1}
        assert answer.headers["Content-Type"] == "application/json"
    with opener.open(f"{server.url}/models?limit=2") as answer:
        assert answer.status == 204

    first, second = server.asked
    assert (first.method, first.path, first.body) == ("POST", "/v1", b"[1]")
    assert first.headers["x-key"] == "k"
    assert (second.method, second.path, second.query) == ("GET", "/v1/models", {"limit": "2"})


def test_every_fixture_is_documented(pytestconfig):
    from aegis.testing import fixtures

    names = [name for name in vars(fixtures) if name.startswith("aegis_")]
    assert sorted(names) == [
        "aegis_clock", "aegis_engine", "aegis_experience", "aegis_project", "aegis_server",
    ]  # fmt: skip
    assert all(getattr(fixtures, name).__doc__ for name in names)
