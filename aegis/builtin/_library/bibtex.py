"""A small BibTeX reader that goes on after a broken entry.

It reads what bibliographies hold: entries with braced, quoted, numeric and concatenated values,
``@string`` macros, ``@comment`` and ``@preamble`` (both skipped), and the accents of LaTeX.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ENTRY: Final = re.compile(r"@[ \t]*([A-Za-z]+)\s*([{(])")
_NEXT: Final = re.compile(r"^[ \t]*@[ \t]*[A-Za-z]+\s*[{(]", re.MULTILINE)
_KEY: Final = re.compile(r"\s*([^\s,{}()=\"]*)\s*(,|(?=[})]))")
_FIELD: Final = re.compile(r"[\s,]*([^\s,=@{}\"]+)\s*=\s*")
_BARE: Final = re.compile(r"[^\s,#{}()\"]+")
_SKIPPED: Final = frozenset({"comment", "preamble"})
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}


class Entry(NamedTuple):
    """One entry: its type and field names in lower case, its values as plain text."""

    kind: str
    key: str
    fields: Mapping[str, str]
    line: int


class Fault(NamedTuple):
    """An entry that could not be read: its line, from 1, and why."""

    line: int
    reason: str


class _Broken(Exception):  # noqa: N818 - never leaves this module
    pass


def entries(text: str) -> Iterator[Entry | Fault]:
    """Yield the entries of a bibliography in order, a `Fault` for each that cannot be read."""
    macros = dict(zip(_MONTHS, map(str, _MONTHS.values()), strict=True))
    at = 0
    while (start := _ENTRY.search(text, at)) is not None:
        kind = start[1].lower()
        line = text.count("\n", 0, start.start()) + 1
        try:
            if kind in _SKIPPED:
                at = _braced(text, start.end() - 1, "}" if start[2] == "{" else ")")
                continue
            key, at = ("", start.end()) if kind == "string" else _key(text, start.end())
            fields, at = _fields(text, at, macros)
        except _Broken as broken:
            yield Fault(line, str(broken))
            following = _NEXT.search(text, start.end())
            at = following.start() if following else len(text)
            continue
        if kind == "string":
            macros |= fields
        elif not key:
            yield Fault(line, "it has no key")
        else:
            plain = {name: plain_text(value) for name, value in fields.items()}
            yield Entry(kind, key, plain, line)


def _key(text: str, at: int) -> tuple[str, int]:
    match = _KEY.match(text, at)
    if match is None:
        raise _Broken("its key cannot be read")
    return match[1], match.end()


def _fields(text: str, at: int, macros: Mapping[str, str]) -> tuple[dict[str, str], int]:
    """Return the fields up to the end of an entry, and where the text goes on."""
    fields: dict[str, str] = {}
    while True:
        match = _FIELD.match(text, at)
        if match is None:
            end = re.compile(r"[\s,]*[})]").match(text, at)
            if end is None:
                raise _Broken("a field or the end of the entry is missing")
            return fields, end.end()
        value, at = _value(text, match.end(), macros)
        fields.setdefault(match[1].lower(), value)


def _value(text: str, at: int, macros: Mapping[str, str]) -> tuple[str, int]:
    parts: list[str] = []
    while True:
        part, at = _part(text, at, macros)
        parts.append(part)
        joint = re.compile(r"\s*#\s*").match(text, at)
        if joint is None:
            return "".join(parts), at
        at = joint.end()


def _part(text: str, at: int, macros: Mapping[str, str]) -> tuple[str, int]:
    opening = text[at : at + 1]
    if opening == "{":
        end = _braced(text, at, "}")
        return text[at + 1 : end - 1], end
    if opening == '"':
        end = _braced(text, at, '"')
        return text[at + 1 : end - 1], end
    match = _BARE.match(text, at)
    if match is None:
        raise _Broken("a value is missing")
    return macros.get(match[0].lower(), match[0]), match.end()


def _braced(text: str, at: int, closing: str) -> int:
    """Return where the group that opens at `at` has ended; braces within it balance."""
    depth = 0
    position = at + 1
    while position < len(text):
        character = text[position]
        if character == closing and depth == 0:
            return position + 1
        if character == "\\":
            position += 1
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth < 0:
                break
        position += 1
    raise _Broken("a brace or quotation mark is not closed")


# ------------------------------------------------------------------ LaTeX to plain text

_COMBINING: Final = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306",
    ".": "\u0307", '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "c": "\u0327",
    "k": "\u0328", "d": "\u0323", "b": "\u0331",
}  # fmt: skip
_LETTERS: Final = {
    "ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ",
    "aa": "å", "AA": "Å", "i": "i", "j": "j", "textendash": "\u2013", "textemdash": "\u2014",
}  # fmt: skip
_ACCENT: Final = re.compile(
    r"\\(?:([`'^~=.\"])\s*|([uvHcdbrk])(?=[\s{\\])\s*)(?:\{\s*(\\?[A-Za-z])\s*\}|(\\?[A-Za-z]))"
)
_LETTER: Final = re.compile(
    r"\\(ss|o|O|l|L|ae|AE|oe|OE|aa|AA|i|j|textendash|textemdash)(?![A-Za-z])\s?"
)
_COMMAND: Final = re.compile(r"\\[A-Za-z]+\*?\s?")
_SYMBOL: Final = re.compile(r"\\([^A-Za-z])")


def plain_text(value: str) -> str:
    """Return a BibTeX value as text: accents composed, commands and braces gone, one line."""
    if "\\" in value:
        value = _ACCENT.sub(_accented, value)
        value = _LETTER.sub(lambda m: _LETTERS[m[1]], value)
        value = _SYMBOL.sub(r"\1", _COMMAND.sub("", value))
    value = value.replace("{", "").replace("}", "").replace("~", " ").replace("--", "\u2013")
    return " ".join(value.split())


def _accented(match: re.Match[str]) -> str:
    mark = _COMBINING[match[1] or match[2]]
    letter = (match[3] or match[4]).removeprefix("\\")
    return unicodedata.normalize("NFC", letter + mark)


def names(value: str) -> tuple[str, ...]:
    """Return the names of an ``author`` field, each as it is read aloud."""
    people = (person.strip() for person in re.split(r"\s+and\s+", value))
    return tuple(_name(person) for person in people if person and person != "others")


def _name(person: str) -> str:
    last, comma, first = person.partition(",")
    return f"{first.rpartition(',')[2].strip()} {last.strip()}".strip() if comma else person


def published(fields: Mapping[str, str]) -> str:
    """Return the date of an entry as far as it is known: ``2021``, ``2021-06`` or empty."""
    date = re.match(r"\d{4}(?:-\d{2}(?:-\d{2})?)?", fields.get("date", ""))
    if date is not None:
        return date[0]
    year = re.search(r"\b(?:1[5-9]|20)\d{2}\b", fields.get("year", ""))
    if year is None:
        return ""
    month = fields.get("month", "").lower()[:3].strip(".")
    number = _MONTHS.get(month) or (int(month) if month.isdecimal() and len(month) < 3 else 0)
    return f"{year[0]}-{number:02}" if 1 <= number <= 12 else year[0]
