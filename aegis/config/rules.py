"""The rule for each type: what a raw value must be, and what it becomes.

cattrs finds the rule for a type; the rules are stricter than its own, which turn "8" into 8 and a
string into a list of its characters. An integer is accepted for a number, and nothing else for
anything else. A rule tells every fault of its value at once.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

import attrs
from cattrs import Converter

from aegis.config import annotation, literal
from aegis.config.annotation import allowed
from aegis.config.keys import Key, keys_of
from aegis.config.problem import Fault
from aegis.contracts.names import did_you_mean
from aegis.errors import AegisError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Rule = Callable[[Any, Any], Any]

_INTEGER_LIMIT: Final = 2**63
_EXAMPLES: Final[dict[Any, Any]] = {int: 1, float: 0.5, str: "text", bool: True, Path: "folder"}


class Refused(Exception):  # noqa: N818 - says what happened, and is never seen outside
    """A value broke its rule; holds every fault, by the path from that value."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__()
        self.faults = tuple(faults)

    @classmethod
    def of(cls, code: str, message: str) -> Refused:
        """Return the refusal of a value for one reason that concerns it as a whole."""
        return cls([Fault((), code, message)])


def _exactly(kind: type) -> Rule:
    def rule(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise _wrong_type(kind, value)
        return value

    return rule


def _integer(value: Any, _: Any) -> int:
    if type(value) is not int:
        raise _wrong_type(int, value)
    if not -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
        raise Refused.of("out-of-range", "an integer has at most 64 bits")
    return value


def _number(value: Any, _: Any) -> float:
    if type(value) is int:
        return float(_integer(value, int))
    if type(value) is not float:
        raise _wrong_type(float, value)
    if not math.isfinite(value):
        raise Refused.of("out-of-range", f"expected a finite number, found {value!r}")
    return value


def _path(value: Any, _: Any) -> Path:
    if type(value) is not str:
        raise _wrong_type(Path, value)
    if not value:  # it would be the folder that one is in
        raise Refused.of("out-of-range", "expected a path, found an empty text")
    return Path(value)


def _anything(value: Any, _: Any) -> Any:
    return value


def _literal_rule(kind: Any) -> Rule:
    options = get_args(kind)

    def rule(value: Any, _: Any) -> Any:
        if not any(type(value) is type(option) and value == option for option in options):
            raise _not_a_choice(value, options)
        return value

    return rule


_MANY: Final = 24
"""Choices that are all told; of more the first half of so many."""


def _not_a_choice(value: Any, options: Sequence[Any]) -> Refused:
    words = [option for option in options if isinstance(option, str)]
    near = did_you_mean(value, words) if isinstance(value, str) else ""
    shown = options if len(options) <= _MANY else options[: _MANY // 2]
    more = f" or {len(options) - len(shown)} more" if len(shown) < len(options) else ""
    known = f"{annotation.choices(shown)}{more}"
    return Refused.of(
        "not-a-choice", f"expected one of {known}, found {literal.found(value)}{near}"
    )


def _each(pairs: Iterable[tuple[Any, Any]], rule: Callable[[Any], Any]) -> Iterator[Any]:
    """Yield each value after `rule`, then refuse with the faults of all of them."""
    faults: list[Fault] = []
    for step, value in pairs:
        try:
            yield rule(value)
        except Refused as refused:
            faults += [fault.under(step) for fault in refused.faults]
    if faults:
        raise Refused(faults)


def _list_rule(kind: Any) -> Rule:
    item = annotation.item(kind)
    make: Any = annotation.LISTS[get_origin(kind) or kind]

    def rule(value: Any, _: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise _wrong_type(kind, value)
        return make(_each(enumerate(value), lambda one: CONVERTER.structure(one, item)))

    return rule


def _fixed_tuple_rule(kind: Any) -> Rule:
    items = get_args(kind)

    def rule(value: Any, _: Any) -> Any:
        if not isinstance(value, list | tuple) or len(value) != len(items):
            words = ", ".join(allowed(item) for item in items)
            message = f"expected an array of {words}; found {literal.found(value)}"
            raise Refused.of("wrong-type", message)
        pairs = enumerate(zip(value, items, strict=True))
        return tuple(_each(pairs, lambda pair: CONVERTER.structure(*pair)))

    return rule


def _mapping_rule(kind: Any) -> Rule:
    item = get_args(kind)[1] if get_args(kind) else Any
    names = annotation.names(kind)

    def rule(value: Any, _: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _wrong_type(kind, value)
        faults = [_unknown(n, value[n], [*names])[0] for n in value if names and n not in names]
        values: list[Any] = []
        try:
            values += _each(value.items(), lambda one: CONVERTER.structure(one, item))
        except Refused as refused:
            faults += refused.faults
        if faults:
            raise Refused(faults)
        return dict(zip(value, values, strict=True))

    return rule


def _union_rule(kind: Any) -> Rule:
    # An integer fits a number too, so numbers are tried last and stay what they were.
    options = sorted(annotation.options(kind), key=lambda option: option is float)
    optional = types.NoneType in get_args(kind)

    def rule(value: Any, _: Any) -> Any:
        if value is None and optional:
            return None
        if len(options) == 1:
            return CONVERTER.structure(value, options[0])
        for option in options:
            try:
                return CONVERTER.structure(value, option)
            except Refused:
                continue
        raise _wrong_type(kind, value)

    return rule


def _table_rule(cls: Any) -> Rule:
    return lambda value, _: table(cls, value)


def table(cls: type, raw: Any, others: tuple[str, ...] = ()) -> Any:
    """Return an instance of the attrs class `cls` made from the table `raw`.

    Args:
        cls: Its fields are the keys that are allowed.
        raw: The table.
        others: Further names to suggest for an unknown key.

    Raises:
        Refused: With every fault of the table and of what it holds.
    """
    if not isinstance(raw, Mapping):
        raise _wrong_type(cls, raw)
    keys = {key.name: key for key in keys_of(cls)}
    unknown = [_unknown(name, raw[name], [*keys, *others]) for name in raw if name not in keys]
    faults = [fault for fault, _ in unknown]
    meant = {near: fault.path[0] for fault, near in unknown if near in keys and near not in raw}
    faults += _inside([(keys[near], str(name), raw[name]) for near, name in meant.items()])
    values: dict[str, Any] = {}
    for name, key in keys.items():
        try:
            if name in raw:
                values[name] = _limited(CONVERTER.structure(raw[name], key.type), key)
            elif key.required and name not in meant:
                faults.append(_missing(key))
        except Refused as refused:
            faults += [_with_example(fault, key).under(name) for fault in refused.faults]
    if faults:
        raise Refused(faults)
    return _made(cls, values)


def _inside(misnamed: list[tuple[Key, str, Any]]) -> Iterator[Fault]:
    """Yield what is wrong inside a table whose name is wrong, read as the table that was meant."""
    for key, name, value in misnamed:
        try:
            if isinstance(value, Mapping) and attrs.has(key.type):
                table(key.type, value)
        except Refused as refused:
            yield from (fault.under(name) for fault in refused.faults)


def _unknown(name: str, value: Any, known: list[str]) -> tuple[Fault, str]:
    near = did_you_mean(name, known)
    kind = "section" if isinstance(value, Mapping) else "key"
    listed = "" if near or not known else f"; known here: {', '.join(known)}"
    fault = Fault((name,), f"unknown-{kind}", f"unknown {kind}{near}{listed}")
    return fault, next((one for one in known if f'"{one}"' in near), "")


def _missing(key: Key) -> Fault:
    message = f"missing; expected {allowed(key.type)}"
    return Fault((key.name,), "missing-key", message, _example(key))


def _with_example(fault: Fault, key: Key) -> Fault:
    if fault.path or fault.fix:
        return fault
    return fault._replace(fix=_example(key))


def _made(cls: type, values: dict[str, Any]) -> Any:
    try:
        return cls(**values)
    except AegisError as error:
        raise Refused(Fault((), p.code, p.message, p.fix) for p in error.problems) from error
    except (ValueError, TypeError) as error:  # what validators of the class raise
        raise Refused.of("invalid-value", str(error)) from error


def _limited(value: Any, key: Key) -> Any:
    """Return `value` if it keeps the limits of its setting; the items of a list or table must."""
    if value is None or not key.limits:
        return value
    if isinstance(value, Mapping):
        list(_each(value.items(), lambda item: _limited(item, key)))
    elif isinstance(value, list | tuple | frozenset):
        list(_each(enumerate(value), lambda item: _limited(item, key)))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _in_range(value, key.limits)
    elif "choices" in key.limits and value not in key.limits["choices"]:
        raise _not_a_choice(value, key.limits["choices"])
    elif "path" in key.limits and "\0" in str(value):
        raise Refused.of("invalid-value", "a path cannot hold the character NUL")
    return value


def _in_range(value: float, limits: Mapping[str, Any]) -> None:
    low, above, high = (limits.get(name) for name in ("ge", "gt", "le"))
    inside = (
        (low is None or value >= low)
        and (above is None or value > above)
        and (high is None or value <= high)
    )
    if not inside:
        bounds = [
            f"{word} {limit}"
            for word, limit in (("at least", low), ("more than", above), ("at most", high))
            if limit is not None
        ]
        message = f"expected a value of {' and '.join(bounds)}, found {value!r}"
        raise Refused.of("out-of-range", message)


def _wrong_type(kind: Any, value: Any) -> Refused:
    return Refused.of("wrong-type", f"expected {allowed(kind)}, found {literal.found(value)}")


def _example(key: Key) -> str:
    example = key.default()
    if example is None or attrs.has(type(example)):
        options = [option for option in annotation.options(key.type) if option in _EXAMPLES]
        if not options:
            return ""
        example = _EXAMPLES[options[0]]
    return f"write {literal.key(key.name)} = {literal.render(example)}"


def _converter() -> Converter:
    converter = Converter()
    for kind in (str, bool, types.NoneType):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(Path, _path)
    converter.register_structure_hook_func(lambda kind: kind is Any, _anything)
    for applies, rule in (
        (annotation.is_literal, _literal_rule),
        (annotation.is_union, _union_rule),
        (annotation.is_mapping, _mapping_rule),
        (annotation.is_list, _list_rule),
        (annotation.is_fixed_tuple, _fixed_tuple_rule),
        (attrs.has, _table_rule),
    ):
        converter.register_structure_hook_factory(applies, rule)
    return converter


CONVERTER: Final = _converter()
"""Structures raw values by the rules above; raises `Refused`."""
