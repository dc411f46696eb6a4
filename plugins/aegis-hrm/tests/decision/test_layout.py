"""Views and candidates become ids: token by token, by structure alone, within their room."""

from __future__ import annotations

import re

import hypothesis.strategies as st
import pytest
from attrs import evolve
from hypothesis import given, settings

import aegis
from aegis.contracts.shortening import shorten
from aegis.contracts.text import escape
from aegis.contracts.view import Recent, Seen, View
from aegis_hrm.decision.layout import Layout
from aegis_hrm.special_tokens import DOCUMENTS, FIRST_TEXT_ID, SPECIAL_TOKENS, TERMS

WORD = re.compile(r"\w{3,}(?![\w=])")  # what an equals sign follows is the name of a signal
STRUCTURE = frozenset(SPECIAL_TOKENS) - frozenset(TERMS)


@pytest.fixture(scope="module")
def layout(tokenizer):
    return Layout(tokenizer, 4096, 96)


@pytest.fixture(scope="module")
def ids_of(tokenizer):
    """Return the ids of pieces: special tokens by their name, texts as they are."""

    def ids(pieces):
        found = []
        for piece in pieces:
            special = tokenizer.special.get(piece)
            found += tokenizer.encode(escape(piece)) if special is None else [special]
        return found

    return ids


def shown(row, number=0):
    """Return the ids of the view, or of a candidate by its number from 1."""
    return [i for i, segment in zip(row.ids, row.segments, strict=True) if segment == number]


def special(ids):
    """Return the names of the special tokens among ids, in order."""
    return [SPECIAL_TOKENS[i] for i in ids if i < FIRST_TEXT_ID]


# Token by token


def test_every_part_of_a_view_has_its_place(layout, ids_of):
    view = View(
        goal="Prefix tuning, of transformers",
        step=4,
        limit=40,
        missing=("TUNING", "other"),
        facts=("Prefixes steer prefix attention.", "A Transformers' fact"),
        knowledge=(Seen("17", "Prefix tuning revisited"),),
        found=(Seen("30", "Adapters"), Seen("31", "Low-rank Transformers")),
        gaps=("distillation",),
        observation=("a door",),
        recent=(Recent("read Adapters", "ok", 2), Recent("search prefix", "empty", -1)),
    )
    expected = [
        "<halt>",
        *("<goal>", "<term1>", "Prefix", "<term2>", "tuning", ", of", "<term3>", "transformers"),
        *("<missing>", "<term2>", "<item>", "other"),
        *("<facts>", "Prefixes steer", "<term1>", " attention."),
        *("<item>", "A", "<term3>", "' fact"),
        *("<knowledge>", "<doc1>", "<term1>", "<term2>", " revisited"),
        *("<found>", "<doc2>", "Adapters", "<item>", "<doc3>", "Low-rank", "<term3>"),
        *("<gaps>", "distillation"),
        *("<observation>", "a door"),
        *("<recent>", "ok +2 read Adapters", "<item>", "empty -1 search", "<term1>"),
        *("<step>", "4/40"),
    ]

    row = layout.row(view, [aegis.Action("finish")])

    assert shown(row) == ids_of(expected)
    assert shown(row, 1) == ids_of(["<candidate>", "finish"])
    assert row.cut == 0


def test_a_goal_alone_is_a_view(layout, ids_of):
    assert layout.row(View(goal=""), []).ids == tuple(ids_of(["<halt>", "<goal>", "<step>", "1/0"]))


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (aegis.Action("finish"), ["finish"]),
        (
            aegis.Action("search", {"query": "prefix", "page": 2}, signals={"page": 2}),
            ["search", "<term1>", " 2 page=2"],
        ),
        (
            aegis.Action("search", {"query": "x"}, about="Tuning a PREFIX", signals={"new": 1}),
            ["search", "<term2>", " a", "<term1>", " new=1"],
        ),
        (
            aegis.Action("read", {"ref": "31"}, about="Adapters", signals={"rank": 1}),
            ["read", "<doc3>", " Adapters rank=1"],
        ),
        (
            aegis.Action("join", {"refs": ["31", "17", "99"], "as": "30"}, about="them"),
            ["join", "<doc3>", "<doc1>", "<doc2>", " them"],
        ),
        (aegis.Action("read", {"number": 31}), ["read", " 31"]),
        (aegis.Action("note", slot="text"), ["note", "<slot>"]),
        (
            aegis.Action("note", slot="text", about="an… idea", signals={"facts": 3}),
            ["note", " an… idea ", "<slot>", " facts=3"],
        ),
    ],
    ids=lambda value: value.render() if isinstance(value, aegis.Action) else "",
)
def test_a_candidate_is_its_tool_the_documents_it_takes_its_text_and_its_signals(
    layout, ids_of, action, expected
):
    view = View(
        goal="prefix tuning",
        knowledge=(Seen("17", "One"),),
        found=(Seen("30", "Two"), Seen("31", "Adapters")),
    )

    assert shown(layout.row(view, [action]), 1) == ids_of(["<candidate>", *expected])


def test_a_title_that_a_candidate_says_is_not_spelt_out_in_the_view_again(layout, ids_of):
    view = View(goal="?", found=(Seen("30", "Adapters"), Seen("31", "Prefix tuning")))
    reads = aegis.Action("read", {"ref": "31"}, about="Prefix tuning")
    before = ["<halt>", "<goal>", "?", "<found>", "<doc1>", "Adapters", "<item>", "<doc2>"]

    row = layout.row(view, [aegis.Action("finish"), reads])
    assert shown(row) == ids_of([*before, "<step>", "1/0"])
    assert shown(row, 2) == ids_of(["<candidate>", "read", "<doc2>", " Prefix tuning"])
    without = layout.row(view, [aegis.Action("finish")])
    assert shown(without) == ids_of([*before, "Prefix tuning", "<step>", "1/0"])


def test_a_document_that_is_known_and_found_is_one(layout):
    both = View(goal="?", knowledge=(Seen("7", "A"), Seen("8", "B")), found=(Seen("7", "A"),))

    assert special(shown(layout.row(both, []))) == [
        "<halt>", "<goal>", "<knowledge>", "<doc1>", "<item>", "<doc2>", "<found>", "<doc1>", "<step>",
    ]  # fmt: skip


def test_entities_without_a_role_left_are_spelt_out(layout, ids_of):
    words = [f"word{chr(97 + i)}" for i in range(len(TERMS) + 2)]
    many = tuple(Seen(f"d{i}", f"Title {i}") for i in range(len(DOCUMENTS) + 2))
    view = View(goal=" ".join(words), missing=tuple(words), found=many)
    read = aegis.Action("read", {"ref": many[-1].ref}, about="Title")
    row = layout.row(view, [read])

    missing = [
        *TERMS[:1], *(part for term in TERMS[1:] for part in ("<item>", term)),
        "<item>", words[-2], "<item>", words[-1],
    ]  # fmt: skip
    found = [part for i, doc in enumerate(DOCUMENTS) for part in ("<item>", doc, f"Title {i}")]
    found += ["<item>", "Title 16", "<item>", "Title 17"]
    tail = ids_of(["<missing>", *missing, "<found>", *found[1:], "<step>", "1/0"])
    assert shown(row)[-len(tail) :] == tail
    assert shown(row, 1) == ids_of(["<candidate>", "read", " Title"])


def test_text_of_a_candidate_is_spelt_as_it_is_in_a_view(layout, ids_of):
    """Its canonical text is escaped already; words that stand behind an escape are found too."""
    title = "tuning|prefix\nprefix\tof\\n\x00"
    view = View(goal="prefix", facts=(title,))
    row = layout.row(view, [aegis.Action("read", about=title), aegis.Action("a", {"x": title})])
    pieces = ["tuning|", "<term1>", "<term1>", "\tof\\n\x00"]  # white space before a role goes

    assert shown(row)[shown(row).index(ids_of(["<facts>"])[0]) + 1 : -4] == ids_of(pieces)
    pieces[0] = " tuning|"
    assert shown(row, 1) == ids_of(["<candidate>", "read", *pieces])
    assert shown(row, 2) == ids_of(["<candidate>", "a", *pieces])


# Nothing from outside makes structure

HOSTILE = st.one_of(
    st.text(max_size=20),
    st.lists(
        st.sampled_from(
            [
                *SPECIAL_TOKENS,
                " ",
                "\n",
                "\x00",
                "|",
                " | ",
                "…",
                "\\p",
                "\ud800",
                "goal:",
                "prefix",
            ]
        ),
        max_size=5,
    ).map("".join),
)


def like(view):
    """Return views of the same structure with any texts."""
    texts = {
        name: st.tuples(*[HOSTILE] * len(getattr(view, name)))
        for name in ("missing", "facts", "gaps", "observation")
    }
    for name in ("knowledge", "found"):
        seen = getattr(view, name)
        texts[name] = st.tuples(*[st.builds(Seen, st.just(one.ref), HOSTILE) for one in seen])
    texts["recent"] = st.tuples(
        *[st.builds(Recent, HOSTILE, st.just("ok"), st.integers(-9, 9)) for _ in view.recent]
    )
    return st.builds(View, goal=HOSTILE, step=st.integers(1, 99), limit=st.just(99), **texts)


def like_action(action):
    arguments = {
        name: st.just(value) if name == "ref" else HOSTILE
        for name, value in action.arguments.items()
    }
    return st.builds(
        aegis.Action,
        st.just(action.tool),
        st.fixed_dictionaries(arguments),
        slot=st.just(action.slot),
        about=HOSTILE if action.slot is None else st.just(action.about),
        signals=st.just(action.signals),
    )


SHAPE = View(
    goal="",
    missing=("", ""),
    facts=("",),
    knowledge=(Seen("17", ""),),
    found=(Seen("30", ""), Seen("31", "")),
    gaps=("", "", ""),
    observation=("",),
    recent=(Recent("", "ok"), Recent("", "ok")),
)
OFFERED = (
    aegis.Action("search", {"query": ""}),
    aegis.Action("read", {"ref": "31"}, signals={"rank": 3}),
    aegis.Action("note", slot="text"),
)


@given(view=like(SHAPE), offered=st.tuples(*map(like_action, OFFERED)))
@settings(max_examples=150, deadline=None)
def test_the_structure_of_a_row_follows_from_that_of_the_view_alone(layout, view, offered):
    row = layout.row(view, offered)

    assert [name for name in special(row.ids) if name in STRUCTURE] == [
        "<halt>", "<goal>", "<missing>", "<item>", "<facts>", "<knowledge>", "<doc1>",
        "<found>", "<doc2>", "<item>", "<doc3>", "<gaps>", "<item>", "<item>", "<observation>",
        "<recent>", "<item>", "<step>", "<candidate>", "<candidate>", "<doc3>",
        "<candidate>", "<slot>",
    ]  # fmt: skip
    assert [row.ids[marker] for marker in row.markers] == [SPECIAL_TOKENS.index("<candidate>")] * 3
    assert row.cut == 0


@given(goal=HOSTILE, texts=st.lists(HOSTILE, min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_a_term_is_named_exactly_where_a_word_of_the_goal_stands(layout, goal, texts):
    roles = dict(zip(dict.fromkeys(w.casefold() for w in WORD.findall(goal)), TERMS, strict=False))
    words = [w.casefold() for text in (goal, *texts) for w in WORD.findall(text)]

    row = layout.row(View(goal=goal, facts=tuple(texts)), [])

    named = [name for name in special(row.ids) if name in TERMS]
    assert named == [roles[word] for word in words if word in roles]


# Positions, segments, markers


def test_candidates_begin_at_the_same_position_right_behind_the_view(layout, practised):
    for choice in practised:
        row = layout.row(choice.view, choice.candidates)
        view = len(shown(row))
        expected = [(place, 0) for place in range(view)]
        for number in range(1, len(choice.candidates) + 1):
            own = shown(row, number)
            expected += [(view + place, number) for place in range(len(own))]
        assert list(zip(row.positions, row.segments, strict=True)) == expected
        firsts = [row.segments.index(k) for k in range(1, len(choice.candidates) + 1)]
        assert list(row.markers) == firsts
        assert row.tokens == len(row.ids) == len(expected)
        assert row.fingerprint == layout.fingerprint


def test_candidates_are_laid_out_apart_from_each_other(layout, practised):
    """But for titles that the view need not spell."""
    choice = max(practised, key=lambda choice: len(choice.candidates))
    row = layout.row(choice.view, choice.candidates)
    assert len(choice.candidates) > 5
    for number, action in enumerate(choice.candidates, start=1):
        assert shown(layout.row(choice.view, [action]), 1) == shown(row, number)


# What does not fit


def long_view(count):
    return View(
        goal="Understand prefix tuning",
        step=7,
        limit=40,
        missing=("prefix",),
        facts=tuple(f"fact number {i} of prefix tuning" for i in range(count)),
        gaps=("one gap", "another gap"),
        recent=(Recent("search prefix", "ok", 3),),
    )


@pytest.mark.parametrize("count", [8, 20, 60])
def test_a_view_that_does_not_fit_is_shortened_by_the_rule(tokenizer, layout, count):
    room = 128 - 32
    view = long_view(count)
    finish = [aegis.Action("finish")]

    def length(some):
        return len(shown(layout.row(some, finish)))

    short, left_out = shorten(view, lambda some: length(some) <= room)
    row = Layout(tokenizer, 128, 32).row(view, finish)

    assert left_out > 2  # both gaps, and facts
    assert shown(row) == shown(layout.row(short, finish))
    assert row.cut == left_out
    assert room - 20 < len(shown(row)) <= room
    one_more = evolve(short, facts=view.facts[: len(short.facts) + 1])
    assert length(one_more) > room


def test_a_view_that_just_fits_is_left_alone(tokenizer, layout):
    view = long_view(5)
    length = len(shown(layout.row(view, [])))

    assert Layout(tokenizer, length + 32, 32).row(view, []).cut == 0
    assert Layout(tokenizer, length + 31, 32).row(view, []).cut == 1


def test_documents_keep_their_roles_when_others_are_left_out(tokenizer):
    """A document's number is that of the whole view, so that a candidate points at the same one."""
    view = View(
        goal="x",
        knowledge=tuple(Seen(f"k{i}", "some title that takes room") for i in range(9)),
        found=(Seen("f", "Adapters"),),
    )
    row = Layout(tokenizer, 96, 32).row(view, [aegis.Action("read", {"ref": "f"}, about="A")])

    assert row.cut > 0
    assert "<doc9>" not in special(row.ids)
    assert special(shown(row))[-2:] == ["<doc10>", "<step>"]
    assert special(shown(row, 1)) == ["<candidate>", "<doc10>"]


def test_a_goal_that_does_not_fit_loses_tokens_in_its_middle(tokenizer, layout):
    room = 64 - 16
    view = View(goal=" ".join(f"{i}." for i in range(100)), facts=("a", "b"), step=2, limit=9)
    whole = shown(layout.row(evolve(view, facts=()), []))

    row = Layout(tokenizer, 64, 16).row(view, [])

    assert list(row.ids) == whole[: room // 2] + whole[-(room // 2) :]
    assert row.cut == 2 + len(whole) - room
    assert special(row.ids) == ["<halt>", "<goal>", "<step>"]


def test_a_candidate_that_does_not_fit_keeps_its_start_and_its_signals(tokenizer, layout, ids_of):
    words = " ".join(f"{i}." for i in range(200))
    action = aegis.Action("read", {"ref": "1"}, about=words, signals={"rank": 3, "text": 5})
    view = View(goal="x", found=(Seen("1", words[:8]),))
    whole = shown(Layout(tokenizer, 4096, 1024).row(view, [action]), 1)

    row = Layout(tokenizer, 4096, 33).row(view, [action, aegis.Action("finish")])

    own = shown(row, 1)
    assert own == whole[:17] + whole[-16:]
    assert own[:2] + own[2:3] == ids_of(["<candidate>", "read", "<doc1>"])
    signals = ids_of([" rank=3 text=5"])
    assert own[-len(signals) :] == signals
    assert shown(row, 2) == ids_of(["<candidate>", "finish"])
    assert row.cut == 0


# Always the same


def test_the_same_decision_has_the_same_row(tokenizer, practised, monkeypatch):
    """Whatever was laid out before, and when what is remembered has been forgotten."""
    from aegis_hrm.decision import layout as module

    monkeypatch.setattr(module, "_REMEMBERED", 7)
    first, second = Layout(tokenizer, 1024, 96), Layout(tokenizer, 1024, 96)
    rows = [first.row(choice.view, choice.candidates) for choice in practised]

    assert [second.row(c.view, c.candidates) for c in reversed(practised)] == rows[::-1]
    assert [first.row(c.view, c.candidates) for c in practised] == rows


def test_a_goal_s_word_that_names_a_signal_does_not_rename_the_signal(layout, tokenizer):
    rank = aegis.Action("read", about="The rank of a matrix", signals={"rank": 3})
    row = layout.row(View(goal="matrix rank"), [rank])
    special = tokenizer.capabilities.special_tokens
    candidate = row.ids[row.markers[0] :]
    assert candidate.count(special["<term2>"]) == 1
    assert candidate[-1] == tokenizer.encode(" rank=3")[-1]


def test_a_title_is_spelt_in_the_view_where_no_candidate_says_it(layout, tokenizer):
    """A note that cites everything read names no title."""
    seen = View(goal="matrices", knowledge=(Seen("1", "Low-rank adaptation"),))
    note = aegis.Action("write_note", {"cites": ["1"]}, about="1 documents")
    read = aegis.Action("read", {"document": "1"}, about="Low-rank adaptation")
    spelt = tuple(tokenizer.encode("Low-rank adaptation"))

    def says(*candidates):
        ids = layout.row(seen, candidates).ids
        start = ids.index(tokenizer.capabilities.special_tokens["<doc1>"]) + 1
        return ids[start : start + len(spelt)] == spelt

    assert says(note)
    assert not says(note, read)
