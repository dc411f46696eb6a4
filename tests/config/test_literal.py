"""TOML values as text, there and back."""

from __future__ import annotations

import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.config.literal import found, key, parse, render

texts = st.text(st.characters(codec="utf-8"), max_size=20)
values = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | texts
    | st.datetimes()
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(values)
@settings(max_examples=300, deadline=None)
def test_parse_gives_back_what_render_wrote(value):
    assert parse(render(value)) == value
    assert type(parse(render(value))) is type(value)


@given(texts)
def test_a_rendered_key_is_that_key(name):
    assert tomli.loads(f"{key(name)} = 1") == {name: 1}


def test_what_is_no_toml_is_the_text_itself():
    for text in ("gpt2", "./folder", "", "a b", "1 2", "1\nb = 2", '"', "[1", "0x", "9" * 5000):
        assert parse(text) == text


def test_found_names_what_a_value_is():
    assert [found(value) for value in (None, True, 1, 1.5, "a", [1], {}, "x" * 90)] == [
        "nothing (null)",
        "true",
        "the integer 1",
        "the number 1.5",
        'the string "a"',
        "the array [1]",
        "a table",
        'the string "' + "x" * 58 + "…",
    ]
