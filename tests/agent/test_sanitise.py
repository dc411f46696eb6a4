"""Whatever a tool returns becomes JSON that is safe to store, show and parse."""

from __future__ import annotations

import enum
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.agent.sanitise import DEPTH, LIMIT, failed, sanitise, tool_result
from aegis.contracts.outcome import STATUSES, Document, Reading, ToolResult


class Hostile:
    def __repr__(self):
        raise ValueError("no repr")


class HostileDict(dict):
    def items(self):
        raise RuntimeError("no items")

    def __iter__(self):
        raise RuntimeError("no keys")


class HostileStr(str):
    __slots__ = ()

    def __getitem__(self, _):
        raise RuntimeError("no slices")

    def __str__(self):
        raise RuntimeError("no text")


class HostileInt(int):
    def __int__(self):
        raise RuntimeError("no number")

    def __repr__(self):
        raise RuntimeError("no repr")


class HostileList(list):
    def __iter__(self):
        raise RuntimeError("no items")


class Colour(enum.IntEnum):
    RED = 1


SURROGATES = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**5000), max_value=10**5000),
    st.floats(allow_nan=True, allow_infinity=True),
    SURROGATES,
    st.binary(max_size=20),
    st.complex_numbers(),
    st.builds(object),
    st.builds(Hostile),
    st.builds(bytearray, st.binary(max_size=5)),
    st.builds(HostileStr, st.just("x")),
    st.builds(HostileInt, st.just(3)),
    st.just(Colour.RED),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(
            st.one_of(SURROGATES, st.integers(), st.none(), st.floats(), st.binary()),
            inner,
            max_size=6,
        ),
        st.dictionaries(st.text(max_size=2), inner, max_size=2).map(HostileDict),
        st.lists(inner, max_size=2).map(HostileList),
        st.frozensets(st.one_of(st.text(max_size=3), st.integers()), max_size=4),
        st.builds(ToolResult, inner, inner, inner),
    ),
    max_leaves=30,
)
"""Anything that a tool could return."""


def encoded(value):
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
        "utf-8"
    )


@settings(max_examples=300, deadline=None)
@given(VALUES, st.integers(min_value=16, max_value=400))
def test_any_value_becomes_json_within_the_limit(value, limit):
    clean = sanitise(value, limit)
    data = encoded(clean.value)
    assert len(data) <= limit
    assert json.loads(data) == clean.value
    assert "\x00" not in data.decode("utf-8")
    assert all(len(note.splitlines()) == 1 for note in clean.notes)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_a_clean_value_stays_as_it_is(value):
    once = sanitise(value)
    again = sanitise(once.value)
    assert again.value == once.value
    assert again.notes == ()
    assert not again.incomplete


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(st.characters(codec="ascii", categories=("L",)), max_size=5), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_safe_json_is_not_changed(value):
    clean = sanitise(value)
    assert clean.value == value
    assert clean.notes == ()


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_any_answer_becomes_a_result(value):
    result = tool_result(value)
    assert isinstance(result, ToolResult)
    assert result.status in STATUSES
    assert result.status == "ok" or result.message
    assert len(result.message.splitlines()) <= 1


RESULTS = st.fixed_dictionaries(
    {"status": st.sampled_from(STATUSES)},
    optional={
        "message": SURROGATES,
        "documents": st.lists(
            st.fixed_dictionaries(dict.fromkeys(("source", "identifier", "title", "text"), SURROGATES)), max_size=3
        ),
        "readings": st.lists(st.fixed_dictionaries({"ref": SURROGATES, "sentences": st.lists(SURROGATES, max_size=3)}), max_size=3),
        "retry_after": st.floats(-10, 10),
    },
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(RESULTS)
def test_a_result_of_the_right_shape_keeps_its_status_and_parts(data):
    result = tool_result(data)
    assert result.status == data["status"]
    assert len(result.documents) == len(data.get("documents", ()))
    assert len(result.readings) == len(data.get("readings", ()))
    assert result.retry_after >= 0
    for document in result.documents:
        assert len(document.title.splitlines()) <= 1
        json.dumps(document.text).encode("utf-8").decode("utf-8")


def test_nothing_but_the_value_is_trusted():
    value = {
        "a": HostileDict(x=1),
        "b": [Hostile(), HostileStr("text"), HostileInt(3), Colour.RED],
        "c": 1 + 2j,
    }
    clean = sanitise(value)
    assert clean.value == {"a": {"x": 1}, "b": [None, "text", 3, 1], "c": None}
    assert clean.incomplete


@pytest.mark.parametrize(
    ("value", "expected", "incomplete"),
    [
        ("a\x00b\ud800c\x1b[0m", "a\ufffdb\ufffdc\ufffd[0m", False),
        ("line\n\ttab", "line\n\ttab", False),
        (b"caf\xe9", "caf\ufffd", False),
        (float("nan"), None, True),
        (math.inf, None, True),
        (2**63, None, True),
        (-(2**63), -(2**63), False),
        ({1: "a", None: "b"}, {"1": "a", "None": "b"}, False),
        ({b"x": 1, "y": 2}, {"y": 2}, False),
        ({"k" * 300: 1}, {}, False),
    ],
)
def test_single_values(value, expected, incomplete):
    clean = sanitise(value)
    assert clean.value == expected
    assert clean.incomplete is incomplete


def test_what_was_changed_is_said():
    assert sanitise(["\x00\x00", "\ud800"]).notes == ("3 unsafe characters replaced",)
    assert sanitise([]).notes == ()


def test_a_value_that_holds_itself_ends():
    knot: list = []
    knot.append(knot)
    clean = sanitise(knot)
    depth, inner = 0, clean.value
    while inner:
        depth, inner = depth + 1, inner[0]
    assert depth == DEPTH
    assert clean.incomplete


def test_a_long_text_is_cut_and_what_stands_beside_it_is_kept():
    documents = [{"text": "é" * (2 * LIMIT), "title": "T", "tags": ["a"]}, {"title": "second"}]
    clean = sanitise({"documents": documents, "status": "ok", "last": True})
    first = clean.value["documents"][0]
    assert clean.value["status"] == "ok"
    assert clean.value["last"] is True
    assert first["title"] == "T"
    assert first["tags"] == ["a"]
    assert set(first["text"]) == {"é"}
    assert LIMIT - 200 < len(encoded(clean.value)) <= LIMIT
    assert clean.incomplete


def test_a_result_that_was_cut_is_partial_and_says_so():
    text = "x" * (2 * LIMIT)
    result = tool_result(
        {
            "status": "ok",
            "documents": [{"source": "s", "identifier": "i", "title": "t", "text": text}],
        }
    )
    assert result.status == "partial"
    assert "cut" in result.message
    assert (
        tool_result({"status": "empty", "message": "m"}, incomplete=True, notes=["n"]).message
        == "m; the answer was cut: n"
    )


def test_replaced_characters_do_not_make_a_result_partial():
    document = Document("s", "i", "a\nb", "x\x00y", authors=("\n", "A\tB"))
    result = tool_result(ToolResult("ok", documents=(document,)))
    assert result.status == "ok"
    (clean,) = result.documents
    assert (clean.title, clean.text, clean.authors) == ("a b", "x\ufffdy", ("A B",))


def test_a_reading_is_lines():
    result = tool_result(
        ToolResult("ok", readings=(Reading("7", ("one\ntwo", ""), ("low-rank",)),))
    )
    assert result.readings == (Reading("7", ("one two",), ("low-rank",)),)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "expected a table"),
        ([], "expected a table"),
        ({}, "missing"),
        ({"status": "great"}, "great"),
        ({"status": "ok", "documents": "abc"}, "array"),
        ({"status": "ok", "documents": [{"title": 3}]}, "string"),
        ({"status": "ok", "surprise": 1}, "unknown"),
        ({"status": "ok", "retry_after": math.nan}, "number"),
    ],
)
def test_what_is_no_result_is_an_error_that_names_the_fault(data, said):
    result = tool_result(data)
    assert result.status == "error"
    assert said in result.message


def test_a_failure_without_a_word_gets_one():
    assert tool_result({"status": "timeout"}).message == "timeout; the tool gave no reason"
    assert failed("").message
    assert failed("a\nb\x00").message == "a b\ufffd"


MEASURE = """
import resource, sys
sys.path[:0] = {path!r}
from aegis.agent.sanitise import sanitise, tool_result
texts = ["x" * 100_000_000, b"\\xff" * 100_000_000, list(range(2_000_000))]
sanitise("warm")
for value in texts:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clean = sanitise({{"status": "ok", "message": value}})
    assert clean.incomplete
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_hundred_megabytes_cost_little_memory(tmp_path):
    script = MEASURE.format(path=[str(Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    growth = [int(line) for line in done.stdout.split()]  # KiB
    assert len(growth) == 3
    assert all(one <= 16 * 1024 for one in growth), growth
