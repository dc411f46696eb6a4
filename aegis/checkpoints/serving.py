"""Which checkpoint decides, looked up without SQLAlchemy and without a lock.

A check of the composition asks this before anything heavy is imported, also while a run is on.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any, Final

from aegis.checkpoints.manifest import is_identifier
from aegis.errors import Problem, StoreError
from aegis.store import promotions

if TYPE_CHECKING:
    from pathlib import Path

    from aegis.store.promotions import Promotion

_LEDGER: Final = "ledger.sqlite"
_SINCE: Final = "0002"
"""Version of the tables that has promotions."""
_BUSY: Final = 5.0
"""Seconds to wait for a writer."""


def serving(run_folder: Path, profile: str) -> str | None:
    """Return the checkpoint that decides for a profile; None for the weights of its settings.

    None too where there is no ledger yet, or one from before there were promotions.

    Raises:
        StoreError: ``ledger-damaged`` if the record of promotions is not what was written.
    """
    return promotions.current(history(run_folder), profile)


def history(run_folder: Path) -> list[Promotion]:
    """Return all promotions of all profiles, oldest first, their digests checked.

    Raises:
        StoreError: ``ledger-damaged`` if they are not what was written.
    """
    path = run_folder / _LEDGER
    if not path.exists():
        return []
    try:
        rows, highest = _rows(path)
        wrong = list(promotions.findings(rows, highest))
    except (sqlite3.Error, TypeError) as error:
        wrong = [str(error)]
    if not wrong and not all(
        row["checkpoint"] is None or is_identifier(row["checkpoint"]) for row in rows
    ):
        wrong = ["a promotion names no checkpoint"]
    if wrong:
        raise StoreError(
            Problem(
                "ledger-damaged",
                f"which weights decide cannot be told: {wrong[0]}",
                where=str(path),
                fix="`aegis doctor` shows what is damaged; put back a copy, or begin anew with "
                "`aegis run --fresh`",
            )
        )
    return [promotions.promotion(row) for row in rows]


def _rows(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of the table and the highest number that one ever had."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    with contextlib.closing(
        sqlite3.connect(address, uri=True, timeout=_BUSY, isolation_level=None)
    ) as database:
        database.row_factory = sqlite3.Row
        database.execute("BEGIN")  # one snapshot
        known = database.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'promotions'"
        ).fetchone()
        if known is None:
            _require_older(database)
            return [], 0
        rows = database.execute("SELECT * FROM promotions ORDER BY id").fetchall()
        seen = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'promotions'")
        (highest,) = seen.fetchone() or (0,)
        return [dict(row) for row in rows], highest


def _require_older(database: sqlite3.Connection) -> None:
    """Require that a ledger without the table is one from before there were promotions."""
    (version,) = database.execute("SELECT max(version_num) FROM alembic_version").fetchone()
    if str(version or "") >= _SINCE:
        raise sqlite3.DatabaseError("the table of promotions is missing")
