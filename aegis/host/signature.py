"""The signature of a function as the JSON Schema of its arguments."""

from __future__ import annotations

import inspect
import re
import types
import typing
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import frozen

from aegis.contracts.schema import violations
from aegis.errors import PluginError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONTEXT: Final = "context"
"""A parameter of this name gets the `ToolContext`, and is no argument."""

_PLAIN: Final[Mapping[object, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
}
_SECTION: Final = re.compile(r"(Args|Arguments|Parameters):\s*")
_ENTRY: Final = re.compile(r"(\s+)(\w+)\s*(?:\([^)]*\))?:\s*(.*)")


@frozen
class Signature:
    """What a function takes.

    Attributes:
        description: The first line of its docstring.
        schema: JSON Schema of its arguments (type object).
        takes_context: Whether it has a parameter for the `ToolContext`.
    """

    description: str
    schema: Mapping[str, Any]
    takes_context: bool


def signature_of(function: Callable[..., Any]) -> Signature:
    """Return what `function` takes, from its type hints and docstring.

    Raises:
        PluginError: With every parameter that no schema can be derived for.
    """
    summary, about = _docstring(function)
    parameters = inspect.signature(function).parameters
    problems: list[Problem] = []
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in parameters.values():
        if parameter.name == CONTEXT:
            continue
        try:
            schema = _parameter(function, parameter)
        except _Unsupported as error:
            problems.append(_problem(function, str(error)))
            continue
        if parameter.name in about:
            schema["description"] = about[parameter.name]
        properties[parameter.name] = schema
        if parameter.default is inspect.Parameter.empty:
            required.append(parameter.name)
    if problems:
        raise PluginError(problems)
    schema = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return Signature(summary, schema, CONTEXT in parameters)


class _Unsupported(Exception):  # noqa: N818 - never leaves this module
    pass


def _parameter(function: Callable[..., Any], parameter: inspect.Parameter) -> dict[str, Any]:
    name = parameter.name
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise _Unsupported(f"parameter {parameter} takes any number of arguments")
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise _Unsupported(f'parameter "{name}" cannot be given by name')
    if parameter.annotation is parameter.empty:
        raise _Unsupported(f'parameter "{name}" has no type hint')
    schema = _schema(_hint(function, name), name)
    if parameter.default is not parameter.empty:
        faults = violations(schema, parameter.default, f'the default of "{name}"')
        if faults:
            raise _Unsupported(faults[0])
        schema["default"] = parameter.default
    return schema


def _hint(function: Callable[..., Any], name: str) -> Any:
    # One parameter at a time: the hints of others, and of what is returned, may stand for
    # imports that only a type checker makes.
    holder = types.SimpleNamespace(__annotations__={name: function.__annotations__[name]})
    try:
        return typing.get_type_hints(holder, getattr(function, "__globals__", {}))[name]
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise _Unsupported(f'the type hint of "{name}" cannot be read: {error}') from error


def _schema(hint: Any, name: str) -> dict[str, Any]:
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return _literal(args, name)
    if origin is list and len(args) == 1:
        return {"type": "array", "items": _schema(args[0], name)}
    if origin in (typing.Union, types.UnionType) and type(None) in args:
        rest = [arg for arg in args if arg is not type(None)]
        if len(rest) == 1:
            return _or_null(_schema(rest[0], name))
    raise _Unsupported(
        f'the type hint {_named(hint)} of "{name}" has no schema: '
        "use str, int, float, bool, list[...], Literal[...] or one of them with | None"
    )


def _literal(values: tuple[Any, ...], name: str) -> dict[str, Any]:
    if not all(isinstance(value, (str, int, bool)) for value in values):
        raise _Unsupported(f'Literal of "{name}": only strings, integers and booleans')
    kinds = dict.fromkeys(_PLAIN[type(value)] for value in values)
    return {"type": next(iter(kinds)) if len(kinds) == 1 else [*kinds], "enum": list(values)}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    said = schema["type"]
    schema["type"] = [*(said if isinstance(said, list) else [said]), "null"]
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    return schema


def _docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Return the first line, and what the section ``Args:`` says of each parameter."""
    lines = (inspect.getdoc(function) or "").splitlines()
    about: dict[str, str] = {}
    inside, depth, last = False, 0, ""
    for line in lines:
        entry = _ENTRY.fullmatch(line)
        if _SECTION.fullmatch(line):
            inside, depth, last = True, 0, ""
        elif line and not line[0].isspace():
            inside = False
        elif inside and entry and (not depth or len(entry[1]) <= depth):
            depth, last = len(entry[1]), entry[2]
            about[last] = entry[3]
        elif inside and last and line.strip():
            about[last] = f"{about[last]} {line.strip()}".strip()
    return (lines[0].strip() if lines else ""), about


def _problem(function: Callable[..., Any], what: str) -> Problem:
    code = getattr(function, "__code__", None)
    where = f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""
    return Problem(
        "tool-signature",
        f"function {function.__qualname__} cannot be a tool: {what}",
        where=where,
        fix="give every parameter a type hint that JSON has, or write the tool as a class",
    )


def _named(hint: Any) -> str:
    return hint.__qualname__ if isinstance(hint, type) else str(hint).replace("typing.", "")
