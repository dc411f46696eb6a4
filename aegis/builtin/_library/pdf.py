"""PDF files, read with pypdf."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from aegis.builtin._library.extraction import (
    SOURCE,
    TEXT_LIMIT,
    Skipped,
    Unreadable,
    storable,
    title_of,
    unique,
    without_suffix,
)
from aegis.contracts.outcome import Document
from aegis.contracts.text import one_line
from aegis.knowledge.text import references

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PAGE_LIMIT: Final = 300


def pdf(path: Path, relative: str) -> Iterator[Document | Skipped]:
    """Yield the document in a PDF file: the text of its pages up to the limit.

    Raises:
        Unreadable: If it is damaged, locked, or has no text.
    """
    try:
        told, text, failed = _extracted(path)
    except Unreadable:
        raise
    except Exception as error:  # a damaged file may raise anything from within the parser
        said = one_line(f"{type(error).__name__}: {error}", 160)
        raise Unreadable(f"no readable PDF: {said}") from error
    if failed:
        yield Skipped(
            ", ".join(f"page {number}" for number in failed[:5]), "its text cannot be read"
        )
    if not text.strip():
        raise Unreadable("it holds no text (scanned pages?)")
    title = _pdf_title(told, text) or title_of(without_suffix(relative))
    yield Document(
        SOURCE, relative, title, text, url=relative, references=unique(references(text), "")
    )


def _extracted(path: Path) -> tuple[object, str, list[int]]:
    """Return the title that the file gives itself, its text, and the pages without one."""
    import logging

    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = pypdf.PdfReader(path, strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        raise Unreadable("it is locked with a password")
    text, failed = _pages(reader)
    return reader.metadata.title if reader.metadata else None, text, failed


def _pages(reader: Any) -> tuple[str, list[int]]:
    """Return the text of the pages up to the limit, and the numbers of those that failed."""
    texts: list[str] = []
    failed: list[int] = []
    size = 0
    for number, page in enumerate(reader.pages, 1):
        if number > _PAGE_LIMIT or size > TEXT_LIMIT:
            break
        try:
            text = storable(page.extract_text().replace("\x00", ""))
        except Exception:  # noqa: BLE001 - one damaged page, of which any parser error may come, is named
            failed.append(number)
            continue
        size += len(text)
        texts.append(text)
    return _joined("\n\n".join(texts)), failed


def _joined(text: str) -> str:
    """Return the text of pages with words that were divided at line ends put together."""
    return re.sub(r"(?<=[a-z])-\n(?=[a-z])", "", text)


def _pdf_title(told: object, text: str) -> str:
    said = " ".join(str(told).split()) if isinstance(told, str) else ""
    made_up = re.match(r"(?i)untitled|microsoft word|.*\.(?:docx?|tex|dvi|pdf)$|arxiv:", said)
    if len(said) >= 4 and made_up is None:
        return said
    lines = (" ".join(line.split()) for line in text[:4000].split("\n"))
    return next((line for line in lines if len(line) >= 4 and any(map(str.isalpha, line))), "")
