"""The one connection to a ledger's database: its settings, its schema version, its errors.

Settings: write-ahead log, ``synchronous=FULL`` (a commit is on the disk when it returns),
foreign keys, a busy timeout. SQLite before 3.51.3 can damage a write-ahead log that two
connections write, so a run's folder has one writing connection, its holder's; every other one is
opened read-only.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Final

from sqlalchemy import create_engine, event, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from aegis.errors import Problem, StoreError
from aegis.store import tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

FILE: Final = "ledger.sqlite"
BUSY_MS: Final = 5_000


def connect(path: Path, *, write: bool) -> Connection:
    """Open the database, make or migrate its tables where they are not those of this program.

    Args:
        path: The database file.
        write: Whether to write. A writing connection begins its transactions with ``BEGIN
            IMMEDIATE``; a reading one is read-only for SQLite itself, and each of its statements
            sees what was committed last.

    Raises:
        StoreError: ``ledger-absent``, ``ledger-newer``, ``ledger-older``, ``ledger-damaged``.
    """
    if write:
        path.parent.mkdir(parents=True, exist_ok=True)
    elif not path.exists():
        raise StoreError.of(
            "ledger-absent",
            "nothing has been recorded here yet",
            where=str(path),
            fix="start an agent with `aegis run`, or bring experience in with `aegis data import`",
        )
    engine = _engine(path, write=write)
    with translated(path):
        connection = engine.connect()
        try:
            _prepare(connection, path, write=write)
        except BaseException:
            close(connection)
            raise
    return connection


def close(connection: Connection) -> None:
    """Close a connection and its engine; what was not committed is undone."""
    with contextlib.suppress(DBAPIError):
        connection.rollback()
    connection.close()
    connection.engine.dispose()


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise what the database reports as a `StoreError` that says what to do."""
    try:
        yield
    except DBAPIError as error:
        raise _store_error(error, path) from error
    except OverflowError as error:
        fix = "the part that made it must give numbers of at most 64 bits"
        raise StoreError(Problem("not-storable", str(error), str(path), fix)) from error


def _engine(path: Path, *, write: bool) -> Engine:
    def _open() -> sqlite3.Connection:
        # An address, because only that can ask for read-only; quoted, because "?" may be in a path.
        address = f"{path.absolute().as_uri()}?mode={'rwc' if write else 'ro'}"
        # Without isolation_level=None the module would begin and commit on its own.
        database = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
        for pragma in _pragmas(write=write):
            database.execute(f"PRAGMA {pragma}")
        return database

    if not write:
        return create_engine(
            "sqlite+pysqlite://", creator=_open, poolclass=StaticPool, isolation_level="AUTOCOMMIT"
        )
    engine = create_engine("sqlite+pysqlite://", creator=_open, poolclass=StaticPool)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _pragmas(*, write: bool) -> tuple[str, ...]:
    # trusted_schema stays on: the triggers that keep the full-text index write a virtual table.
    always = (f"busy_timeout = {BUSY_MS}", "foreign_keys = ON")
    if not write:
        return (*always, "query_only = ON")
    return (*always, "journal_mode = WAL", "synchronous = FULL")


def _prepare(connection: Connection, path: Path, *, write: bool) -> None:
    version = _version(connection)
    if version == tables.HEAD:
        connection.rollback()
        return
    if version is not None and version > tables.HEAD:
        raise _newer(path, version)
    if not write:
        raise StoreError.of(
            "ledger-older",
            f"the ledger has schema {version or 'none'}, this program reads {tables.HEAD}",
            where=str(path),
            fix="run `aegis run` once: opening the ledger to write brings it up to date",
        )
    if version is None:
        _require_empty(connection, path)
        create(connection)
    else:
        migrate(connection)
    connection.commit()


def _version(connection: Connection) -> str | None:
    """Return the version of the tables: None where there are none, empty before the first."""
    found = connection.exec_driver_sql(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
    ).scalar()
    if found is None:
        return None
    version = connection.exec_driver_sql("SELECT max(version_num) FROM alembic_version").scalar()
    return str(version or "")


def _require_empty(connection: Connection, path: Path) -> None:
    others = inspect(connection).get_table_names()
    if others:
        raise StoreError.of(
            "ledger-foreign",
            f"the file is a database of something else (table {others[0]!r})",
            where=str(path),
            fix="move the file away, or choose another project folder with `-C`",
        )


def create(connection: Connection) -> None:
    """Make the tables of an empty database without alembic, whose import takes half a second.

    A test holds the result equal to what the migrations make.
    """
    tables.metadata.create_all(connection, checkfirst=False)
    for statement in tables.SEARCH:
        connection.exec_driver_sql(statement)
    connection.execute(tables.alembic_version.insert().values(version_num=tables.HEAD))


def migrate(connection: Connection) -> None:
    """Bring a database to the newest schema, in the connection's open transaction."""
    from alembic import command

    from aegis.store.migrations import configuration

    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _newer(path: Path, version: str) -> StoreError:
    return StoreError(
        Problem(
            "ledger-newer",
            f"the ledger has schema {version}, this program knows up to {tables.HEAD}",
            where=str(path),
            fix="use the version of Aegis that wrote it, or a newer one",
        )
    )


def _store_error(error: DBAPIError, path: Path) -> StoreError:
    said = str(error.orig)
    for words, code, message, fix in _MEANINGS:
        if any(word in said for word in words):
            return StoreError(Problem(code, f"{message} ({said})", str(path), fix))
    fix = "`aegis doctor` shows the health of the ledger"
    return StoreError(Problem("ledger-failed", f"the database refused: {said}", str(path), fix))


_MEANINGS: Final = (
    (
        ("disk is full", "disk I/O error"),
        "disk-full",
        "the disk takes no more; what was committed is safe",
        "free some space and run `aegis run` again: it goes on with the next step",
    ),
    (
        ("database is locked", "database table is locked"),
        "locked",
        "another process writes to the ledger",
        "wait until it ends, or end it",
    ),
    (
        ("malformed", "not a database", "file is encrypted"),
        "ledger-damaged",
        "the file is damaged",
        "`aegis doctor` shows what is damaged; put back a copy, or move the file away",
    ),
    (
        ("UNIQUE constraint",),
        "already-recorded",
        "this is in the ledger already and is not recorded twice",
        "`aegis log` shows the last step; run `aegis run` again to go on after it",
    ),
    (
        ("FOREIGN KEY constraint",),
        "not-storable",
        "it belongs to a run or an episode that was never begun",
        "begin the run and the episode before recording a step of them",
    ),
    (
        ("CHECK constraint", "NOT NULL constraint", "cannot store"),
        "not-storable",
        "a value is not one that the column takes",
        "the part that made it must give the type and the values of its contract",
    ),
    (
        ("readonly database", "unable to open"),
        "ledger-unwritable",
        "the file cannot be opened or written",
        "check the owner and the permissions of the folder",
    ),
)
