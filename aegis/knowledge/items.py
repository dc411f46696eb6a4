"""Items of knowledge: what a tool brought back, kept with its provenance."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from attrs import frozen

from aegis.contracts.outcome import Document
from aegis.knowledge.gaps import explains
from aegis.store.tables import knowledge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aegis.contracts.outcome import Reading

TEXT_LIMIT: Final = 200_000
"""Characters of a document's text that are kept."""


@frozen
class Item:
    """One item of knowledge.

    Attributes:
        ref: Its reference in views and arguments (the row's number as text).
        document: What was found.
        tool: Tool that brought it.
        retrieved_at: When, UTC, ISO 8601.
        digest: sha256 of title and text.
        step: Step of the ledger that brought it.
        read_step: Step that read it, or None.
        sentences: Key sentences, once read.
        terms: Characteristic terms, once read.
    """

    ref: str
    document: Document
    tool: str
    retrieved_at: str
    digest: str
    step: int
    read_step: int | None = None
    sentences: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()


class Items:
    """The items of one ledger. Writes go into the ledger's open transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, document: Document, *, tool: str, at: str, step: int) -> tuple[Item, bool]:
        """Keep a document: one item per work, the newest version of it.

        Returns:
            The item, and whether the work was not known before. A newer version of a known work
            replaces its text (it counts as unread again), an older or equal one changes nothing.
        """
        known = self.find(document.source, document.identifier)
        if known is None:
            values = _columns(document) | {"tool": tool, "retrieved_at": at, "step": step}
            row = self._connection.execute(_INSERT, values)
            key = row.inserted_primary_key
            assert key is not None
            return self._item(key[0]), True
        if document.version <= known.document.version:
            return known, False
        fresh = {"tool": tool, "retrieved_at": at, "read_step": None}
        self._connection.execute(
            sa.update(knowledge).where(knowledge.c.id == int(known.ref)),
            _columns(document) | fresh,
        )
        return self._item(int(known.ref)), False

    def mark_read(self, reading: Reading, step: int) -> None:
        """Keep what reading an item gave."""
        self._connection.execute(
            sa.update(knowledge).where(knowledge.c.id == int(reading.ref)),
            {
                "read_step": step,
                "sentences": json.dumps(reading.sentences),
                "terms": json.dumps(reading.terms),
            },
        )

    def get(self, ref: str) -> Item | None:
        """Return the item with this reference."""
        if not ref.isdecimal() or len(ref) > 18:
            return None
        return self._one(knowledge.c.id == int(ref))

    def find(self, source: str, identifier: str) -> Item | None:
        """Return the item of this work."""
        return self._one(
            (knowledge.c.source == source) & (knowledge.c.identifier == identifier),
        )

    def search(self, query: str, limit: int = 10, *, read: bool | None = None) -> list[Item]:
        """Return the best matches by bm25, the title weighted three times.

        Args:
            query: Words in any form; nothing in them is syntax.
            limit: Items at most.
            read: Only items that were read (True) or not (False).
        """
        match = _match(query)
        if not match:
            return []
        condition = {
            None: "",
            True: "AND k.read_step IS NOT NULL",
            False: "AND k.read_step IS NULL",
        }
        statement = sa.text(_SEARCH.format(condition=condition[read]))
        rows = self._connection.execute(statement, {"match": match, "limit": limit})
        return [_to_item(row._mapping) for row in rows]

    def all(self, limit: int = -1) -> list[Item]:
        """Return the items, oldest first."""
        statement = sa.select(knowledge).order_by(knowledge.c.id).limit(limit)
        return [_to_item(row._mapping) for row in self._connection.execute(statement)]

    def count(self) -> int:
        """Return how many items there are."""
        return int(self._connection.execute(sa.select(sa.func.count(knowledge.c.id))).scalar_one())

    def explained(self, term: str) -> bool:
        """Return whether a document that was read has this term as its title's subject."""
        matches = self.search(term, 20, read=True)
        return any(explains(item.document.title, term) for item in matches)

    def _item(self, number: int) -> Item:
        found = self._one(knowledge.c.id == number)
        assert found is not None
        return found

    def _one(self, condition: sa.ColumnElement[bool]) -> Item | None:
        row = self._connection.execute(sa.select(knowledge).where(condition)).one_or_none()
        return None if row is None else _to_item(row._mapping)


_INSERT: Final = sa.insert(knowledge)
_SEARCH: Final = """
    SELECT k.* FROM knowledge_fts JOIN knowledge k ON k.id = knowledge_fts.rowid
    WHERE knowledge_fts MATCH :match {condition}
    ORDER BY bm25(knowledge_fts, 3.0, 1.0), k.id LIMIT :limit
"""
_WORD: Final = re.compile(r"\w+")


def _match(query: str) -> str:
    """Return an FTS5 expression of the query's words, each quoted, any of them."""
    words: Iterable[str] = dict.fromkeys(word.lower() for word in _WORD.findall(query))
    return " OR ".join(f'"{word}"' for word in words)


def _columns(document: Document) -> dict[str, Any]:
    text = document.text[:TEXT_LIMIT]
    digest = hashlib.sha256(f"{document.title}\n{text}".encode("utf-8", "replace")).hexdigest()
    return {
        "source": document.source,
        "identifier": document.identifier,
        "version": document.version,
        "title": document.title,
        "text": text,
        "url": document.url,
        "authors": json.dumps(document.authors),
        "published": document.published,
        "tags": json.dumps(document.tags),
        "refs": json.dumps(document.references),
        "withdrawn": document.withdrawn,
        "digest": digest,
        "sentences": "[]",
        "terms": "[]",
    }


def _strings(text: str) -> tuple[str, ...]:
    values: Sequence[str] = json.loads(text)
    return tuple(values)


def _to_item(row: Any) -> Item:
    document = Document(
        source=row["source"],
        identifier=row["identifier"],
        title=row["title"],
        text=row["text"],
        url=row["url"],
        version=row["version"],
        authors=_strings(row["authors"]),
        published=row["published"],
        tags=_strings(row["tags"]),
        references=_strings(row["refs"]),
        withdrawn=bool(row["withdrawn"]),
    )
    return Item(
        ref=str(row["id"]),
        document=document,
        tool=row["tool"],
        retrieved_at=row["retrieved_at"],
        digest=row["digest"],
        step=row["step"],
        read_step=row["read_step"],
        sentences=_strings(row["sentences"]),
        terms=_strings(row["terms"]),
    )
