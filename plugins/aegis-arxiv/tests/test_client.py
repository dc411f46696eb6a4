from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aegis_arxiv.client import ask, asked_pause
from aegis_arxiv.failure import NoAnswerError
from aegis_arxiv.loopback import Reply, replay, serve
from aegis_arxiv.question import Question
from aegis_arxiv.settings import ArxivSettings

if TYPE_CHECKING:
    from aegis.testing import Loopback


def _ask(server: Loopback, **arguments):
    settings = ArxivSettings(base_url=server.url)
    return ask(Question.of(arguments, settings), settings, 5.0)


@pytest.fixture
def real(recorded):
    """The recorded arXiv; its answers to identifiers were made with pages of 100."""
    with serve(_without_size(recorded)) as server:
        yield server


def _without_size(recorded):
    def plain(query):
        named = dict(query)
        if named.get("id_list"):
            named.pop("max_results")
        named["search_query"] = named["search_query"].replace('all:"testing"', "testing")
        return frozenset(named.items())

    by_question = replay({plain(query): reply for query, reply in recorded.items()})

    def answer(asked):
        return by_question(
            type(asked)(dict(plain(asked.query.items())), asked.headers, asked.moment)
        )

    return answer


def test_a_real_page_of_a_search(real: Loopback):
    reply = _ask(real, query="testing")
    assert len(reply.documents) == 10
    assert (reply.total, reply.missing) == (214_881, ())
    first = reply.documents[0]
    assert first.identifier == "2202.12139"
    assert first.version == 1
    assert first.title.startswith("Testing Deep Learning Models: A First Comparative Study")
    assert first.authors == ("Mohit Kumar Ahuja", "Arnaud Gotlieb", "Helge Spieker")
    assert first.published == "2022-02-24"
    assert first.tags == ("cs.SE", "cs.LG")
    assert first.references == ("doi:10.1109/ICSTW55395.2022.00035",)
    assert not first.withdrawn


def test_real_pages_follow_each_other(real: Loopback):
    pages = [_ask(real, query="testing", page=page) for page in range(1, 7)]
    names = [paper.identifier for page in pages for paper in page.documents]
    assert len(names) == len(set(names)) == 60
    assert [len(asked.query) for asked in real.asked] == [6] * 6
    assert [asked.query["start"] for asked in real.asked] == ["0", "10", "20", "30", "40", "50"]


@pytest.mark.parametrize(
    ("text", "identifier", "version", "published"),
    [
        ("2104.12255v1", "2104.12255", 1, "2021-04-20"),
        ("1605.08386", "1605.08386", 1, "2016-05-26"),
        ("quant-ph/0201082v1", "quant-ph/0201082", 1, "2002-01-18"),
        ("https://arxiv.org/abs/astro-ph/0601001", "astro-ph/0601001", 1, "2006-01-02"),
    ],
)
def test_a_real_paper_by_its_identifier(real, text, identifier, version, published):
    reply = _ask(real, ids=[text])
    (paper,) = reply.documents
    assert (paper.identifier, paper.version, paper.published) == (identifier, version, published)
    assert reply.missing == ()
    assert paper.text
    assert "  " not in paper.text
    assert paper.url == f"https://arxiv.org/abs/{identifier}v{version}"


def test_two_real_identifiers_of_which_one_comes(real: Loopback):
    reply = _ask(real, ids=["0808.05394", "1707.08567"])
    assert [paper.identifier for paper in reply.documents] == ["1707.08567"]
    assert reply.missing == ("not found: 0808.05394",)


def test_a_real_identifier_of_no_paper(real: Loopback):
    reply = _ask(real, ids=["0808.05394"])
    assert (reply.documents, reply.total) == ((), 0)
    assert reply.missing == ("not found: 0808.05394",)


def test_the_real_refusal_of_a_malformed_identifier(recorded):
    reply = next(reply for reply in recorded.values() if reply.status == 400)
    with serve([reply]) as server, pytest.raises(NoAnswerError) as caught:
        _ask(server, ids=["2104.12255"])
    assert caught.value.fault == "question"
    assert caught.value.message.endswith("refuses the question: incorrect id format for abc")


def test_the_request_names_the_agent_the_package_and_the_contact():
    settings = ArxivSettings(contact="me@example.org")
    with serve([Reply(status=404)]) as server:
        settings = ArxivSettings(contact="me@example.org", base_url=server.url, sort="submitted")
        with pytest.raises(NoAnswerError, match="HTTP 404"):
            ask(Question.of({"query": "a b"}, settings), settings, 5.0)
    (asked,) = server.asked
    assert asked.headers["user-agent"].startswith("aegis-arxiv/0.1.0 arxiv.py/")
    assert asked.headers["user-agent"].endswith(" (me@example.org)")
    assert asked.query == {
        "search_query": 'all:"b"',
        "id_list": "",
        "sortBy": "submittedDate",
        "sortOrder": "descending",
        "start": "0",
        "max_results": "10",
    }


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "17"}, 17.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "9" * 50}, 999_999_999.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 90.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:01 GMT"}, 0.0),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:28:40 GMT",
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            40.0,
        ),
        ({"retry-after": "Wed, 21 Oct 99999 07:28:40 GMT"}, None),
    ],
)
def test_retry_after_in_both_forms(headers: dict[str, str], seconds: float | None):
    assert asked_pause(headers, now=10.0) == seconds


def test_a_proxy_of_a_kind_that_is_not_spoken_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "socks5://user:secret@127.0.0.1:1080")
    monkeypatch.setenv("no_proxy", "")
    settings = ArxivSettings(base_url="http://arxiv.invalid/api/query")
    with pytest.raises(NoAnswerError, match="proxy of the environment") as caught:
        ask(Question.of({"query": "x"}, settings), settings, 5.0)
    assert "secret" not in caught.value.message


def test_certificates_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/bundle.pem")
    settings = ArxivSettings(base_url="https://127.0.0.1:1/api/query")
    with pytest.raises(NoAnswerError, match=r"/nowhere/bundle\.pem: correct REQUESTS_CA_BUNDLE"):
        ask(Question.of({"query": "x"}, settings), settings, 5.0)
