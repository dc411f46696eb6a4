from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.contracts.text import escape, one_line, unescape
from aegis.contracts.view import Recent, Seen, View
from aegis.errors import InputError

HOSTILE = st.one_of(
    st.text(),
    st.text(alphabet="goal: |\\n\n\r\u2028\x00\ud800step/0123456789"),
    st.sampled_from(["goal: x", "\nstep: 1/1", "a | b", " | ", "\\p", "\\n", "\ud800", ""]),
)
REFS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789.:/-", min_size=1, max_size=20)
SEEN = st.lists(st.builds(Seen, ref=REFS, title=HOSTILE), max_size=4).map(tuple)
TEXTS = st.lists(HOSTILE, max_size=4).map(tuple)
VIEWS = st.builds(
    View,
    goal=HOSTILE,
    step=st.integers(0, 10**6),
    limit=st.integers(0, 10**6),
    missing=TEXTS,
    facts=TEXTS,
    knowledge=SEEN,
    found=SEEN,
    gaps=TEXTS,
    observation=TEXTS,
    recent=st.lists(
        st.builds(
            Recent,
            action=HOSTILE,
            status=st.sampled_from(["ok", "empty", "error"]),
            gained=st.integers(-9, 99),
        ),
        max_size=4,
    ).map(tuple),
)


@settings(max_examples=500)
@given(VIEWS)
def test_parsing_a_rendering_gives_the_view_back(view):
    """parse(render(x)) = x whatever the texts hold: structure cannot be forged."""
    assert View.parse(view.render()) == view


@given(VIEWS)
def test_a_rendering_has_one_line_a_section(view):
    sections = [line.split(": ", 1)[0] for line in view.render().splitlines()]
    assert len(sections) == len(set(sections))
    assert sections[0] == "goal"
    assert sections[-1] == "step"


@given(st.text())
def test_escaping_is_reversible_and_leaves_one_line_without_bars(text):
    line = escape(text)
    assert unescape(line) == text
    assert len(line.splitlines()) <= 1
    assert "|" not in line
    line.encode("utf-8")


def test_the_rendering_is_what_the_documentation_shows():
    view = View(
        goal="Understand low-rank adaptation",
        step=4,
        limit=40,
        missing=("rank", "adapter"),
        knowledge=(Seen("17", "Low-rank adaptation"), Seen("21", "Adapter layers")),
        recent=(Recent("search_library low-rank adaptation", "ok", 3),),
    )
    assert view.render() == (
        "goal: Understand low-rank adaptation\n"
        "missing: rank | adapter\n"
        "knowledge: 17 Low-rank adaptation | 21 Adapter layers\n"
        "recent: ok +3 search_library low-rank adaptation\n"
        "step: 4/40"
    )
    assert view.digest == hashlib.sha256(view.render().encode()).hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "goal: x",
        "step: 1/0",
        "goal: x\nstep: 1",
        "goal: x\nstep: one/2",
        "goal: x\ngoal: y\nstep: 1/0",
        "goal: x\nplan: y\nstep: 1/0",
        "step: 1/0\ngoal: x",
        "goal: x\nrecent: ok\nstep: 1/0",
        "goal: x\nfound: bar|baz\nstep: 1/0",
        "goal: x\nstep: 01/0",
    ],
)
def test_what_is_no_rendering_is_refused(text):
    with pytest.raises(InputError, match="view-malformed"):
        View.parse(text)


@pytest.mark.parametrize("ref", ["", "two words", "a|b", "a\nb", "x" * 129])
def test_a_reference_is_one_word(ref):
    with pytest.raises(ValueError, match="one word"):
        Seen(ref, "title")


@given(st.text(), st.integers(1, 50))
def test_a_shortened_line_keeps_its_limit(text, limit):
    assert len(one_line(text, limit)) <= limit
