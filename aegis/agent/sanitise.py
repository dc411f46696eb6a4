"""The sanitiser: whatever a tool returns becomes JSON that is safe to store, show and parse.

It runs twice on the same value: in the worker, so that only what may come back is sent, and in the
agent, because a worker is no more trusted than its tool.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import attrs
from attrs import evolve, frozen

from aegis.config.structure import from_json
from aegis.contracts.outcome import Document, Reading, ToolResult
from aegis.contracts.text import one_line
from aegis.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LIMIT: Final = 1 << 20
"""Bytes that a result may have, as compact JSON in UTF-8."""

DEPTH: Final = 32
"""Tables and arrays that may lie within each other."""

_KEY_LIMIT: Final = 256
_SHORT: Final = 1024
_INTEGER_LIMIT: Final = 2**63
_MESSAGE: Final = 500
_LINE: Final = 1000

# Controls that are no white space, surrogates, the byte order mark and the non-characters.
_UNSAFE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_ESCAPED: Final = re.compile('["\\\\\n\t\r]')
_REPLACEMENT: Final = "\ufffd"

_CHARACTERS: Final = "unsafe characters replaced"
_BYTES: Final = "byte strings decoded"
_NUMBERS: Final = "numbers that JSON cannot hold dropped"
_KEYS: Final = "keys that are no short text renamed or dropped"
_TYPES: Final = "values of other types dropped"
_DEEP: Final = "values nested too deeply dropped"
_LONG: Final = "texts cut and entries dropped for size"


@frozen
class Clean:
    """A sanitised value.

    Attributes:
        value: None, booleans, integers of 64 bits, finite numbers, text without controls, lists
            and tables with text keys; nothing else.
        notes: What was changed, one line each.
        incomplete: Whether something was left out, not only cleaned.
    """

    value: Any
    notes: tuple[str, ...] = ()
    incomplete: bool = False


def sanitise(value: Any, limit_bytes: int = LIMIT) -> Clean:
    """Return `value` as a JSON value of at most `limit_bytes`; never raises.

    Long texts are cut before short entries are dropped; entries are dropped from the end.
    Attrs objects become tables.

    Args:
        value: Anything.
        limit_bytes: Size of the compact JSON in UTF-8, at least 16.
    """
    walk = _Walk(limit_bytes)
    try:
        clean = walk.value(value, DEPTH)
    except _Full:
        walk.seen[_LONG] += 1
        clean = None
    notes = tuple(f"{count} {what}" for what, count in walk.seen.items())
    return Clean(clean, notes, any(walk.seen[kind] for kind in (_NUMBERS, _TYPES, _DEEP, _LONG)))


class _Full(BaseException):
    """What was begun does not fit. Not an `Exception`: those are what a value itself raises."""


class _Walk:
    """One sanitising: how many bytes are left, and what was changed so far."""

    def __init__(self, limit: int) -> None:
        self.left = limit
        self.seen: Counter[str] = Counter()

    def value(self, value: Any, depth: int) -> Any:
        """Return the JSON value of `value` and take its size from what is left."""
        before = self.left
        try:
            return self._value(value, depth)
        except Exception:  # noqa: BLE001 - a value's own methods may raise anything; it is then no JSON value
            self.left = before
            return self._none(_TYPES)

    def _value(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._text(str.__str__(value))
        if isinstance(value, bytes | bytearray | memoryview):
            self.seen[_BYTES] += 1
            return self._text(bytes(value[: self.left]).decode("utf-8", "replace"))
        if value is None or isinstance(value, bool | int | float):
            return self._number(value)
        return self._none(_DEEP) if depth == 0 else self._container(value, depth)

    def _container(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            return self._table(dict.items(value), depth)
        if isinstance(value, list | tuple):
            return self._array(value, depth)
        if isinstance(value, set | frozenset):
            return self._array(sorted(value, key=repr), depth)
        if attrs.has(type(value)):
            return self._table(_fields(value), depth)
        return self._none(_TYPES)

    def _take(self, size: int) -> None:
        if size > self.left:
            raise _Full
        self.left -= size

    def _none(self, why: str) -> None:
        self.seen[why] += 1
        self._take(4)

    def _number(self, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            self._take(5)
            return value
        if isinstance(value, int):
            plain: int | float = int.__int__(value)
            fits = -_INTEGER_LIMIT <= plain < _INTEGER_LIMIT
        else:
            plain = float.__float__(value)
            fits = math.isfinite(plain)
        if not fits:
            return self._none(_NUMBERS)
        self._take(len(repr(plain)))
        return plain

    def _text(self, text: str) -> str:
        cut = text[: self.left]  # a character has at least one byte: the rest cannot fit
        safe, replaced = _UNSAFE.subn(_REPLACEMENT, cut)
        if replaced:
            self.seen[_CHARACTERS] += replaced
        whole = len(safe) == len(text)
        if _size(safe) > self.left:
            self._take(2)
            safe, whole = _fitting(safe, self.left), False
            self.left += 2
        if not whole:
            self.seen[_LONG] += 1
        self._take(_size(safe))
        return safe

    def _array(self, items: Iterable[Any], depth: int) -> list[Any]:
        self._take(2)
        clean: list[Any] = []
        for item in items:
            before = self.left
            try:
                self._take(1)
                clean.append(self.value(item, depth - 1))
            except _Full:
                self.left = before
                self.seen[_LONG] += 1
                break
        return clean

    def _table(self, pairs: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
        """Return a table; long texts get what the other values leave."""
        self._take(2)
        named = list(self._named(pairs))
        clean: dict[str, Any] = dict.fromkeys(name for name, _ in named)
        rank = {name: _rank(value) for name, value in named}
        self._take(sum(_MINIMUM[one] for one in rank.values()))
        for name, value in sorted(named, key=lambda pair: rank[pair[0]]):
            self.left += _MINIMUM[rank[name]]
            clean[name] = self.value(value, depth - 1)
        return clean

    def _named(self, pairs: Iterable[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
        names: set[str] = set()
        for key, value in pairs:
            name = self._name(key)
            if name is None or name in names:
                self.seen[_KEYS] += 1
                continue
            self._take(_size(name) + 2)
            names.add(name)
            yield name, value

    def _name(self, key: Any) -> str | None:
        if not isinstance(key, str):
            if key is not None and not isinstance(key, int | float):
                return None
            self.seen[_KEYS] += 1
            return str(key) if not isinstance(key, int) or abs(key) < _INTEGER_LIMIT else None
        if len(key) > _KEY_LIMIT:
            return None
        safe, replaced = _UNSAFE.subn(_REPLACEMENT, str.__str__(key))
        if replaced:
            self.seen[_CHARACTERS] += replaced
        return safe


# Least bytes of a value: a short one gets its own, an array or table "[]", a long text '""'.
_MINIMUM: Final = (0, 2, 2)


def _rank(value: Any) -> int:
    if isinstance(value, str | bytes | bytearray | memoryview):
        return 2 if len(value) > _SHORT else 0
    return 0 if value is None or isinstance(value, bool | int | float) else 1


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    for field in attrs.fields(type(value)):
        yield field.name, getattr(value, field.name)


def _size(text: str) -> int:
    return len(text.encode("utf-8")) + len(_ESCAPED.findall(text)) + 2


def _fitting(text: str, room: int) -> str:
    """Return the longest beginning of `text` that takes at most `room` bytes."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _size(text[:middle]) - 2 <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low]


# ------------------------------------------------------------------ results of tools


def tool_result(data: Any, *, incomplete: bool = False, notes: Iterable[str] = ()) -> ToolResult:
    """Return what a tool answered as a `ToolResult`; never raises.

    What has the wrong shape becomes status ``error`` with the reason. What was cut turns ``ok``
    into ``partial``, and the message says so: an incomplete answer must not pass for a whole one.

    Args:
        data: The answer; sanitised here.
        incomplete: Whether something was left out of it already.
        notes: What was changed already.
    """
    clean = sanitise(data)
    try:
        result = _lines(from_json(ToolResult, clean.value))
    except InputError as error:
        wrong = "; ".join(problem.message for problem in error.problems[:3])
        return failed(f"the tool returned what is no result: {wrong}")
    return _told(result, [*notes, *clean.notes], incomplete=incomplete or clean.incomplete)


def failed(message: str) -> ToolResult:
    """Return the result of a call that was not answered."""
    return ToolResult("error", one_line(sanitise(message).value or "no reason given", _MESSAGE))


def _told(result: ToolResult, notes: list[str], *, incomplete: bool) -> ToolResult:
    message = result.message
    status = result.status
    if incomplete:
        said = "the answer was cut: " + ", ".join(dict.fromkeys(notes))
        message = f"{message}; {said}" if message else said
        status = "partial" if status == "ok" else status
    if status != "ok" and not message:
        message = f"{status}; the tool gave no reason"
    return evolve(result, status=status, message=one_line(message, _MESSAGE))


def _lines(result: ToolResult) -> ToolResult:
    """Return the result with one line wherever the contract says one line."""
    return evolve(
        result,
        message=one_line(result.message, _MESSAGE),
        documents=tuple(map(_document, result.documents)),
        readings=tuple(map(_reading, result.readings)),
        retry_after=max(0.0, result.retry_after),
    )


def _document(document: Document) -> Document:
    title = one_line(document.title, _LINE) or one_line(document.identifier, _LINE)
    return evolve(
        document,
        source=one_line(document.source, _LINE),
        identifier=one_line(document.identifier, _LINE),
        title=title,
        url=one_line(document.url, 2 * _LINE),
        published=one_line(document.published, _LINE),
        authors=_each(document.authors),
        tags=_each(document.tags),
        references=_each(document.references),
    )


def _reading(reading: Reading) -> Reading:
    return evolve(
        reading,
        sentences=_each(reading.sentences),
        terms=_each(reading.terms),
        references=_each(reading.references),
    )


def _each(texts: Iterable[str], shorten: Callable[[str, int], str] = one_line) -> tuple[str, ...]:
    return tuple(line for line in (shorten(text, _LINE) for text in texts) if line)
