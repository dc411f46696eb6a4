"""Runs and their episodes: the rows that steps belong to.

Each row carries a digest over itself, renewed when it ends, so that an edit is noticed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict, evolve, frozen
from sqlalchemy import func, insert, select, update

from aegis.errors import Problem, StoreError
from aegis.store.rows import link
from aegis.store.tables import episodes, runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Connection, RowMapping, Table

    from aegis.contracts.experience import Origin

IMPORTED: Final = "import"
"""The profile that imported runs carry: no profile of this project decided in them."""


@frozen
class RunRow:
    """One run, as the ledger keeps it; ``finished`` and ``reason`` are None while it goes on."""

    id: str
    profile: str
    seed: int
    started: str
    finished: str | None = None
    reason: str | None = None


@frozen
class EpisodeRow:
    """One episode, as the ledger keeps it."""

    id: int
    run: str
    environment: str
    seed: int
    goal: str
    origin: Origin
    started_step: int
    finished: bool = False


def digest(table: Table, values: Mapping[str, Any] | RowMapping) -> str:
    """Return the digest that a row of ``runs`` or ``episodes`` must carry."""
    return link(table.name, [values[column.name] for column in table.c if column.name != "digest"])


def put_run(connection: Connection, row: RunRow) -> None:
    """Write a run, over the row that it has already."""
    known = find_run(connection, row.id) is not None
    _put(connection, runs, asdict(row), known=known)


def end_run(connection: Connection, run: str, reason: str, finished: str) -> None:
    """Write how a run ended.

    Raises:
        StoreError: ``no-such-row`` if it never began.
    """
    row = find_run(connection, run)
    if row is None:
        raise absent("run", run)
    put_run(connection, evolve(row, reason=reason, finished=finished))


def find_run(connection: Connection, run: str) -> RunRow | None:
    """Return a run, or None."""
    return _run(_first(connection, runs, runs.c.id == run))


def newest_run(connection: Connection) -> RunRow | None:
    """Return the run of this project that began last, or None."""
    query = select(runs).where(runs.c.profile != IMPORTED).order_by(runs.c.started.desc())
    return _run(connection.execute(query.limit(1)).mappings().first())


def add_episode(connection: Connection, row: EpisodeRow) -> None:
    """Write a new episode."""
    _put(connection, episodes, asdict(row), known=False)


def end_episode(connection: Connection, episode: int) -> None:
    """Write that an episode ended.

    Raises:
        StoreError: ``no-such-row`` if it never began.
    """
    row = find_episode(connection, episode)
    if row is None:
        raise absent("episode", episode)
    _put(connection, episodes, asdict(evolve(row, finished=True)), known=True)


def find_episode(connection: Connection, episode: int) -> EpisodeRow | None:
    """Return an episode, or None."""
    return _episode(_first(connection, episodes, episodes.c.id == episode))


def newest_open_episode(connection: Connection, environment: str | None) -> EpisodeRow | None:
    """Return the newest episode that did not end (of one environment), or None."""
    query = select(episodes).where(episodes.c.finished == 0).order_by(episodes.c.id.desc())
    if environment is not None:
        query = query.where(episodes.c.environment == environment)
    return _episode(connection.execute(query.limit(1)).mappings().first())


def highest_episode(connection: Connection) -> int:
    """Return the highest number of an episode, 0 where there is none."""
    return connection.execute(select(func.max(episodes.c.id))).scalar() or 0


def absent(what: str, name: object) -> StoreError:
    """Return the error for a row that is not there."""
    return StoreError(
        Problem("no-such-row", f"there is no {what} {name}", fix="`aegis log` lists the steps")
    )


def now() -> str:
    """Return the time, UTC, ISO 8601 in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _put(connection: Connection, table: Table, values: dict[str, Any], *, known: bool) -> None:
    values = {
        name: int(value) if value is True or value is False else value
        for name, value in values.items()
    }
    values["digest"] = digest(table, values)
    if known:
        connection.execute(update(table).where(table.c.id == values["id"]).values(values))
    else:
        connection.execute(insert(table).values(values))


def _first(
    connection: Connection, table: Table, condition: ColumnElement[bool]
) -> RowMapping | None:
    return connection.execute(select(table).where(condition)).mappings().first()


def _run(row: RowMapping | None) -> RunRow | None:
    if row is None:
        return None
    return RunRow(**{name: value for name, value in row.items() if name != "digest"})


def _episode(row: RowMapping | None) -> EpisodeRow | None:
    if row is None:
        return None
    values = {name: value for name, value in row.items() if name != "digest"}
    return EpisodeRow(**{**values, "finished": bool(row["finished"])})
