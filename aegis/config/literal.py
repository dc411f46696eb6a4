"""TOML values as text: what `--set` and variables hold, and what messages and `show` print."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import tomli

from aegis.config.layout import scan

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_PROBE: Final = "value"


def parse(text: str) -> Any:
    """Return the TOML value that `text` is, or `text` itself where it is none.

    Raises:
        ConfigError: If the value is nested deeper or longer than a file may be.
    """
    line = f"{_PROBE} = {text}"
    scan(line, "a value of the command line or the environment")
    try:
        table = tomli.loads(line)
    except ValueError:  # not TOML, or an integer of thousands of digits
        return text
    return table[_PROBE] if len(table) == 1 else text


def render(value: Any) -> str:
    """Return `value` as one line of TOML; `parse` gives it back exactly."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | Path):
        return _string(str(value))
    if isinstance(value, Mapping):
        pairs = (f"{key(name)} = {render(item)}" for name, item in value.items())
        inner = ", ".join(pairs)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple | frozenset):
        items = sorted(value) if isinstance(value, frozenset) else value
        return f"[{', '.join(render(item) for item in items)}]"
    if isinstance(value, int | float):
        return repr(value)
    return str(value)


def key(name: str) -> str:
    """Return `name` as a TOML key, quoted where it must be."""
    return name if _BARE.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    # JSON's escapes are TOML's, but TOML also wants DEL escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def found(value: Any) -> str:
    """Return what `value` is, in words, for a message about its type."""
    if isinstance(value, int) and value.bit_length() > 1024:
        return "an integer of hundreds of digits"
    for kinds, words in _FOUND:
        if isinstance(value, kinds):
            return words.format(_short(render(value)) if "{}" in words else "")
    return f"{type(value).__name__} {_short(str(value))}"


_FOUND: Final[tuple[tuple[Any, str], ...]] = (
    (type(None), "nothing (null)"),
    (bool, "{}"),
    (str, "the string {}"),
    (int, "the integer {}"),
    (float, "the number {}"),
    (Mapping, "a table"),
    ((list, tuple), "the array {}"),
)


def _short(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
