"""Notes: Markdown with optional front matter, and plain text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aegis.builtin._library.extraction import SOURCE, text_of, title_of, unique, without_suffix
from aegis.contracts.outcome import Document
from aegis.knowledge.text import references

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


def markdown(path: Path, relative: str) -> Iterator[Document]:
    """Yield the note in a Markdown file; without a title in front, its first heading is it."""
    facts, body = front_matter(text_of(path))
    heading = re.search(r"^#{1,6}[ \t]+(\S.*?)[ \t]*#*[ \t]*$", body, re.MULTILINE)
    slug = without_suffix(relative)
    title = _one(facts, "title") or (heading[1] if heading else "") or title_of(slug)
    named = [*_many(facts, "related"), *references(_one(facts, "reference")), *references(body)]
    yield Document(
        source=SOURCE,
        identifier=slug,
        title=title,
        text=body.strip(),
        url=relative,
        authors=_many(facts, "authors") or _many(facts, "author"),
        published=_one(facts, "date"),
        tags=_many(facts, "tags"),
        references=unique(named, slug),
    )


def plain_text(path: Path, relative: str) -> Iterator[Document]:
    """Yield the note in a text file; a short first line is its title."""
    body = text_of(path).strip()
    slug = without_suffix(relative)
    first = body.partition("\n")[0].strip()
    title = first if 0 < len(first) <= 150 else title_of(slug)
    yield Document(
        SOURCE, slug, title, body, url=relative, references=unique(references(body), slug)
    )


_FACT: Final = re.compile(r"([A-Za-z][\w -]{0,40}?)[ \t]*:(?:[ \t]+(.*?))?[ \t]*")
_ITEM: Final = re.compile(r"[ \t]*-[ \t]+(.*?)[ \t]*")


def front_matter(text: str) -> tuple[dict[str, list[str]], str]:
    """Return the facts between the first two ``---`` lines, and the text after them.

    A value is a list: ``[a, b]``, lines ``- a`` below the key, or the one text that stands there.
    Text that does not begin with such a block is all body.
    """
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        return {}, text
    end = next((n for n, line in enumerate(lines[1:200], 1) if line.rstrip() == "---"), None)
    if end is None:
        return {}, text
    facts: dict[str, list[str]] = {}
    name = ""
    for line in lines[1:end]:
        line = line.rstrip("\r")  # noqa: PLW2901 - the same line without its carriage return
        if (item := _ITEM.fullmatch(line)) and name:
            facts[name].append(_unquoted(item[1]))
        elif fact := _FACT.fullmatch(line):
            name = fact[1].strip().lower()
            facts[name] = list(_listed(fact[2] or ""))
    return facts, "\n".join(lines[end + 1 :])


def _listed(value: str) -> Iterable[str]:
    if value.startswith("[") and value.endswith("]"):
        value = value[1:-1]
        return [part for item in value.split(",") if (part := _unquoted(item))]
    return [part] if (part := _unquoted(value)) else []


def _unquoted(value: str) -> str:
    value = value.strip()
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value


def _one(facts: Mapping[str, list[str]], name: str) -> str:
    return ", ".join(facts.get(name, ()))


def _many(facts: Mapping[str, list[str]], name: str) -> tuple[str, ...]:
    return tuple(facts.get(name, ()))
