"""Citations: the entries of a BibTeX file as documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aegis.builtin._library import bibtex
from aegis.builtin._library.extraction import SOURCE, Skipped, text_of, unique
from aegis.contracts.outcome import Document
from aegis.knowledge.text import references

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def bibliography(path: Path, relative: str) -> Iterator[Document | Skipped]:
    """Yield a document for each entry that has a title; its text is the abstract."""
    for entry in bibtex.entries(text_of(path)):
        if isinstance(entry, bibtex.Fault):
            yield Skipped(f"line {entry.line}", entry.reason)
        elif not entry.fields.get("title"):
            yield Skipped(f"line {entry.line}", f"entry {entry.key} has no title")
        else:
            yield _cited(entry, relative)


def _cited(entry: bibtex.Entry, relative: str) -> Document:
    fields = entry.fields
    doi = fields.get("doi", "")
    eprint = fields.get("eprint", "")
    named = [
        *references(f"doi:{doi}"),
        *references(f"arXiv:{eprint}"),
        *references(fields.get("url", "")),
    ]
    link = fields.get("url") or (f"https://doi.org/{doi}" if doi else "")
    keywords = re.split(r"[;,]", fields.get("keywords", ""))
    return Document(
        source=SOURCE,
        identifier=f"{relative}#{entry.key}",
        title=fields["title"],
        text=fields.get("abstract") or fields.get("annote") or fields.get("note") or "",
        url=link or relative,
        authors=bibtex.names(fields.get("author") or fields.get("editor") or ""),
        published=bibtex.published(fields),
        tags=tuple(word for keyword in keywords if (word := keyword.strip())),
        references=unique(named, ""),
    )
