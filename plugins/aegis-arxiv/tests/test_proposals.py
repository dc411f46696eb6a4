from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis import Recent, View
from aegis_arxiv.answers import Known
from aegis_arxiv.proposals import proposals
from aegis_arxiv.question import Question
from aegis_arxiv.settings import ArxivSettings

PLAIN = ArxivSettings()
VIEW = View(
    "Understand low-rank adaptation",
    missing=("rank", "adapter layers", "adaptation"),
    gaps=("singular value decomposition", "prefix tuning"),
)


def _queries(actions) -> list[str]:
    return [action.arguments["query"] for action in actions if action.slot is None]


def _known(text: str, page: int = 1, total: int = 25, settings: ArxivSettings = PLAIN) -> Known:
    question = Question.of({"query": text}, settings)
    return Known(question.series, " ".join(question.words), page, settings.results, total)


def test_questions_from_the_goal_what_is_missing_and_the_gaps():
    actions = proposals(VIEW, PLAIN, ())
    assert _queries(actions) == [
        "low-rank adaptation",
        "low-rank adaptation rank",
        "low-rank adaptation adapter layers",
        "rank adapter layers",
        "singular value decomposition",
        "prefix tuning",
    ]
    assert actions[0].signals == {"terms": 2, "missing": 1}
    assert actions[3].signals == {"terms": 3, "missing": 2}
    assert actions[4].signals == {"terms": 3, "gaps": 1}
    assert all(action.tool == "search_arxiv" for action in actions)


def test_the_last_one_is_open_for_an_engine_that_writes():
    last = proposals(VIEW, PLAIN, ())[-1]
    assert (last.slot, last.arguments) == ("query", {})
    assert last.filled("prefix tuning").arguments == {"query": "prefix tuning"}


def test_a_question_whose_answer_is_kept_is_offered_too():
    # Another run on the same folder may have asked it; the host knows what this one has seen.
    known = [_known("low-rank adaptation", total=3), _known("prefix tuning")]
    assert _queries(proposals(VIEW, PLAIN, known)) == _queries(proposals(VIEW, PLAIN, ()))


def _after(*recent: Recent) -> View:
    return View("Understand quantisation", recent=recent)


def _followed(view: View, *known: Known) -> list[dict[str, object]]:
    actions = proposals(view, PLAIN, known)
    return [dict(action.arguments) for action in actions if "page" in action.arguments]


@pytest.mark.parametrize(
    ("action", "page"),
    [
        ("search_arxiv low-rank adaptation terms=2 missing=1", 2),
        ("search_arxiv low-rank adaptation", 2),
        ("search_arxiv the Low-Rank Adaptation", 2),  # as an engine may write it
        ("search_arxiv low-rank adaptation 2 terms=2 page=2", 3),
    ],
)
def test_the_page_after_a_recent_one(action: str, page: int):
    known = [_known("low-rank adaptation", number) for number in (2, 1)]
    view = _after(Recent(action, "ok", 3))
    assert _followed(view, *known, _known("low-rank")) == [
        {"query": "low-rank adaptation", "page": page}
    ]
    assert proposals(view, PLAIN, known)[-2].signals == {"terms": 2, "page": page}


def test_the_page_after_the_last_that_is_kept_of_the_topic():
    known = [_known("quantisation", number) for number in (1, 2)]
    assert _followed(_after(), *known) == [{"query": "quantisation", "page": 3}]


def test_an_action_of_this_module_is_recognised_when_it_is_recent():
    known = [_known("quantisation", 1)]
    action = proposals(_after(), PLAIN, known)[-2]
    view = _after(Recent(action.render(), "ok", 1))
    later = [_known("quantisation", 2), *known]
    assert _followed(view, *later) == [{"query": "quantisation", "page": 3}]


RECENT = Recent("search_arxiv low-rank adaptation", "ok")


@pytest.mark.parametrize(
    ("recent", "known"),
    [
        (Recent("search_arxiv low-rank adaptation", "empty"), _known("low-rank adaptation")),
        (Recent("search_library low-rank adaptation", "ok"), _known("low-rank adaptation")),
        (Recent("search_arxiv low-rank adaptations", "ok"), _known("low-rank adaptation")),
        (RECENT, _known("low-rank adaptation", 2)),  # the first page is not kept any more
        (RECENT, _known("low-rank adaptation", 1, 10)),
        (RECENT, _known("low-rank adaptation", settings=ArxivSettings(field="ti"))),
        (Recent(f"{RECENT.action} page=600", "ok"), _known("low-rank adaptation", 600, 10**6)),
    ],
)
def test_no_page_after_what_has_none(recent: Recent, known: Known):
    assert _followed(_after(recent), known) == []


def test_only_the_latest_list_is_followed():
    recent = (Recent("search_arxiv prefix tuning", "ok"), Recent("search_arxiv lora", "ok"))
    known = (_known("prefix tuning"), _known("lora"), _known("quantisation"))
    assert _followed(_after(*recent), *known) == [{"query": "lora", "page": 2}]


TEXT = st.text(max_size=400)


@given(
    st.builds(
        View,
        TEXT,
        missing=st.lists(TEXT, max_size=6).map(tuple),
        gaps=st.lists(TEXT, max_size=6).map(tuple),
        recent=st.lists(st.builds(Recent, st.one_of(TEXT, TEXT.map("search_arxiv {}".format)), st.just("ok")), max_size=3).map(tuple),
    )
)  # fmt: skip
def test_whatever_the_view_holds_every_proposal_can_be_asked(view: View):
    actions = proposals(view, PLAIN, [_known("a b")])
    assert 1 <= len(actions) <= 8
    assert len({action.key for action in actions}) == len(actions)
    for action in actions[:-1]:
        Question.of(action.arguments, PLAIN)
        assert all(type(value) is int and 0 <= value < 1000 for value in action.signals.values())
    assert actions[-1].slot == "query"
    assert proposals(view, PLAIN, [_known("a b")]) == actions
