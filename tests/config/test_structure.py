"""Strict structuring: nothing is coerced, every fault is told, JSON goes there and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs
import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.config.structure import from_json, structure, to_json
from aegis.contracts.action import Action
from aegis.contracts.component import setting
from aegis.contracts.experience import Decision, Experience
from aegis.contracts.outcome import Document, Outcome, Reading, StepResult, ToolResult
from aegis.contracts.view import Recent, Seen, View
from aegis.errors import ConfigError, InputError, PluginError

if TYPE_CHECKING:
    from decimal import Decimal

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["8", "1.7", "true", "false", "", "ok"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)

INT64 = range(-(2**63), 2**63)


def _is_int(value):
    return type(value) is int and value in INT64


def _is_str(value):
    return type(value) is str


def _is_number(value):
    return _is_int(value) or (type(value) is float and math.isfinite(value))


def _all(test):
    return lambda value: isinstance(value, list) and all(test(item) for item in value)


@frozen
class Inner:
    count: int


# Each type with an independent statement of which JSON values it allows.
ALLOWED = [
    (int, _is_int),
    (float, _is_number),
    (str, _is_str),
    (bool, lambda value: type(value) is bool),
    (Path, lambda value: _is_str(value) and value != ""),
    (Literal["ok", 1], lambda value: value == "ok" or (type(value) is int and value == 1)),
    (int | None, lambda value: value is None or _is_int(value)),
    (int | float, _is_number),
    (int | str, lambda value: _is_int(value) or _is_str(value)),
    (bool | list[str], lambda value: type(value) is bool or _all(_is_str)(value)),
    (list[int], _all(_is_int)),
    (tuple[str, ...], _all(_is_str)),
    (Sequence[bool], _all(lambda value: type(value) is bool)),
    (frozenset[str], _all(_is_str)),
    (
        tuple[int, str],
        lambda value: (
            isinstance(value, list) and len(value) == 2 and _is_int(value[0]) and _is_str(value[1])
        ),
    ),
    (
        dict[str, float],
        lambda value: isinstance(value, dict) and all(_is_number(item) for item in value.values()),
    ),
    (Mapping[str, Any], lambda value: isinstance(value, dict)),
    (
        Inner,
        lambda value: isinstance(value, dict) and [*value] == ["count"] and _is_int(value["count"]),
    ),
    (Any, lambda value: True),
]


def _holder(kind):
    return attrs.make_class("Holder", {"value": attrs.field(type=kind)}, frozen=True)


HOLDERS = [(_holder(kind), allows) for kind, allows in ALLOWED]


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_value_is_taken_exactly_if_its_type_allows_it_and_never_changed(data):
    holder, allows = data.draw(st.sampled_from(HOLDERS))
    value = data.draw(
        json_values
        | st.lists(st.text(max_size=2) | st.integers(), max_size=3)
        | st.builds(dict, count=json_values)
    )
    if allows(value):
        made = from_json(holder, {"value": value})
        back = to_json(made.value) if not _holds_nan(value) else value
        if isinstance(made.value, frozenset):
            assert made.value == set(value)
        elif isinstance(made.value, Path):
            assert back == str(Path(value))
        else:
            assert back == value
            assert isinstance(made.value, float) or type(back) is type(value)
    else:
        with pytest.raises(InputError):
            from_json(holder, {"value": value})


def _holds_nan(value):
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, "8"),
        (int, 1.0),
        (int, True),
        (float, True),
        (float, "1.5"),
        (float, math.nan),
        (str, 1),
        (bool, 1),
        (bool, "false"),
        (list[str], "abc"),
        (tuple[str, ...], {"a": 1}),
        (dict[str, int], [["a", 1]]),
        (Literal[1], True),
    ],
)
def test_the_coercions_that_cattrs_would_make_are_refused(kind, value):
    _, problems = structure(_holder(kind), {"value": value}, ())
    assert len(problems) == 1


def test_an_integer_is_accepted_for_a_number_and_becomes_one():
    made = from_json(_holder(float), {"value": 3})
    assert type(made.value) is float
    assert type(from_json(_holder(float | int | bool), {"value": 3}).value) is int


def test_every_fault_of_json_is_told_with_its_path():
    data = {
        "status": "okay",
        "documents": [
            {"source": "x", "identifier": "1", "title": "t", "text": "t"},
            {"source": "x", "identifier": 2, "title": "t", "authors": ["a", None], "bogus": 1},
        ],
        "retry_after": "soon",
    }
    with pytest.raises(InputError) as error:
        from_json(ToolResult, data)
    assert sorted(problem.message for problem in error.value.problems) == [
        "ToolResult.documents[1].authors[1]: expected a string, found nothing (null)",
        (
            "ToolResult.documents[1].bogus: unknown key; known here: source, identifier, title, text, "
            "url, version, authors, published, tags, references, withdrawn"
        ),
        "ToolResult.documents[1].identifier: expected a string, found the integer 2",
        "ToolResult.documents[1].text: missing; expected a string",
        'ToolResult.retry_after: expected a number, found the string "soon"',
        (
            'ToolResult.status: expected one of "ok", "partial", "empty", "error", "timeout", "denied", '
            'found the string "okay"; did you mean "ok"?'
        ),
    ]


def test_what_a_validator_of_the_class_refuses_is_told_with_its_path():
    with pytest.raises(InputError, match=r"View.found\[0\]: a reference is one word"):
        from_json(View, {"goal": "g", "found": [{"ref": "two words", "title": "t"}]})


def test_the_contracts_go_through_json_and_back():
    view = View(
        goal="g",
        step=2,
        limit=40,
        facts=("a", "b"),
        knowledge=(Seen("17", "One"),),
        recent=(Recent("read 17", "ok", 1),),
    )
    action = Action(
        "search", {"query": "x", "deep": {"n": [1, None]}}, "query", "about", {"rank": 1}
    )
    outcome = Outcome("ok", gained=2, seconds=0.5, items=("17",))
    decision = Decision(
        (action,), 0, (0.0,), (-0.5,), action, engine="gpt2", remarks={"cut": 2.0, "depth": 0.5}
    )
    document = Document("library", "a", "A", "text", authors=("x",), withdrawn=True)
    for value in (
        view,
        action,
        outcome,
        decision,
        StepResult(view, outcome, 1.5, info={"a": [1, {"b": None}]}),
        ToolResult("partial", "cut", (document,), (Reading("17", ("s",)),), 3.0, unreachable=True),
        Experience(
            1, "r", 1, 1, "research", "own", 7, "1", "k", "now", view, decision, outcome, 1.0
        ),
    ):
        text = json.dumps(to_json(value), allow_nan=False)
        assert from_json(type(value), json.loads(text)) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, b"bytes", object(), {1: "a"}])
def test_what_has_no_json_form_is_refused_with_its_path(value):
    view = View(goal="g")
    result = StepResult(view, Outcome("ok"), 0.0, info={"facts": [1, value]})
    with pytest.raises(InputError, match=r"info.facts\[1\]: .* has no JSON form"):
        to_json(result)


def test_annotations_that_are_imported_for_type_checking_only_are_resolved():
    @frozen
    class Settings:
        where: Path
        numbers: Mapping[str, Sequence[int]]

    assert from_json(Settings, {"where": "x", "numbers": {"a": [1]}}).where == Path("x")


def test_a_class_that_cannot_be_a_section_names_itself():
    @frozen
    class Unresolved:
        value: Decimal

    with pytest.raises(PluginError, match=r"Unresolved: .*cannot be resolved"):
        structure(Unresolved, {}, ())
    with pytest.raises(PluginError, match="not an attrs class"):
        structure(dict, {}, ())


@frozen(kw_only=True)
class Limited:
    low: int = setting(1, ge=1, help="At least one.")
    above: float = setting(1.0, gt=0, le=2, help="In (0, 2].")
    names: tuple[str, ...] = setting((), choices=("a", "b"), help="Of two.")
    folder: str | None = setting(None, path="always", help="A folder.")


@given(st.integers(-3, 3), st.floats(-1, 3), st.lists(st.sampled_from("abc"), max_size=3))
def test_limits_hold_exactly(low, above, names):
    value, problems = structure(Limited, {"low": low, "above": above, "names": names}, ("x",))
    wrong = (low < 1) + (not 0 < above <= 2) + names.count("c")
    assert len(problems) == wrong
    assert (value is None) == bool(wrong)


def test_a_path_holds_no_nul():
    _, (problem,) = structure(Limited, {"folder": "a\0b"}, ("x",))
    assert problem.message == "[x].folder: a path cannot hold the character NUL"


def test_a_value_outside_64_bits_is_no_integer():
    _, (problem,) = structure(Limited, {"low": 2**63}, ())
    assert problem.code == "out-of-range"
    _, (problem,) = structure(Limited, {"names": 16**2000}, ())
    assert (
        problem.message
        == "names: expected an array, each item a string, found an integer of hundreds of digits"
    )


def test_errors_of_a_config_class_that_raises_its_own_keep_their_code():
    @frozen
    class Strict:
        value: int = 1

        def __attrs_post_init__(self):
            if self.value == 2:
                raise ConfigError.of("not-two", "two is taken", fix="write value = 3")

    _, (problem,) = structure(Strict, {"value": 2}, ("engine", "x"))
    assert problem[:2] == ("not-two", "[engine].x: two is taken")
    assert problem.fix == "write value = 3"


LEVELS = tuple(f"level {number}" for number in range(80))


def test_of_many_choices_some_are_told_and_the_nearest():
    many = _holder(Literal[LEVELS])
    with pytest.raises(InputError) as caught:
        from_json(many, {"value": "level 4O"})
    message = str(caught.value)
    assert 'expected one of "level 0", "level 1",' in message
    assert '"level 11" or 68 more, found the string "level 4O"; did you mean "level 4' in message


def test_an_empty_text_is_no_path():
    holder = _holder(Path)
    with pytest.raises(InputError, match="expected a path, found an empty text"):
        from_json(holder, {"value": ""})
    assert from_json(holder, {"value": "."}).value == Path()
