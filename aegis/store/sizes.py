"""What a step takes on the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen
from sqlalchemy import select

from aegis.store import reading, rows
from aegis.store.tables import steps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection


@frozen
class BytesPerStep:
    """Bytes a step, means.

    Attributes:
        steps: Steps that were measured, the newest ones.
        content: What the rows of the table hold, SQLite's own bookkeeping left out.
        whole: What they would hold if each stored its whole view and all candidates.
        file: The database file's size over all steps, with indexes and everything else in it.
    """

    steps: int
    content: float
    whole: float
    file: float


def bytes_per_step(connection: Connection, sample: int) -> BytesPerStep:
    """Return what a step takes, over the newest `sample` steps; zeros where there are none."""
    newest = connection.execute(
        select(steps.c.id).order_by(steps.c.id.desc()).limit(sample)
    ).scalars()
    numbers = newest.all()
    if not numbers:
        return BytesPerStep(0, 0.0, 0.0, 0.0)
    content = whole = 0
    memory = reading.Memory(connection)
    for row in reading.pages(connection, reading.Selection(since=numbers[-1] - 1, settled=False)):
        reading.decoded(row, memory)
        shown = memory.base(row["episode"], row["idx"] + 1)
        held = sum(_size(value) for value in row.values())
        delta = _size(row["view_delta"]) + _size(row["candidates_delta"])
        content += held
        whole += held - delta + _text_size(shown)
    file = _pages(connection) / _total(connection)
    return BytesPerStep(len(numbers), content / len(numbers), whole / len(numbers), file)


def _text_size(shown: rows.Shown) -> int:
    """Return the bytes of the rendering and of the candidates, a line each."""
    return _size(rows.view_text(shown.view)) + _lines_size(shown.candidates)


def _lines_size(lines: Iterable[str]) -> int:
    return sum(len(line.encode("utf-8")) + 1 for line in lines)


def _size(value: object) -> int:
    """Return the bytes that SQLite stores for a value, its length's own bytes left out."""
    if value is None:
        return 0
    if isinstance(value, str):
        return len(value.encode("utf-8"))
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, int):
        return min(8, (value.bit_length() + 8) // 8) if value else 0
    return 8


def _pages(connection: Connection) -> int:
    count = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    size = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    return int(count) * int(size)


def _total(connection: Connection) -> int:
    query = select(steps.c.id).order_by(steps.c.id.desc()).limit(1)
    return int(connection.execute(query).scalar_one())
