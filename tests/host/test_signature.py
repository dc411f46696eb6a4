from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.contracts.schema import argument_schema_faults, violations
from aegis.errors import PluginError
from aegis.host.signature import signature_of

if TYPE_CHECKING:
    from aegis.contracts.outcome import Document


def properties(function):
    return signature_of(function).schema["properties"]


def test_each_plain_hint_has_its_type():
    def f(a: str, b: int, c: float, d: bool): ...

    assert {k: v["type"] for k, v in properties(f).items()} == {
        "a": "string", "b": "integer", "c": "number", "d": "boolean",
    }  # fmt: skip
    assert signature_of(f).schema["required"] == ["a", "b", "c", "d"]
    assert signature_of(f).schema["additionalProperties"] is False


def test_lists_literals_and_optional_values():
    def f(
        a: list[int],
        b: Literal["x", "y"],
        c: str | None,
        d: Optional[Literal[1, 2]],  # noqa: UP045 - the old spelling is one of the cases
        e: list[list[str]],
        f: Annotated[int, "seconds"],
    ): ...

    assert properties(f) == {
        "a": {"type": "array", "items": {"type": "integer"}},
        "b": {"type": "string", "enum": ["x", "y"]},
        "c": {"type": ["string", "null"]},
        "d": {"type": ["integer", "null"], "enum": [1, 2, None]},
        "e": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
        "f": {"type": "integer"},
    }


def test_a_default_makes_an_argument_optional_and_is_kept():
    def f(a: str, b: int = 5, c: float = 1, d: str | None = None): ...

    schema = signature_of(f).schema
    assert schema["required"] == ["a"]
    assert schema["properties"]["b"] == {"type": "integer", "default": 5}
    assert schema["properties"]["d"] == {"type": ["string", "null"], "default": None}
    assert violations(schema, {"a": "x"}) == []


def test_the_docstring_describes_function_and_arguments():
    def f(query: str, limit: int = 5):
        """Search the wiki.

        More about it: this is no argument.

        Args:
            query: What to look for,
                in words.
            limit (int): How many: at most.

        Returns:
            limit: not this one.
        """

    signature = signature_of(f)
    assert signature.description == "Search the wiki."
    assert properties(f)["query"]["description"] == "What to look for, in words."
    assert properties(f)["limit"]["description"] == "How many: at most."


def test_the_hints_of_what_is_returned_are_not_read():
    def f(a: str) -> list[Document]: ...

    assert list(properties(f)) == ["a"]


def test_a_context_is_no_argument():
    def f(a: str, context: Whatever): ...  # noqa: F821 - never read

    signature = signature_of(f)
    assert signature.takes_context
    assert list(signature.schema["properties"]) == ["a"]


def untyped(a): ...
def mapping(a: dict[str, int]): ...
def union(a: int | str): ...
def anything(a: Any): ...
def variadic(*a: str): ...
def keywords(**a: str): ...
def positional(a: str, /): ...
def unknown(a: Nowhere): ...  # noqa: F821 - the case
def bare_list(a: list): ...
def bytes_literal(a: Literal[b"x"]): ...
def wrong_default(a: int = "x"): ...
def absent_default(a: str = None): ...  # noqa: RUF013 - the case


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (untyped, 'parameter "a" has no type hint'),
        (mapping, 'dict[str, int] of "a" has no schema: use str, int'),
        (union, 'int | str of "a" has no schema'),
        (anything, 'Any of "a" has no schema'),
        (variadic, "takes any number of arguments"),
        (keywords, "takes any number of arguments"),
        (positional, 'parameter "a" cannot be given by name'),
        (unknown, "the type hint of \"a\" cannot be read: name 'Nowhere' is not defined"),
        (bare_list, 'list of "a" has no schema'),
        (bytes_literal, 'Literal of "a": only strings, integers and booleans'),
        (wrong_default, "the default of \"a\" must be integer, not 'x'"),
        (absent_default, 'the default of "a" must be string, not None'),
    ],
)
def test_what_has_no_schema_is_said(function, said):
    with pytest.raises(PluginError) as caught:
        signature_of(function)
    (problem,) = caught.value.problems
    assert problem.message.startswith(f"function {function.__name__} cannot be a tool: ")
    assert said in problem.message
    assert "test_signature.py:" in problem.where


def test_all_parameters_are_told_at_once():
    def f(a, b: dict, c: str): ...

    with pytest.raises(PluginError) as caught:
        signature_of(f)
    assert len(caught.value.problems) == 2


HINTS = {
    "str": st.text(),
    "int": st.integers(),
    "bool": st.booleans(),
    "float": st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    "list[int]": st.lists(st.integers()),
    "list[str] | None": st.none() | st.lists(st.text()),
    "Literal['a', 1, True]": st.sampled_from(["a", 1, True]),
    "bool | None": st.none() | st.booleans(),
}


@given(st.data())
def test_the_schema_accepts_exactly_what_the_hints_say(data):
    """A value drawn from each hint is valid; a value of no hint's type is not."""
    hints = data.draw(st.lists(st.sampled_from(sorted(HINTS)), min_size=1, max_size=4))

    def function(): ...

    function.__annotations__ = {f"p{i}": hint for i, hint in enumerate(hints)}
    import inspect

    function.__signature__ = inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hint)
            for name, hint in function.__annotations__.items()
        ]
    )
    schema = signature_of(function).schema
    assert argument_schema_faults(schema) == []
    values = {f"p{i}": data.draw(HINTS[hint]) for i, hint in enumerate(hints)}
    assert violations(schema, values) == []
    spoilt = data.draw(st.sampled_from(sorted(values)))
    assert violations(schema, {**values, spoilt: {"an": "object"}}) != []
    assert violations(schema, {**values, "extra": 1}) != []
    assert violations(schema, {k: v for k, v in values.items() if k != spoilt}) != []
