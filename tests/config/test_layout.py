"""The scan before the parse: caps, and the line of every key."""

from __future__ import annotations

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.config.layout import MAX_BYTES, MAX_DEPTH, MAX_KEY_PARTS, scan
from aegis.config.source import read
from aegis.errors import ConfigError

TEXT = '''\
# [not.a.section] x = 1
top = "a # no comment"  # b = 2

[ one . "two.three" ]
'quoted key' = """
[no.section]
k = 1
""""
dotted.key = [
    1, "]", # [x]
    { inner = [ { deep = 1 } ], other = 2 },
]
"esc\\u0061ped" = \'\'\'
still = 'text'\'\'\'
after.inline = { a = 1, b.c = "}" }
[[many]]
x = 1.5
[[many]]
y = 2020-01-01T00:00:00Z
[last]'''


def test_every_key_has_its_line():
    layout = scan(TEXT, "aegis.toml")
    assert layout.lines == {
        ("top",): 2,
        ("one", "two.three"): 4,
        ("one", "two.three", "quoted key"): 5,
        ("one", "two.three", "dotted", "key"): 9,
        ("one", "two.three", "dotted", "key", "inner"): 11,
        ("one", "two.three", "dotted", "key", "inner", "deep"): 11,
        ("one", "two.three", "dotted", "key", "other"): 11,
        ("one", "two.three", "escaped"): 13,
        ("one", "two.three", "after", "inline"): 15,
        ("one", "two.three", "after", "inline", "a"): 15,
        ("one", "two.three", "after", "inline", "b", "c"): 15,
        ("many",): 16,
        ("many", "x"): 17,
        ("many", "y"): 19,
        ("last",): 20,
    }
    assert layout.line(("one",)) == 4
    assert layout.line(("one", "two.three", "dotted")) == 9
    assert layout.line(("nowhere",)) is None


keys = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)
values = st.one_of(
    st.integers(-(2**62), 2**62),
    st.booleans(),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20),
    st.lists(st.text(alphabet="ab[]{}#\"'=,.\n", max_size=8), max_size=3),
)
tables = st.dictionaries(keys, st.dictionaries(keys, values, max_size=4), max_size=5)


@given(tables)
@settings(max_examples=150, deadline=None)
def test_lines_are_those_at_which_another_writer_put_the_keys(data):
    lines, expected = [], {}
    for name, table in data.items():
        section = tomlkit.table()
        expected[(name,)] = len(lines) + 1
        lines.append(f"[{tomlkit.key([name]).as_string()}]")
        for key, value in table.items():
            section = tomlkit.item(value).as_string()
            expected[name, key] = len(lines) + 1
            lines += f"{tomlkit.key([key]).as_string()} = {section}".split("\n")
    assert scan("\n".join(lines), "x").lines == expected


@given(st.text(alphabet="ab.=[]{}#\"'\\\n,\t 1", max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_text_breaks_the_scan(text):
    layout = scan(text, "x")
    count = text.count("\n") + 1
    assert all(1 <= line <= count for line in layout.lines.values())


def refused(text):
    with pytest.raises(ConfigError) as error:
        scan(text, "aegis.toml")
    (problem,) = error.value.problems
    assert problem.code == "config-too-large"
    return problem


def test_caps_hold_exactly():
    scan(".".join(["a"] * MAX_KEY_PARTS) + " = 1", "x")
    assert refused("\n" + ".".join(["a"] * (MAX_KEY_PARTS + 1)) + " = 1").where == "aegis.toml:2"
    refused("[" + " . ".join(['"a"'] * (MAX_KEY_PARTS + 1)) + "]")
    refused("a = { " + ".".join(["a"] * (MAX_KEY_PARTS + 1)) + " = 1 }")
    scan("a = " + "[" * MAX_DEPTH, "x")
    refused("a = " + "[" * (MAX_DEPTH + 1))
    refused("a = " + "{a=" * (MAX_DEPTH + 1))
    scan("#" * MAX_BYTES, "x")
    refused("#" * (MAX_BYTES + 1))


def test_brackets_and_dots_in_strings_and_comments_do_not_count():
    scan('a = "' + "[" * 100 + '"\n# ' + "a." * 100 + "\n'" + "b." * 100 + "' = 1\n", "x")


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * 20_000) + " = 1\n",
        "[" + ".".join(["a"] * 20_000) + "]\n",
        "a = " + "[" * 40_000,
        "x" * 200_000,
    ],
    ids=["dotted-key", "header", "arrays", "size"],
)
def test_a_hostile_file_is_refused_before_it_is_parsed(tmp_path, monkeypatch, text):
    def parse(_):
        raise AssertionError("parsed")

    monkeypatch.setattr("aegis.config.source.tomli.loads", parse)
    path = tmp_path / "aegis.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="config-too-large"):
        read(path, environ={})
