import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.contracts.schema import argument_schema_faults, schema_faults, violations

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip

VALID = [
    ({"type": "string"}, "x"),
    ({"type": "integer"}, 3),
    ({"type": "integer"}, 10**400),
    ({"type": "number"}, 3),
    ({"type": "number"}, 3.5),
    ({"type": "boolean"}, False),
    ({"type": "null"}, None),
    ({"type": ["string", "null"]}, None),
    ({"type": "array", "items": {"type": "integer"}}, [1, 2]),
    ({"type": "string", "minLength": 2, "maxLength": 3}, "ab"),
    ({"type": "integer", "minimum": 2, "maximum": 3}, 3),
    ({"type": "array", "minItems": 1, "maxItems": 1}, [None]),
    ({"enum": [1, "a", None]}, "a"),
    ({"const": 1}, 1),
    ({"type": "object", "properties": {"a": {"type": "string"}}}, {}),
    ({"type": "object", "additionalProperties": {"type": "integer"}}, {"x": 1}),
    ({}, {"any": [1, "thing"]}),
]

INVALID = [
    ({"type": "string"}, 3, "must be string, not 3"),
    ({"type": "integer"}, True, "must be integer, not True"),
    ({"type": "integer"}, 1.0, "must be integer, not 1.0"),
    ({"type": "number"}, math.nan, "must be number, not nan"),
    ({"type": "number"}, math.inf, "must be number, not inf"),
    ({"type": "boolean"}, 1, "must be boolean, not 1"),
    ({"type": ["string", "null"]}, 1, "must be string or null, not 1"),
    ({"type": "array", "items": {"type": "integer"}}, [1, "x"], "[1] must be integer, not 'x'"),
    ({"type": "string", "minLength": 2}, "a", "has 1 characters, at least 2 are needed"),
    ({"type": "string", "maxLength": 2}, "abc", "has 3 characters, at most 2 are allowed"),
    ({"type": "array", "maxItems": 0}, [1], "has 1 items, at most 0 are allowed"),
    ({"type": "integer", "minimum": 2}, 1, "is 1, at least 2 is allowed"),
    ({"type": "integer", "maximum": 2}, 3, "is 3, at most 2 is allowed"),
    ({"enum": [1, "a"]}, True, "is True, none of 1, 'a'"),
    ({"const": "a"}, "b", "must be 'a', not 'b'"),
    ({"type": "object", "required": ["a"], "properties": {"a": {}}}, {}, 'lacks "a"'),
    ({"type": "object", "properties": {"limit": {}}, "additionalProperties": False}, {"limt": 1},
     'has the unknown key "limt"; did you mean "limit"?'),
    ({"type": "object", "additionalProperties": {"type": "integer"}}, {"x": "y"},
     "x must be integer, not 'y'"),
    ({"type": "object"}, {1: 2}, "has the key 1, which is no string"),
    ({}, object, "is no JSON value"),
    ({}, {"x": math.nan}, "is no JSON value"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "value"), VALID)
def test_what_fits_has_no_violations(schema, value):
    assert schema_faults(schema) == []
    assert violations(schema, value) == []


@pytest.mark.parametrize(("schema", "value", "said"), INVALID)
def test_what_does_not_fit_is_said_in_one_sentence(schema, value, said):
    assert schema_faults(schema) == []
    (violation,) = violations(schema, value)
    assert said in violation


def test_the_place_of_a_violation_is_named():
    schema = {"type": "object", "properties": {"a": {"type": "object", "properties": {
        "b": {"type": "array", "items": {"type": "string"}}}}}}  # fmt: skip
    assert violations(schema, {"a": {"b": ["x", 2]}}, "arguments") == [
        "arguments.a.b[1] must be string, not 2"
    ]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (3, "the schema must be a mapping, not 3"),
        ({"type": "text"}, "the schema: type 'text' is none of null, boolean"),
        ({"type": 3}, "the schema: type 3 is none of"),
        ({"oneOf": []}, 'the schema: keyword "oneOf" is not supported'),
        ({"properties": {"a": {"pattern": "x"}}}, 'the schema.a: keyword "pattern"'),
        ({"items": {"$ref": "#"}}, 'the schema.items: keyword "$ref"'),
        ({"required": ["a"]}, 'the schema: "a" is required and no property'),
        ({"required": "a"}, "the schema: required must be a list"),
        ({"properties": []}, "the schema: properties must be a mapping"),
        ({"minimum": "1"}, "the schema: minimum must be a number, not '1'"),
        ({"enum": "ab"}, "the schema: enum must be a list"),
        ({"additionalProperties": 3}, "the schema.additionalProperties must be a mapping"),
    ],
)
def test_a_schema_that_would_not_be_checked_as_meant_is_refused(schema, said):
    (fault,) = schema_faults(schema)
    assert fault.startswith(said)


def test_arguments_are_an_object():
    assert argument_schema_faults({"type": "object"}) == []
    assert argument_schema_faults({"type": "string"}) == [
        "the schema must have type \"object\", not 'string'"
    ]


@given(JSON)
def test_the_empty_schema_accepts_every_json_value(value):
    assert violations({}, value) == []


@given(JSON, st.lists(JSON, min_size=1, max_size=4))
def test_an_enumeration_accepts_its_members_only(value, members):
    """Equality is JSON's: True is not 1."""
    expected = any(_canonical(value) == _canonical(member) for member in members)
    assert (violations({"enum": members}, value) == []) is expected


def _canonical(value):
    """A value in which booleans differ from numbers at every depth."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    return value


@given(st.text(max_size=20), st.integers(0, 20), st.integers(0, 20))
def test_lengths_are_counted_in_characters(text, low, high):
    schema = {"type": "string", "minLength": low, "maxLength": high}
    assert (violations(schema, text) == []) is (low <= len(text) <= high)
