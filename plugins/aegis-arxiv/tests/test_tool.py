from __future__ import annotations

import sqlite3
import time

import pytest

from aegis import Recent, View
from aegis_arxiv.loopback import Paper, Reply, feed, library, serve
from aegis_arxiv.settings import ArxivSettings
from aegis_arxiv.tool import SearchArxiv

VIEW = View("Understand low-rank adaptation")


def test_papers_are_found(build, call, papers):
    with serve(library(papers)) as server:
        result = call(build(server.url), query="low-rank adaptation")
    assert result.status == "ok"
    assert result.message == "1 of 1 papers, page 1"
    assert result.retry_after == 3.0
    (paper,) = result.documents
    assert (paper.source, paper.identifier, paper.version) == ("arxiv", "2106.09685", 2)
    assert paper.references == ("1902.00751",)


def test_a_question_that_finds_nothing_is_answered(build, call, papers):
    with serve(library(papers)) as server:
        result = call(build(server.url), query="quantum gravity")
    assert (result.status, result.message) == ("empty", "no papers")


def test_a_page_after_the_last_is_empty_and_says_so(build, call, papers):
    with serve(library(papers)) as server:
        result = call(build(server.url, results=1), query="low", page=9)
    assert (result.status, result.message) == ("empty", "no papers after the first 2")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"query": "low", "categories": ["math.*"]}, ["math/0309136"]),
        ({"query": "low", "categories": ["cs.LG", "cs.CL"]}, ["2106.09685"]),
        ({"query": "a", "since": "2021-06-17", "until": "2021-06-17"}, ["2106.09685"]),
        ({"query": "a", "until": "2019-02-02"}, ["1902.00751", "math/0309136"]),
        ({"query": "hu", "field": "au"}, ["2106.09685"]),
        ({"ids": ["math.GT/0309136", "arXiv:2106.09685v2"]}, ["2106.09685", "math/0309136"]),
        ({"ids": ["1902.00751", "2106.09685"], "query": "adapter"}, ["1902.00751"]),
    ],
)
def test_fields_categories_dates_and_identifiers(build, call, papers, arguments, found):
    with serve(library(papers)) as server:
        result = call(build(server.url), **arguments)
    assert result.status == "ok", result.message
    assert [paper.identifier for paper in result.documents] == found


def test_a_withdrawn_paper_is_marked(build, call, papers):
    with serve(library(papers)) as server:
        (paper,) = call(build(server.url), ids=["math/0309136"]).documents
    assert paper.withdrawn


def test_a_name_that_is_missing_is_told(build, call, papers):
    with serve(library(papers)) as server:
        result = call(build(server.url), ids=["2106.09685", "2106.00000", "2106.09685v1"])
    assert result.status == "partial"
    assert result.message == "not found: 2106.00000, 2106.09685v1"
    assert len(result.documents) == 1


def test_names_that_are_all_missing_are_empty_and_kept(build, call, clock, papers):
    with serve(library(papers)) as server:
        tool = build(server.url)
        result = call(tool, ids=["2106.00000"])
        assert (result.status, result.message) == ("empty", "not found: 2106.00000")
        assert call(tool, ids=["2106.00000"]).status == "empty"
    assert len(server.asked) == 1


def test_two_versions_of_a_paper_are_one_document(build, call):
    versions = [Paper("2106.09685", "LoRA", version=version).entry() for version in (1, 2)]
    with serve([Reply(feed(versions))]) as server:
        result = call(build(server.url), ids=["2106.09685v1", "2106.09685v2"])
    assert result.status == "ok"
    assert [paper.version for paper in result.documents] == [2]


def test_a_known_answer_needs_no_request_and_no_wait(build, call, papers):
    with serve(library(papers)) as server:
        tool = build(server.url)
        first = call(tool, query="low-rank adaptation")
        again = call(tool, query="Adaptation, the LOW-RANK one", page=1)
        second = call(tool, query="low-rank adaptation")
        assert again.status == "denied"  # another order of words is another question
        assert call(build(server.url), query="Low-rank adaptation", offline=True) == second
    assert second.documents == first.documents
    assert (second.status, second.message, second.retry_after) == (first.status, first.message, 0.0)
    assert len(server.asked) == 1


def test_a_partial_answer_is_not_kept(build, call, clock, papers):
    half = Reply(feed([papers[0].entry()], total=2))
    with serve([half, Reply(feed([paper.entry() for paper in papers[:2]]))]) as server:
        tool = build(server.url)
        assert call(tool, query="x").status == "partial"
        clock.advance(3.0)
        assert call(tool, query="x").status == "ok"


def test_a_call_that_comes_too_early_is_denied_and_not_sent(build, call, clock, papers):
    with serve(library(papers)) as server:
        tool = build(server.url)
        call(tool, query="one")
        clock.advance(1.0)
        early = call(tool, query="two")
        assert (early.status, early.retry_after) == ("denied", pytest.approx(2.0))
        assert early.message == "waits for arXiv's limit of one request in 3 s"
        assert not early.unreachable
        assert len(server.asked) == 1
        clock.advance(2.0)
        assert call(tool, query="two").status == "empty"


def test_nothing_waits(build, call, papers, monkeypatch: pytest.MonkeyPatch):
    def slept(_: float) -> None:
        raise AssertionError("a call waits")

    with serve(library(papers)) as server:
        tool = build(server.url)
        monkeypatch.setattr(time, "sleep", slept)
        assert [call(tool, query=f"q{n}").status for n in range(3)] == ["empty", "denied", "denied"]


def test_questions_are_offered_when_arxiv_may_be_asked(build, call, clock, papers):
    with serve(library(papers)) as server:
        agent, worker = build(server.url), build(server.url)
        assert len(list(agent.candidates(VIEW))) == 2
        call(worker, query="low-rank adaptation")
        assert list(agent.candidates(VIEW)) == []
        clock.advance(2.9)
        assert list(agent.candidates(VIEW)) == []
        clock.advance(0.1)
        assert [action.arguments for action in agent.candidates(VIEW)] == [
            {"query": "low-rank adaptation"},
            {},
        ]


def test_the_next_page_is_offered(build, call, clock):
    many = [Paper(f"2106.{n:05d}", f"Low-rank adaptation {n}") for n in range(25)]
    with serve(library(many)) as server:
        tool = build(server.url)
        action, *_ = tool.candidates(VIEW)
        seen, recent = [], []
        for _ in range(3):
            result = call(tool, **action.arguments)
            assert result.status == "ok"
            seen += [paper.identifier for paper in result.documents]
            recent.append(Recent(action.render(), "ok", len(result.documents)))
            clock.advance(3.0)
            action = list(tool.candidates(View(VIEW.goal, recent=tuple(recent))))[-2]
    assert seen == [paper.identifier for paper in many]
    assert "page" not in action.arguments  # there is none after the third


def test_offering_makes_no_file_and_no_request(build, tmp_path, papers):
    with serve(library(papers)) as server:
        assert list(build(server.url).candidates(VIEW))
    assert list(tmp_path.iterdir()) == []
    assert server.asked == []


def test_offline_nothing_is_offered_or_asked(tmp_path, call, papers):
    with serve(library(papers)) as server:
        settings = ArxivSettings(base_url=server.url)
        tool = SearchArxiv(settings, tmp_path / "search_arxiv", offline=True)
        assert list(tool.candidates(VIEW)) == []
        result = call(tool, query="x")
        assert result.status == "denied"
        assert result.message == f"offline: {settings.host} is not asked"
        assert result.unreachable
        online = SearchArxiv(settings, tmp_path / "search_arxiv")
        assert call(online, query="x", offline=True) == result
    assert server.asked == []


def test_unreachable_is_named_and_cools_down_over_runs(build, call, clock):
    with serve([Reply()]) as server:
        url = server.url  # and the server ends: its port is closed
    host = url.split("/")[2]
    tool = build(url)
    result = call(tool, query="x")
    assert (result.status, result.message) == ("error", f"{host} is unreachable")
    assert (result.unreachable, result.retry_after) == (True, 60.0)
    assert list(tool.candidates(VIEW)) == []
    later = build(url)  # the next run
    clock.advance(59.0)
    assert list(later.candidates(VIEW)) == []
    denied = call(later, query="x")
    assert (denied.status, denied.message) == ("denied", f"{host} is unreachable")
    assert (denied.unreachable, denied.retry_after) == (True, pytest.approx(1.0))
    clock.advance(1.0)
    assert list(later.candidates(VIEW))
    assert call(later, query="x").retry_after == 120.0


def test_it_comes_back_when_arxiv_does(build, call, clock, papers):
    with serve([Reply(status=503), Reply(feed([papers[0].entry()]))]) as server:
        tool = build(server.url)
        assert call(tool, query="x").retry_after == 60.0
        clock.advance(60.0)
        assert call(tool, query="x").status == "ok"
        clock.advance(3.0)
        assert list(tool.candidates(VIEW))


@pytest.mark.parametrize(
    "arguments", [{}, {"query": "!"}, {"ids": ["abc"]}, {"query": "x", "host": "evil"}]
)
def test_a_wrong_question_is_told_and_not_sent(build, call, papers, arguments):
    with serve(library(papers)) as server:
        result = call(build(server.url), **arguments)
    assert result.status == "error"
    assert result.message.startswith("search_arxiv: ")
    assert server.asked == []


def test_no_request_begins_that_cannot_end_in_time(build, call, papers):
    with serve(library(papers)) as server:
        result = call(build(server.url), seconds=0.2, query="x")
    assert (result.status, result.message) == ("timeout", "no time left for a request")
    assert server.asked == []


def test_the_calls_deadline_bounds_the_request(build, call):
    with serve([Reply(wait=30.0)]) as server:
        tool = build(server.url)
        call(tool, ids=["abc"])  # imports
        began = time.monotonic()
        result = call(tool, seconds=0.8, query="x")
        assert time.monotonic() - began < 3.0
    assert result.status == "timeout"


def test_arxiv_is_not_asked_where_the_limit_cannot_be_kept(build, call, tmp_path, papers):
    (tmp_path / "search_arxiv").write_text("in the way")
    with serve(library(papers)) as server:
        result = call(build(server.url), query="x")
    assert result.status == "error"
    assert result.message.startswith("arXiv is not asked, since its limit cannot be kept: ")
    assert server.asked == []


def test_an_answer_that_cannot_be_kept_is_still_given_and_says_so(build, call, tmp_path, papers):
    path = tmp_path / "search_arxiv" / "arxiv.sqlite"

    def answer(_):
        with sqlite3.connect(path) as connection:
            connection.execute("DROP TABLE answers")
        connection.close()
        return Reply(feed([papers[0].entry()]))

    with serve(answer) as server:
        result = call(build(server.url), query="x")
    assert result.status == "ok"
    assert result.message == "1 of 1 papers, page 1; not kept: no such table: answers"


def test_a_file_that_another_process_holds_stops_the_call_and_not_the_offers(
    build, call, tmp_path, papers, clock
):
    with serve(library(papers)) as server:
        tool = build(server.url)
        call(tool, query="x")
        clock.advance(3.0)
        holder = sqlite3.connect(tmp_path / "search_arxiv" / "arxiv.sqlite", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        assert list(tool.candidates(VIEW))
        result = call(tool, query="y")
        holder.close()
    assert result.status == "error"
    assert result.message.endswith("its limit cannot be kept: database is locked")
    assert len(server.asked) == 1


@pytest.mark.parametrize("reply", [Reply(status=500), Reply(feed([]))])
def test_a_limit_that_cannot_be_written_after_a_request_still_holds_here(
    build, call, tmp_path, reply
):
    path = tmp_path / "search_arxiv" / "arxiv.sqlite"

    def answer(_):
        path.unlink()
        path.mkdir()
        return reply

    with serve(answer) as server:
        tool = build(server.url)
        result = call(tool, query="x")
        assert result.retry_after == 3.0
        assert result.status == ("error" if reply.status == 500 else "empty")
        path.rmdir()
        assert call(tool, query="y").status == "denied"
    assert len(server.asked) == 1


def test_the_specification_agrees_with_the_settings(tmp_path):
    spec = SearchArxiv(ArxivSettings(timeout=7.0, cache_hours=2.0), tmp_path).spec
    assert (spec.name, spec.effects, spec.idempotent) == ("search_arxiv", "none", True)
    assert (spec.timeout, spec.stale_after) == (12.0, 7200.0)
    assert spec.arguments["additionalProperties"] is False
