"""The interface of what plugins build: each role's methods, capabilities, candidates, remarks."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from aegis.contracts.action import Action
from aegis.contracts.remarks import remark_faults
from aegis.contracts.roles import ToolSpec
from aegis.contracts.schema import argument_schema_faults, violations
from aegis.errors import PluginError, Problem
from aegis.host.attribution import attributed, way_out
from aegis.host.role import capability_faults, is_number, is_positive, misfit, shown

if TYPE_CHECKING:
    from aegis.contracts.component import Kind
    from aegis.contracts.roles import Engine, Tool
    from aegis.contracts.view import View
    from aegis.host.plugin import PluginInfo, Provided

METHODS: Final[Mapping[Kind, Mapping[str, int]]] = {
    "engine": {"score": 2, "score_batch": 1, "save": 1, "close": 0},
    "tokenizer": {"encode": 1, "decode": 1, "save": 1},
    "trainer": {"train": 3},
    "tool": {"candidates": 1, "call": 2},
    "environment": {"reset": 1, "candidates": 1, "step": 1},
}
"""Methods of each role, and how many positional arguments the host gives them."""

MOST: Final = 256
"""Candidates that are taken from one tool at one step, best first."""


def verify_interface(built: object, provided: Provided) -> None:
    """Check that an object has the role of its component.

    Raises:
        PluginError: With everything that is missing or of another shape.
    """
    component = provided.component
    faults = list(_faults(built, component.kind, component.name))
    if faults:
        raise PluginError(misfit(provided.plugin, component.kind, component.name, faults))


def actions(tool: Tool, view: View, plugin: PluginInfo) -> tuple[Action, ...]:
    """Return the candidates that a tool proposes for a view, each checked against its schema.

    A plain mapping of arguments becomes an `Action` of the tool.

    Raises:
        PluginError: If the tool raises, or a candidate is not a legal call of it.
    """
    with attributed(plugin, f'candidates of tool "{tool.spec.name}"'):
        proposed = list(itertools.islice(tool.candidates(view), MOST))
    made = [_action(tool.spec, item) for item in proposed]
    faults = [fault for action in made for fault in _candidate_faults(tool.spec, action)]
    if faults:
        raise PluginError(_candidate_problem(plugin, tool.spec.name, faults))
    return tuple(action for action in made if isinstance(action, Action))


def remarks_of(engine: Engine, name: str, plugin: PluginInfo) -> dict[str, float]:
    """Return what an engine remarks about its last `score`; nothing where it has no `remarks`.

    Args:
        engine: The engine, whatever it is made of.
        name: Its name as a component.
        plugin: Who provides it.

    Raises:
        PluginError: If reading them raises, or they are no mapping of a few names to finite
            numbers.
    """
    with attributed(plugin, f'remarks of engine "{name}"'):
        said = _remarks(engine)
        faults = [f"remarks: {fault}" for fault in remark_faults(said)]
        if not faults:
            return {key: float(value) for key, value in said.items()}
    raise PluginError(misfit(plugin, "engine", name, faults))


def _remarks(engine: Any) -> Any:
    try:
        return engine.remarks
    except AttributeError as error:
        if error.name != "remarks":  # the property is there, and something in it is not
            raise
        return {}


def _action(spec: ToolSpec, item: object) -> object:
    if isinstance(item, Mapping):
        return Action(spec.name, dict(item))
    return item


def _candidate_faults(spec: ToolSpec, item: object) -> Iterable[str]:
    if isinstance(item, Action):
        yield from _action_faults(spec, item)
    else:
        yield f"{shown(item)} is neither an Action nor a mapping of arguments"


def _action_faults(spec: ToolSpec, action: Any) -> Iterable[str]:
    if action.tool != spec.name:
        yield f'an action of "{action.tool}"'
    if not isinstance(action.arguments, Mapping):
        yield f"arguments are {shown(action.arguments)}"
        return
    if not isinstance(action.about, str) or not isinstance(action.signals, Mapping):
        yield f"about or signals of {shown(action)}"
    elif not all(type(value) is int for value in action.signals.values()):
        yield f"signals must be integers, not {dict(action.signals)!r}"
    yield from violations(_without(spec.arguments, action.slot), action.arguments, "arguments")
    yield from _slot_faults(spec, action)


def _slot_faults(spec: ToolSpec, action: Action) -> Iterable[str]:
    if action.slot is None:
        return
    slot = spec.arguments.get("properties", {}).get(action.slot)
    if slot is None:
        yield f'the slot "{action.slot}" is no argument'
    elif "string" not in (slot.get("type"), *_listed(slot.get("type"))):
        yield f'the slot "{action.slot}" takes no text'
    if action.slot in action.arguments:
        yield f'the slot "{action.slot}" is filled already'


def _without(schema: Mapping[str, Any], slot: str | None) -> Mapping[str, Any]:
    if slot is None or slot not in schema.get("required", ()):
        return schema
    return {**schema, "required": [name for name in schema["required"] if name != slot]}


def _faults(built: object, kind: Kind, name: str) -> Iterable[str]:
    methods = dict(METHODS[kind])
    if kind in ("engine", "tokenizer"):
        facts = getattr(built, "capabilities", None)
        yield from capability_faults(facts, kind, "capabilities")
        if kind == "engine" and getattr(facts, "writes_text", False):
            methods["write"] = 3
    elif kind == "trainer":
        accepts = getattr(built, "accepts", None)
        if not isinstance(accepts, frozenset) or not all(isinstance(x, str) for x in accepts):
            yield f"accepts must be a frozenset of engine kinds, not {shown(accepts)}"
    elif kind == "tool":
        spec = getattr(built, "spec", None)
        if isinstance(spec, ToolSpec):
            yield from _spec_faults(spec, name)
        else:
            yield f"spec must be an aegis.ToolSpec, not {shown(spec)}"
    for method, count in methods.items():
        yield from _method_faults(built, method, count)


def _method_faults(built: object, method: str, count: int) -> Iterable[str]:
    function = getattr(built, method, None)
    if function is None:
        yield f"it has no method {method}"
        return
    if not callable(function):
        yield f"{method} is {shown(function)}, not a method"
        return
    if inspect.iscoroutinefunction(function):
        yield f"{method} is a coroutine, and the host calls it directly"
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # functions of C extensions have none
        return
    try:
        signature.bind(*[None] * count)
    except TypeError as error:
        yield f"{method}{signature} does not take {count} arguments: {error}"


def _spec_faults(spec: Any, name: str) -> Iterable[str]:
    if spec.name != name:
        yield f'spec.name is "{spec.name}", and the component is "{name}"'
    if not isinstance(spec.description, str) or not spec.description.strip():
        yield "spec.description is empty"
    if spec.effects not in ("none", "local", "external"):
        yield f"spec.effects is {spec.effects!r}, none of none, local, external"
    if not is_positive(spec.timeout):
        yield f"spec.timeout must be a number of seconds above 0, not {spec.timeout!r}"
    if not is_number(spec.stale_after) or spec.stale_after < 0:
        yield f"spec.stale_after must be a number of seconds, not {spec.stale_after!r}"
    yield from (f"spec.arguments: {fault}" for fault in argument_schema_faults(spec.arguments))


def _listed(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else ()


def _candidate_problem(plugin: PluginInfo, name: str, faults: list[str]) -> Problem:
    shown = "; ".join(faults[:3]) + (f"; and {len(faults) - 3} more" if len(faults) > 3 else "")
    return Problem(
        "plugin-candidates",
        f'{plugin}: tool "{name}" proposed what it does not accept: {shown}',
        fix=way_out(plugin),
    )
