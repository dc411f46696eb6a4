"""The index of the library: SQLite with full-text search, brought up to date file by file.

The file is a cache: it may be deleted at any time, and is made anew where it is damaged or of
another version. What a file holds is committed together with the note that it was indexed, so
that an index that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import sqlite3
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from attrs import frozen

from aegis.builtin._library import formats
from aegis.builtin._library.extraction import SOURCE, Skipped, Unreadable
from aegis.contracts.outcome import Document
from aegis.contracts.text import one_line
from aegis.knowledge.text import content_words, words

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION: Final = 1
"""Version of the tables and of what the readers extract; another one is made anew."""

FILES: Final = 20_000
"""Files of a folder that are indexed."""

_ATTEMPTS: Final = 2
_WORDS: Final = 6

_SCHEMA: Final = """
CREATE TABLE files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL,
    attempts INTEGER NOT NULL, skipped INTEGER NOT NULL, problem TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL, identifier TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL, text TEXT NOT NULL, facts TEXT NOT NULL, digest BLOB NOT NULL
);
CREATE INDEX documents_path ON documents (path);
CREATE VIRTUAL TABLE contents USING fts5 (
    title, text, content = 'documents', content_rowid = 'id',
    tokenize = 'porter unicode61 remove_diacritics 2'
);
"""

_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM,
    }
)  # fmt: skip

_INSERT: Final = """
INSERT INTO documents (path, identifier, title, text, facts, digest) VALUES (?, ?, ?, ?, ?, ?)
"""
# No trigger does these: within one every row makes FTS5 flush, which is four times as slow.
_INSERT_CONTENT: Final = "INSERT INTO contents (rowid, title, text) VALUES (?, ?, ?)"
_DELETE_CONTENT: Final = """
INSERT INTO contents (contents, rowid, title, text)
SELECT 'delete', id, title, text FROM documents WHERE path = ?
"""
_SEARCH: Final = """
SELECT d.identifier, d.title, d.text, d.facts, d.digest FROM contents
JOIN documents d ON d.id = contents.rowid
WHERE contents MATCH ? ORDER BY bm25(contents, 3.0, 1.0), d.identifier LIMIT ? OFFSET ?
"""


class Unit(NamedTuple):
    """A file of the folder, and what tells whether it has changed."""

    relative: str
    path: Path
    size: int
    mtime_ns: int


@frozen
class State:
    """How an update went.

    Attributes:
        documents: Documents in the index.
        waiting: Files that there was no time for; an update goes on with them.
        problems: Files that could not be read, and entries that could not, one line each.
        skipped: How many files and entries these are.
    """

    documents: int
    waiting: int
    problems: tuple[str, ...]
    skipped: int


class Index:
    """The index of one folder. Use as a context manager.

    Args:
        file: The database.
        folder: The library.
    """

    def __init__(self, file: Path, folder: Path) -> None:
        self._file = file
        self._folder = folder.resolve()
        self._connection = self._opened()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def update(self, deadline: float) -> State:
        """Bring the index up to date with the folder, as far as time allows.

        Args:
            deadline: `time.monotonic()` after which no further file is begun.
        """
        units = {unit.relative: unit for unit in found(self._folder)}
        surplus = len(units) - FILES
        known = self._known()
        for path in known.keys() - units.keys():
            self._remove(path)
        waiting = 0
        for relative, unit in itertools.islice(units.items(), FILES):
            if (unit.size, unit.mtime_ns) == known.get(relative):
                continue
            if time.monotonic() < deadline:
                self._index(unit)
            else:
                waiting += 1
        return self._state(waiting, surplus)

    def search(self, query: str, limit: int, offset: int = 0) -> list[Document]:
        """Return the documents that speak of at least half of the words of `query`.

        Best match first by bm25, the title weighted three times. Words are compared by their
        stems; nothing in the query is syntax. Of more than six words the rarest six count.
        """
        match = self._match(query)
        if not match:
            return []
        rows = self._connection.execute(_SEARCH, (match, limit, offset))
        return [_document(row[:4], row[4]) for row in rows]

    # -------------------------------------------------------------- one file

    def _index(self, unit: Unit) -> None:
        try:
            digest = _digest(unit)
        except OSError as error:
            self._note(unit, "", problem=error.strerror or type(error).__name__, skipped=1)
            return
        statement = "SELECT sha256, attempts FROM files WHERE path = ?"
        before = self._connection.execute(statement, (unit.relative,)).fetchone()
        attempts = before[1] if before is not None and before[0] == digest else None
        if attempts == 0:  # touched, not changed
            statement = "UPDATE files SET size = ?, mtime_ns = ? WHERE path = ?"
            self._connection.execute(statement, (unit.size, unit.mtime_ns, unit.relative))
        elif attempts == _ATTEMPTS:
            self._note(unit, digest, problem="reading it did not come to an end", skipped=1)
        else:
            # Should reading this file take the worker down, the next worker knows.
            self._note(unit, digest, attempts=(attempts or 0) + 1)
            self._read(unit, digest)

    def _read(self, unit: Unit, digest: str) -> None:
        with self._transaction():
            self._forget(unit.relative)
            faults = list(self._extract(unit))
            first = f"{faults[0].place}: {faults[0].reason}".removeprefix(": ") if faults else ""
            self._note(unit, digest, problem=first, skipped=len(faults))

    def _extract(self, unit: Unit) -> Iterator[Skipped]:
        """Add what a file holds, and yield what in it is no document."""
        try:
            for entry in formats.read(unit.path, unit.relative):
                if isinstance(entry, Skipped):
                    yield entry
                elif not self._add(entry, unit.relative):
                    yield Skipped(entry.identifier, "stands there twice")
        except (Unreadable, OSError) as error:
            yield Skipped("", str(error))

    def _add(self, document: Document, relative: str) -> bool:
        """Add a document; return whether its identifier was free."""
        facts = {
            "url": document.url,
            "authors": document.authors,
            "published": document.published,
            "tags": document.tags,
            "references": document.references,
        }
        identifier = self._free(document.identifier, relative)
        if identifier is None:
            return False
        values = (identifier, document.title, document.text, json.dumps(facts))
        row = self._connection.execute(_INSERT, (relative, *values, _sealed(values))).lastrowid
        self._connection.execute(_INSERT_CONTENT, (row, document.title, document.text))
        return True

    def _free(self, identifier: str, relative: str) -> str | None:
        """Return what a document can be called, or None where it stands there already.

        Of a note and a text file of the same name the second keeps its suffix.
        """
        names = (identifier,) if "#" in identifier else (identifier, relative)
        statement = "SELECT 1 FROM documents WHERE identifier = ?"
        taken = (self._connection.execute(statement, (name,)).fetchone() for name in names)
        return next((name for name, row in zip(names, taken, strict=True) if row is None), None)

    def _forget(self, relative: str) -> None:
        self._connection.execute(_DELETE_CONTENT, (relative,))
        self._connection.execute("DELETE FROM documents WHERE path = ?", (relative,))

    def _note(
        self, unit: Unit, digest: str, *, problem: str = "", skipped: int = 0, attempts: int = 0
    ) -> None:
        values = (unit.relative, unit.size, unit.mtime_ns, digest, attempts, skipped, problem)
        statement = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)"
        self._connection.execute(statement, values)

    def _remove(self, relative: str) -> None:
        with self._transaction():
            self._forget(relative)
            self._connection.execute("DELETE FROM files WHERE path = ?", (relative,))

    # -------------------------------------------------------------- the database

    def _opened(self) -> sqlite3.Connection:
        connection = self._connected()
        try:
            if connection.execute("PRAGMA user_version").fetchone() == (VERSION,):
                return _tuned(connection)
        except FAULTS as error:
            connection.close()
            if not damaged(error):
                raise
        connection.close()
        delete(self._file)
        connection = self._connected()
        connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        return _tuned(connection)

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(self._file, timeout=10.0, isolation_level=None)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _known(self) -> dict[str, tuple[int, int]]:
        rows = self._connection.execute("SELECT path, size, mtime_ns FROM files WHERE attempts = 0")
        return {path: (size, mtime_ns) for path, size, mtime_ns in rows}

    def _state(self, waiting: int, surplus: int) -> State:
        (documents,) = self._connection.execute("SELECT count(*) FROM documents").fetchone()
        rows = self._connection.execute(
            "SELECT path, problem, skipped FROM files WHERE skipped > 0 ORDER BY path"
        ).fetchall()
        problems = [f"{path} ({one_line(problem, 120)})" for path, problem, _ in rows]
        if surplus > 0:
            problems.append(f"{surplus} files (more than {FILES:,} in the folder)")
        skipped = sum(count for _, _, count in rows) + max(0, surplus)
        return State(documents, waiting, tuple(problems), skipped)

    def _match(self, query: str) -> str:
        """Return an FTS5 expression: at least half of the words."""
        asked = list(dict.fromkeys(content_words(query) or words(query)))
        if len(asked) > _WORDS:
            asked = sorted(asked, key=self._frequency)[:_WORDS]
        quoted = [f'"{word}"' for word in asked]
        groups = itertools.combinations(quoted, (len(quoted) + 1) // 2)
        return " OR ".join(f"({' AND '.join(group)})" for group in groups if group)

    def _frequency(self, word: str) -> int:
        statement = "SELECT count(*) FROM contents WHERE contents MATCH ?"
        (count,) = self._connection.execute(statement, (f'"{word}"',)).fetchone()
        # A word that occurs nowhere tells nothing apart: last.
        return int(count) or 1 << 62


class Damaged(Exception):  # noqa: N818 - a state of the file, mended by making it anew
    """What the index holds is not what was put into it."""


FAULTS: Final = (sqlite3.DatabaseError, UnicodeDecodeError, Damaged)
"""What working with the index may raise; `damaged` tells which of them making it anew mends."""


def damaged(error: BaseException) -> bool:
    """Return whether an error means that the file is no good, not that it cannot be used now."""
    if not isinstance(error, sqlite3.DatabaseError):
        return isinstance(error, FAULTS)
    # An error without a code is Python's own: a text that is no UTF-8 any more.
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code & 0xFF not in _PASSING


def _tuned(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _sealed(values: tuple[str, str, str, str]) -> bytes:
    """Return the digest that a row must have; SQLite itself does not notice a flipped bit."""
    text = json.dumps(values).encode("ascii")
    return hashlib.blake2b(text, digest_size=12).digest()


def _document(values: tuple[str, str, str, str], digest: bytes) -> Document:
    if not all(isinstance(value, str) for value in values) or _sealed(values) != digest:
        raise Damaged(f"document {values[0]!r}")
    identifier, title, text, facts = values
    told = json.loads(facts)
    return Document(
        source=SOURCE,
        identifier=identifier,
        title=title,
        text=text,
        url=told["url"],
        authors=tuple(told["authors"]),
        published=told["published"],
        tags=tuple(told["tags"]),
        references=tuple(told["references"]),
    )


def found(folder: Path) -> Iterator[Unit]:
    """Yield the files of a folder that a reader exists for, by path.

    Hidden files and folders are left out, and so are links that lead out of the folder and links
    to folders.
    """
    stack = [folder]
    units: list[Unit] = []
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    stack.append(Path(entry.path))
                elif unit := _unit(entry, folder):
                    units.append(unit)
    yield from sorted(units)


def _unit(entry: os.DirEntry[str], folder: Path) -> Unit | None:
    if formats.suffix_of(entry.name) is None or not entry.is_file():
        return None
    path = Path(entry.path)
    if entry.is_symlink() and not path.resolve().is_relative_to(folder):
        return None
    facts = entry.stat()
    return Unit(path.relative_to(folder).as_posix(), path, facts.st_size, facts.st_mtime_ns)


def _digest(unit: Unit) -> str:
    """Return the sha256 of a file that is read at all; of a larger one, nothing."""
    if unit.size > formats.FILE_LIMIT:
        return ""
    return hashlib.sha256(unit.path.read_bytes()).hexdigest()


def delete(file: Path) -> None:
    """Remove a database and what SQLite keeps beside it."""
    for name in (file.name, f"{file.name}-wal", f"{file.name}-shm", f"{file.name}-journal"):
        file.with_name(name).unlink(missing_ok=True)
