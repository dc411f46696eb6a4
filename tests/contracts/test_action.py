from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.contracts.action import SLOT_MARK, Action


def test_an_action_renders_as_tool_subject_and_signals():
    action = Action(
        "read", {"document": "17"}, about="Low-rank adaptation", signals={"rank": 1, "match": 3}
    )
    assert action.render() == "read Low-rank adaptation rank=1 match=3"


def test_an_open_slot_is_marked():
    assert Action("search_arxiv", {}, slot="query").render() == f"search_arxiv {SLOT_MARK}"


def test_filling_a_slot_gives_a_closed_action():
    filled = Action("search_arxiv", {"page": 1}, slot="query").filled("state space models")
    assert filled == Action("search_arxiv", {"page": 1, "query": "state space models"})
    with pytest.raises(ValueError, match="no open slot"):
        filled.filled("again")


def test_the_key_names_the_call_and_not_how_it_is_described():
    call = Action("read", {"a": 1, "b": 2})
    assert call.key == Action("read", {"b": 2, "a": 1}, about="x", signals={"rank": 1}).key
    assert call.key != Action("read", {"a": 1, "b": 3}).key
    assert call.key != Action("write", {"a": 1, "b": 2}).key
    assert Action("s", {}, slot="q").key != Action("s", {}).key


@given(st.text(), st.dictionaries(st.text(max_size=5), st.text(), max_size=3))
def test_a_candidate_is_one_line_whatever_it_is_about(about, arguments):
    assert len(Action("read", arguments, about=about).render().splitlines()) == 1


@given(st.text(max_size=300), st.integers(30, 120))
def test_a_shortened_candidate_keeps_its_limit_and_its_call(about, characters):
    action = Action("read", {"document": "17"}, about=about, signals={"rank": 1})
    short = action.shortened(characters)
    assert len(short.render()) <= characters
    assert (short.key, short.signals) == (action.key, action.signals)
    assert (short == action) == (len(action.render()) <= characters)
