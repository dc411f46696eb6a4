"""Answers kept for a while, so that the same question is not asked twice."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict, frozen

from aegis import Document

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from aegis_arxiv.question import Question
    from aegis_arxiv.state import StateFile

CAPACITY: Final = 16 * 1024 * 1024
"""Bytes of answers that are kept; the oldest go first. A page of ten papers has about 20 kB."""

_HOUR: Final = 3_600_000_000_000  # nanoseconds


@frozen
class Known:
    """An answer that is kept, without its papers.

    Attributes:
        series: Key of the list that the page belongs to.
        words: The words asked for, folded to one line.
        page: Number of the page.
        size: Papers on a page.
        total: Papers in the whole list.
    """

    series: str
    words: str
    page: int
    size: int
    total: int

    @property
    def has_next(self) -> bool:
        """Whether papers come after this page."""
        return self.page * self.size < self.total


class Answers:
    """The answers that are kept in the shared file.

    Args:
        file: The shared file.
        hours: How long an answer is good; 0 keeps none.
        clock: Nanoseconds since 1970. An answer from its future is not used.
        capacity: Bytes of answers to keep.
    """

    def __init__(
        self,
        file: StateFile,
        hours: float,
        *,
        clock: Callable[[], int] = time.time_ns,
        capacity: int = CAPACITY,
    ) -> None:
        self._file = file
        self._age = round(hours * _HOUR)
        self._clock = clock
        self._capacity = capacity

    def get(self, question: Question) -> tuple[tuple[Document, ...], int] | None:
        """Return the papers and the length of the whole list, or None if they are not kept.

        Raises:
            sqlite3.Error: If the file cannot be read just now.
        """
        with self._file.read() as connection:
            if connection is None:
                return None
            row = connection.execute(
                "SELECT documents, total FROM answers WHERE key = ? AND asked BETWEEN ? AND ?",
                (question.key, *self._window()),
            ).fetchone()
        if row is None:
            return None
        try:
            return _documents(row[0]), int(row[1])
        except (ValueError, TypeError):
            return None  # damaged on the disk: ask again, which replaces it

    def put(self, question: Question, documents: tuple[Document, ...], total: int) -> None:
        """Keep an answer that is whole.

        Raises:
            sqlite3.Error: If the file cannot be written.
        """
        if not self._age:
            return
        text = json.dumps([asdict(each) for each in documents])
        row = (
            question.key,
            question.series,
            " ".join(question.words),
            question.page,
            question.size,
            total,
            self._clock(),
            text,
        )
        with self._file.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row
            )
            self._trim(connection)

    def known(self, limit: int = 200) -> tuple[Known, ...]:
        """Return what was answered, latest first.

        Raises:
            sqlite3.Error: If the file cannot be read just now.
        """
        with self._file.read() as connection:
            if connection is None:
                return ()
            rows = connection.execute(
                "SELECT series, words, page, size, total FROM answers "
                "WHERE asked BETWEEN ? AND ? ORDER BY asked DESC LIMIT ?",
                (*self._window(), limit),
            ).fetchall()
        return tuple(Known(*row) for row in rows)

    def _window(self) -> tuple[int, int]:
        now = self._clock()
        return now - self._age, now

    def _trim(self, connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM answers WHERE asked NOT BETWEEN ? AND ?", self._window())
        connection.execute(
            "DELETE FROM answers WHERE key IN (SELECT key FROM (SELECT key, "
            "sum(length(documents)) OVER (ORDER BY asked DESC, key) AS held FROM answers) "
            "WHERE held > ?)",
            (self._capacity,),
        )


def _documents(text: str) -> tuple[Document, ...]:
    return tuple(Document(**_tuples(fields)) for fields in json.loads(text))


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in fields.items()}
