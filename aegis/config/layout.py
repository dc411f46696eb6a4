"""Where every key of a TOML text stands, and whether the text is small enough to parse.

A TOML parser may take minutes for a small hostile file (a dotted key of 20,000 parts takes half
a minute), so the text is scanned first. The same scan notes the line of every key, which the
parser forgets.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import tomli

from aegis.config.problem import ConfigProblem
from aegis.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES: Final = 64 * 1024
MAX_KEY_PARTS: Final = 32
MAX_DEPTH: Final = 32

_TOKEN: Final = re.compile(
    r"""
    (?P<newline>\n)
    | (?P<blank>[ \t\r]+|\#[^\n]*)
    | (?P<string>
        \"\"\"(?:[^"\\]|\\.|"{1,2}(?!"))*+(?:"{3,5})?
        | '''(?:[^']|'{1,2}(?!'))*+(?:'{3,5})?
        | "(?:[^"\\\n]|\\[^\n])*+"?
        | '[^'\n]*+'?
      )
    | (?P<bare>[A-Za-z0-9_-]+)
    | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)

Keys = tuple[str, ...]
"""The path of a key from the top of the file."""


class Layout(NamedTuple):
    """The lines of a TOML text's keys.

    Attributes:
        lines: Line, from 1, of every key that is written out.
        implied: Line on which a table first occurs that is only part of longer keys.
    """

    lines: Mapping[Keys, int]
    implied: Mapping[Keys, int]

    def line(self, keys: Keys) -> int | None:
        """Return the line of a key or table, or None where the text has none."""
        return self.lines.get(keys) or self.implied.get(keys)


EMPTY: Final = Layout({}, {})


def scan(text: str, name: str) -> Layout:
    """Return where the keys of `text` stand.

    Args:
        text: TOML, not necessarily valid: what is wrong with it is for the parser to say.
        name: What to call the text in an error.

    Raises:
        ConfigError: If the text is longer, has longer keys or is nested deeper than is allowed.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise excess(name, f"larger than {MAX_BYTES} bytes")
    scanner = _Scanner(name)
    for token in _TOKEN.finditer(text):
        scanner.take(token.lastgroup or "", token[0])
    scanner.take("newline", "\n")
    return Layout(scanner.lines, scanner.implied)


def excess(where: str, what: str) -> ConfigError:
    """Return the error for a text that is too large to be read."""
    fix = "no configuration needs this much: look at what wrote it"
    return ConfigError(ConfigProblem("config-too-large", what, where, fix))


class _Scanner:
    """State of one scan: which table and which brackets the next token stands in."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.line = 1
        self.lines: dict[Keys, int] = {}
        self.implied: dict[Keys, int] = {}
        self.brackets: list[str] = []
        self.outer: list[tuple[Keys, Keys]] = []  # table and value around each open bracket
        self.table: Keys = ()  # the table whose keys are being read
        self.value: Keys = ()  # the key whose value is being read
        self.parts: list[str] = []  # the key being read
        self.reading = "key"  # key | header | value

    def take(self, kind: str, token: str) -> None:
        if kind == "newline":
            self._end_line()
        elif kind in {"string", "bare"}:
            self._word(kind, token)
        elif kind == "mark":
            self._mark(token)

    def _end_line(self) -> None:
        if self.reading == "header":
            self._open_table()
        self.line += 1
        if not self.brackets:
            self._expect_key()

    def _word(self, kind: str, token: str) -> None:
        if self.reading != "value":
            self.parts.append(_unquote(token) if kind == "string" else token)
            if len(self.parts) > MAX_KEY_PARTS:
                raise self._excess(f"a key of more than {MAX_KEY_PARTS} parts")
        elif kind == "string":
            self.line += token.count("\n")

    def _mark(self, mark: str) -> None:
        if self.reading == "header":
            return
        if mark == "[" and self.reading == "key" and not self.brackets and not self.parts:
            self.reading = "header"
        elif mark == "=" and self.reading == "key":
            self._assign()
        elif mark in "[{":
            self._enter(mark)
        elif mark in "]}":
            self._leave()
        elif mark == "," and self.brackets and self.brackets[-1] == "{":
            self._expect_key()

    def _expect_key(self) -> None:
        self.reading, self.parts = "key", []

    def _open_table(self) -> None:
        self.table = tuple(self.parts)
        self._note(self.table)
        self._expect_key()

    def _assign(self) -> None:
        self.value = self.table + tuple(self.parts)
        self._note(self.value)
        self.reading = "value"

    def _note(self, keys: Keys) -> None:
        self.lines.setdefault(keys, self.line)
        for length in range(1, len(keys)):
            self.implied.setdefault(keys[:length], self.line)

    def _enter(self, mark: str) -> None:
        self.brackets.append(mark)
        if len(self.brackets) > MAX_DEPTH:
            raise self._excess(f"brackets nested more than {MAX_DEPTH} deep")
        self.outer.append((self.table, self.value))
        if mark == "{":
            self.table = self.value
            self._expect_key()

    def _leave(self) -> None:
        if self.brackets:
            self.brackets.pop()
            self.table, self.value = self.outer.pop()
            self.reading = "value"

    def _excess(self, what: str) -> ConfigError:
        return excess(f"{self.name}:{self.line}", what)


def _unquote(token: str) -> str:
    try:
        return next(iter(tomli.loads(f"{token} = 0")))
    except tomli.TOMLDecodeError:
        return token
