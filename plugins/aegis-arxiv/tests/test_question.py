from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.contracts.schema import argument_schema_faults, violations
from aegis_arxiv.question import SCHEMA, Question
from aegis_arxiv.settings import ArxivSettings

PLAIN = ArxivSettings()
# An independent reading of arXiv's grammar: what remains of a query without its quoted words.
SKELETON = re.compile(r'(?:(?:all|ti|abs|au|co|jr|rn):"")(?: AND (?:all|ti|abs|au|co|jr|rn):"")*')
HOSTILE = st.one_of(
    st.text(min_size=1, max_size=300),
    st.lists(
        st.sampled_from(
            ['"', "\\", "AND", "OR", "ANDNOT", "(", ")", "cat:cs.LG", "ti:", "&start=9", "%22", "*",
             "[1 TO 2]", "all:x", "\n", "\x00", "\u201c", "\uff02", "rank", "x" * 80, "'"]
        ),
        min_size=1,
        max_size=30,
    ).map(lambda parts: " ".join(parts)[:300]),
)  # fmt: skip


@given(HOSTILE)
def test_nothing_in_the_words_escapes_the_quotes(text: str):
    try:
        query = Question.of({"query": text}, PLAIN).search_query
    except ValueError:
        return  # there is no word in it
    assert SKELETON.fullmatch(re.sub(r'"[^"\\]*"', '""', query))
    assert query.count('"') % 2 == 0
    assert query.isprintable()


@given(HOSTILE)
def test_the_same_words_make_the_same_question(text: str):
    try:
        question = Question.of({"query": text}, PLAIN)
    except ValueError:
        return
    assert Question.of({"query": " ".join(question.words)}, PLAIN) == question


def test_query_with_everything():
    question = Question.of(
        {
            "query": "low-rank adaptation",
            "field": "ti",
            "categories": ["cs.LG", "cs.CL", "stat.*"],
            "since": "2021-01-01",
            "until": "2021-12-31",
            "page": 3,
        },
        PLAIN,
    )
    assert question.search_query == (
        'ti:"low-rank" AND ti:"adaptation" AND (cat:cs.LG OR cat:cs.CL OR cat:stat.*)'
        " AND submittedDate:[202101010000 TO 202112312359]"
    )
    assert question.start == 20


@pytest.mark.parametrize(
    ("bounds", "clause"),
    [
        ({"since": "2024-02-29"}, "submittedDate:[202402290000 TO 209912312359]"),
        ({"until": "2024-02-29"}, "submittedDate:[199108010000 TO 202402292359]"),
    ],
)
def test_one_bound_of_a_date_range(bounds: dict[str, str], clause: str):
    assert Question.of({"query": "x", **bounds}, PLAIN).search_query == f'all:"x" AND {clause}'


def test_settings_narrow_a_search_and_arguments_widen_it_again():
    settings = ArxivSettings(categories=("cs.LG",), since="2020-01-01", field="abs", results=7)
    question = Question.of({"query": "x"}, settings)
    assert question.search_query == (
        'abs:"x" AND (cat:cs.LG) AND submittedDate:[202001010000 TO 209912312359]'
    )
    assert question.size == 7
    wide = Question.of({"query": "x", "categories": [], "since": "", "field": "all"}, settings)
    assert wide.search_query == 'all:"x"'


def test_papers_asked_for_by_name_are_not_narrowed_by_settings():
    settings = ArxivSettings(categories=("cs.LG",), since="2020-01-01")
    question = Question.of({"ids": ["math.GT/0309136", "arXiv:2104.12255v1"]}, settings)
    assert question.search_query == ""
    assert [str(paper) for paper in question.ids] == ["math/0309136", "2104.12255v1"]
    assert question.size == 2


def test_papers_asked_for_twice_are_asked_for_once():
    assert len(Question.of({"ids": ["2104.12255", "arXiv:2104.12255"]}, PLAIN).ids) == 1


def test_everything_wrong_is_told_at_once():
    arguments = {
        "query": "",
        "ids": ["abc"],
        "page": 0,
        "field": "title",
        "categories": ["cs.LG) OR (all:x"],
        "since": "2021-02-30",
        "until": 7,
        "operator": "OR",
    }
    with pytest.raises(ValueError) as caught:
        Question.of(arguments, PLAIN)
    told = str(caught.value).split("; ")
    names = [
        "unknown argument 'operator'",
        "ids",
        "query",
        "field",
        "categories",
        "since",
        "until",
        "page",
    ]
    assert len(told) == len(names)
    for name in names:
        assert any(text.startswith(name) for text in told), name


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"page": 1},
        {"query": None, "ids": None},
        {"query": 5},
        {"query": "x" * 301},
        {"query": "!!!"},
        {"ids": []},
        {"ids": "2104.12255"},
        {"ids": [5]},
        {"ids": ["2104.12255"] * 51},
        {"ids": ["2104.12255"], "page": 2},
        {"query": "x", "page": True},
        {"query": "x", "page": 1.0},
        {"query": "x", "page": 601},
        {"query": "x", "categories": "cs.LG"},
        {"query": "x", "since": "20210101"},
        {"query": "x", "since": "2022-01-01", "until": "2021-01-01"},
    ],
)
def test_arguments_of_the_wrong_form_are_refused(arguments: dict[str, object]):
    with pytest.raises(ValueError):
        Question.of(arguments, PLAIN)


def test_only_the_first_thirty_thousand_papers_can_be_asked_for():
    settings = ArxivSettings(results=50)
    assert Question.of({"query": "x", "page": 600}, settings).start == 29_950
    assert SCHEMA["properties"]["page"]["maximum"] * settings.results == 30_000


def test_the_host_can_check_the_arguments():
    assert argument_schema_faults(SCHEMA) == []
    assert violations(SCHEMA, {"query": "low-rank", "page": 2, "categories": ["cs.LG"]}) == []
    assert len(violations(SCHEMA, {"query": "", "page": 0, "field": "x", "host": "evil"})) == 4


def test_pages_of_a_list_share_its_series_and_not_their_key():
    first, second = (Question.of({"query": "x", "page": page}, PLAIN) for page in (1, 2))
    assert first.series == second.series == first.key != second.key
    other = Question.of({"query": "x", "field": "ti"}, PLAIN)
    assert other.series != first.series
