"""Records: JSON lines, plain or gzipped, an object a document."""

from __future__ import annotations

import gzip
import json
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from aegis.builtin._library.extraction import SOURCE, Skipped, Unreadable, storable, unique
from aegis.contracts.outcome import Document
from aegis.contracts.text import one_line
from aegis.knowledge.text import references, sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

UNPACKED_LIMIT: Final = 200 << 20
"""Bytes that a gzipped file may unpack to."""

_LINE_LIMIT: Final = 2 << 20


def json_lines(path: Path, relative: str) -> Iterator[Document | Skipped]:
    """Yield a document for each line that is an object with a title or text."""
    with path.open("rb") as file:
        yield from _objects(iter(lambda: file.readline(_LINE_LIMIT), b""), relative)


def zipped_json_lines(path: Path, relative: str) -> Iterator[Document | Skipped]:
    """Yield what `json_lines` yields, from a gzipped file."""
    with _unzipping(), gzip.open(path) as file:
        yield from _objects(_limited(iter(lambda: file.readline(_LINE_LIMIT), b"")), relative)


@contextmanager
def _unzipping() -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"the compressed data is damaged: {error}") from error


def _limited(lines: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for line in lines:
        size += len(line)
        if size > UNPACKED_LIMIT:
            raise Unreadable(f"unpacks to more than {UNPACKED_LIMIT >> 20} MB")
        yield line


def _objects(lines: Iterable[bytes], relative: str) -> Iterator[Document | Skipped]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _record(json.loads(line), relative, number)
        except Unreadable as unreadable:
            yield Skipped(f"line {number}", str(unreadable))
        except (ValueError, RecursionError):
            yield Skipped(f"line {number}", "no JSON")


def _record(data: Any, relative: str, number: int) -> Document:
    if not isinstance(data, dict):
        raise Unreadable("no object")
    text = _string(data, "abstract", "text", "summary", "content", "body")
    title = _string(data, "title") or next(iter(sentences(text[:2000])), "")
    if not title:
        raise Unreadable("neither title nor text")
    key = _string(data, "id", "identifier", "doi", "slug") or str(number)
    named = [*_strings(data, "references", "related"), *references(_work(data))]
    return Document(
        source=SOURCE,
        identifier=f"{relative}#{one_line(key, 200)}",
        title=" ".join(title.split()),
        text=text,
        url=_string(data, "url", "link") or relative,
        authors=_strings(data, "authors", "author", separator=", "),
        published=_string(data, "published", "date", "listed", "update_date", "year"),
        tags=_strings(data, "categories", "tags", "keywords", separator=" "),
        references=unique(named, ""),
    )


def _work(data: Mapping[str, Any]) -> str:
    """Return the identifiers that an object gives for itself, as a text that names them."""
    doi, key = _string(data, "doi"), _string(data, "arxiv_id", "id")
    return f"doi:{doi} arXiv:{key} {_string(data, 'url', 'link')}"


def _string(data: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = data.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and value.strip():
            return storable(value.strip())
    return ""


def _strings(data: Mapping[str, Any], *names: str, separator: str = " ") -> tuple[str, ...]:
    for name in names:
        value = data.get(name)
        if isinstance(value, str):
            value = value.split(separator)
        if isinstance(value, list):
            texts = [storable(item.strip()) for item in value if isinstance(item, str)]
            return tuple(text for text in texts if text)[:1000]
    return ()
