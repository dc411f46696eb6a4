"""Whether the ledger is what was written: every row's digest, their chain, what they refer to.

SQLite's own check finds a damaged file, not a changed value; the chain of digests finds any
edit, deletion and reordering of rows. It does not find an edit by someone who computes all
digests anew: there is no secret in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from aegis.errors import StoreError
from aegis.store import promotions, reading, rows, tables
from aegis.store.runs import digest
from aegis.store.tables import episodes, runs, steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, RowMapping, Table


def findings(connection: Connection) -> list[str]:
    """Return one sentence for each thing that is wrong; none where the ledger is whole."""
    found: list[str] = []
    for look in (_file, _references, _runs, _steps, _promotions):
        try:
            found += look(connection)
        except (DBAPIError, StoreError) as error:
            found.append(f"the ledger cannot be read: {_first_line(error)}")
    return found


def _file(connection: Connection) -> Iterator[str]:
    for (said,) in connection.exec_driver_sql("PRAGMA integrity_check(20)"):
        if said != "ok":
            yield f"the file is damaged: {said}"


def _references(connection: Connection) -> Iterator[str]:
    for table, number, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield f"{table} {number} belongs to a row of {parent} that is not there"


def _runs(connection: Connection) -> Iterator[str]:
    for table, name in ((runs, "run"), (episodes, "episode")):
        for row in connection.execute(select(table)).mappings():
            if digest(table, row) != row["digest"]:
                yield f"{name} {row['id']} was changed"


def _steps(connection: Connection) -> Iterator[str]:
    memory = reading.Memory(connection)
    previous, expected = "", 1
    for row in reading.pages(connection, reading.Selection(settled=False)):
        if row["id"] != expected:
            yield f"steps {expected} to {row['id'] - 1} are missing"
        yield from _step(row, previous, memory)
        previous, expected = row["digest"], row["id"] + 1
    yield from _tail(connection, expected)


def _step(row: RowMapping, previous: str, memory: reading.Memory) -> Iterator[str]:
    number = row["id"]
    if step_digest(row, previous) != row["digest"]:
        yield f"step {number} was changed, or the step before it was changed or removed"
    if row["status"] is None and any(row[name] is not None for name in rows.RESULT_COLUMNS):
        yield f"step {number} has part of a result"
    try:
        reading.decoded(row, memory)
    except StoreError as error:
        yield error.problems[0].message


def step_digest(row: RowMapping, previous: str) -> str:
    """Return the digest that a row of ``steps`` must have after the digest `previous`."""
    intended = rows.intent_link(previous, [row[column] for column in rows.INTENT_COLUMNS])
    if row["status"] is None:
        return intended
    return rows.link(intended, [row[column] for column in rows.RESULT_COLUMNS])


def _tail(connection: Connection, expected: int) -> Iterator[str]:
    """Compare with the highest number that was ever given, and with open intents."""
    highest = _highest_ever(connection, steps)
    if highest >= expected:
        yield f"steps {expected} to {highest} are missing at the end"
    unsettled = connection.execute(
        select(steps.c.id).where(steps.c.status.is_(None), steps.c.id < expected - 1)
    ).scalars()
    for number in unsettled:
        yield f"step {number} has no result although later steps exist"


def _promotions(connection: Connection) -> Iterator[str]:
    query = select(tables.promotions).order_by(tables.promotions.c.id)
    found = [dict(row) for row in connection.execute(query).mappings()]
    yield from promotions.findings(found, _highest_ever(connection, tables.promotions))


def _highest_ever(connection: Connection, table: Table) -> int:
    """Return the highest number that a row of a table ever had, 0 where there was none."""
    query = "SELECT seq FROM sqlite_sequence WHERE name = ?"
    return connection.exec_driver_sql(query, (table.name,)).scalar() or 0


def _first_line(error: Exception) -> str:
    text = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return text.splitlines()[0] if text else type(error).__name__
