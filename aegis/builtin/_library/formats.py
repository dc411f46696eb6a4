"""File formats of the library: each file becomes documents, and what is wrong with it is named.

Nothing in a file is fatal: a broken entry is counted, a broken file is one problem.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import evolve

from aegis.builtin._library.citations import bibliography
from aegis.builtin._library.extraction import TEXT_LIMIT, Skipped, Unreadable
from aegis.builtin._library.notes import markdown, plain_text
from aegis.builtin._library.pdf import pdf
from aegis.builtin._library.records import json_lines, zipped_json_lines
from aegis.contracts.outcome import Document
from aegis.contracts.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

FILE_LIMIT: Final = 20 << 20
"""Bytes of a file that is read at all."""

ENTRY_LIMIT: Final = 100_000
"""Entries of one file that are kept."""

_TITLE: Final = 300

READERS: Final[Mapping[str, Callable[[Path, str], Iterator[Document | Skipped]]]] = {
    ".md": markdown,
    ".markdown": markdown,
    ".txt": plain_text,
    ".bib": bibliography,
    ".jsonl": json_lines,
    ".jsonl.gz": zipped_json_lines,
    ".pdf": pdf,
}
"""How each format is read, by the end of the file's name."""


def suffix_of(name: str) -> str | None:
    """Return the format of a file by its name, or None for a file of another kind."""
    lower = name.lower()
    return next((suffix for suffix in READERS if lower.endswith(suffix)), None)


def read(path: Path, relative: str) -> Iterator[Document | Skipped]:
    """Yield the documents of a file, and what in it is none.

    Args:
        path: The file.
        relative: Its path within the library, with slashes.

    Raises:
        Unreadable: If the whole file cannot be read.
    """
    suffix = suffix_of(relative)
    if suffix is None:
        raise Unreadable("a format that the library does not read")
    if path.stat().st_size > FILE_LIMIT:
        raise Unreadable(f"larger than {FILE_LIMIT >> 20} MB")
    for count, found in enumerate(READERS[suffix](path, relative)):
        if count >= ENTRY_LIMIT:
            yield Skipped("", f"more than {ENTRY_LIMIT:,} entries; the others are left out")
            return
        yield _bounded(found) if isinstance(found, Document) else found


def _bounded(document: Document) -> Document:
    title = one_line(document.title, _TITLE)
    return evolve(document, title=title, text=document.text[:TEXT_LIMIT])
