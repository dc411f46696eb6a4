"""What every format reader of the library shares: limits, names, and how a fault is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SOURCE: Final = "library"
"""Source of the library's documents."""

TEXT_LIMIT: Final = 60_000
"""Characters of a document's text that are kept."""


class Unreadable(Exception):  # noqa: N818 - a fact about a file, told in the result
    """A file, or an entry of it, is no document; the text says why."""


class Skipped(NamedTuple):
    """Something in a file that is no document: where, and why."""

    place: str
    reason: str


def text_of(path: Path) -> str:
    """Return the text of a file.

    Raises:
        Unreadable: If it is no UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8 (byte {error.start})") from error


def without_suffix(relative: str) -> str:
    """Return a path without the suffix of its last part."""
    return relative.rpartition(".")[0] or relative


def title_of(slug: str) -> str:
    """Return a title made from the name of a file."""
    words = re.sub(r"[-_]+", " ", slug.rpartition("/")[2]).strip()
    return words[:1].upper() + words[1:]


def unique(named: Iterable[str], own: str) -> tuple[str, ...]:
    """Return the works that are named, each once, the document itself left out."""
    return tuple(one for one in dict.fromkeys(named) if one and one != own)[:100]


def storable(text: str) -> str:
    """Return `text` without lone surrogates, which JSON can hold and a database cannot."""
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text
