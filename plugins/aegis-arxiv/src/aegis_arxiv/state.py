"""The file that all processes share: when arXiv was last asked, and what it answered.

SQLite in the tool's cache folder. It may be deleted at any time; a damaged one is replaced.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FORM: Final = 1
"""Number of the tables' form; a file of another form is emptied."""

_WAIT: Final = 2.0  # seconds for another process to finish its write, which takes milliseconds
_GLANCE: Final = 0.1  # the same for a reader, who can do without
_TABLES: Final = """
CREATE TABLE gate (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    last INTEGER NOT NULL,
    held_until INTEGER NOT NULL,
    closed_until INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    reason TEXT NOT NULL,
    unreachable INTEGER NOT NULL
);
CREATE TABLE answers (
    key TEXT PRIMARY KEY,
    series TEXT NOT NULL,
    words TEXT NOT NULL,
    page INTEGER NOT NULL,
    size INTEGER NOT NULL,
    total INTEGER NOT NULL,
    asked INTEGER NOT NULL,
    documents TEXT NOT NULL
);
CREATE INDEX answers_asked ON answers (asked);
"""


class StateFile:
    """The shared file.

    Args:
        folder: Where it lies; made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "arxiv.sqlite"

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction that no other process writes beside.

        Raises:
            sqlite3.Error: If the file cannot be written (a full disk, another user's folder).
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._opened()
        try:
            yield connection
            connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if _is_damage(error):
                self._discard()  # the next one begins anew
            raise
        finally:
            connection.close()  # without a commit this rolls back

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection | None]:
        """Open the file for reading; None where there is none, or none that can be read."""
        connection = self._reader()
        try:
            yield connection
        finally:
            if connection is not None:
                connection.close()

    def _opened(self) -> sqlite3.Connection:
        try:
            return self._begun()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise  # locked, full or forbidden: nothing that a new file would heal
            self._discard()
            return self._begun()

    def _discard(self) -> None:
        for name in (self.path.name, f"{self.path.name}-journal"):
            self.path.with_name(name).unlink(missing_ok=True)

    def _begun(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = OFF")  # what a power cut may take is no loss
            connection.execute("BEGIN IMMEDIATE")
            if _form(connection) != _FORM:
                _empty(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _reader(self) -> sqlite3.Connection | None:
        if not self.path.is_file():
            return None
        with suppress(sqlite3.Error):
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro", _GLANCE, uri=True
            )
            try:
                if _form(connection) == _FORM:
                    return connection
            except sqlite3.Error:
                connection.close()
                raise
            connection.close()
        return None


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    # What is wrong with the file itself has the class's own type; all else has a subclass.
    return type(error) is sqlite3.DatabaseError


def _form(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _empty(connection: sqlite3.Connection) -> None:
    for table in ("gate", "answers"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {_FORM}")
