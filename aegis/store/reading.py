"""Reading experience back: streaming, in order, each step rebuilt from what its episode shows."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen
from sqlalchemy import and_, select

from aegis.store import rows
from aegis.store.tables import steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection, RowMapping, Select

    from aegis.contracts.action import Action
    from aegis.contracts.experience import Experience, Origin
    from aegis.store.rows import Shown

PAGE: Final = 256
"""Rows that are read at once: no cursor stays open while the caller works on them."""
_REMEMBERED: Final = 16
"""Episodes whose last step is kept while streaming; they are rarely interleaved."""
_ACTIONS: Final = 4096
"""Actions that are kept while streaming."""


@frozen
class Selection:
    """Which steps to read.

    Attributes:
        origin: Only steps of this origin.
        environment: Only steps in this environment.
        episode: Only steps of this episode.
        since: Only steps with a higher number.
        limit: At most so many, the first ones.
        settled: Only steps whose result is known.
    """

    origin: Origin | None = None
    environment: str | None = None
    episode: int | None = None
    since: int = 0
    limit: int | None = None
    settled: bool = True

    def condition(self) -> ColumnElement[bool]:
        """Return the selection as a WHERE clause, the limit left out."""
        wanted = [steps.c.id > self.since]
        if self.settled:
            wanted.append(steps.c.status.is_not(None))
        for column in ("origin", "environment", "episode"):
            value = getattr(self, column)
            if value is not None:
                wanted.append(steps.c[column] == value)
        return and_(*wanted)


class Memory:
    """What the last step of each episode showed: the bases of the steps that follow.

    Args:
        connection: Where to look for a base that is not remembered.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last: OrderedDict[int, tuple[int, Shown]] = OrderedDict()
        self._actions: dict[str, Action] = {}

    def base(self, episode: int, index: int) -> Shown:
        """Return what the step before `index` of the episode showed; nothing at a keyframe.

        Raises:
            ValueError: If an earlier step of the episode is not what was written.
        """
        if rows.is_keyframe(index):
            return rows.NOTHING
        known = self._last.get(episode)
        if known is not None and known[0] == index - 1:
            return known[1]
        return self._rebuilt(episode, index)

    def keep(self, episode: int, index: int, shown: Shown) -> None:
        """Remember what a step showed."""
        self._last[episode] = (index, shown)
        self._last.move_to_end(episode)
        if len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)

    def action(self, line: str) -> Action:
        """Return the action that a line holds: one object for all steps that offer it.

        Most of what a step offers the step before offered too.
        """
        known = self._actions.get(line)
        if known is None:
            if len(self._actions) == _ACTIONS:
                self._actions.clear()
            known = self._actions[line] = rows.parse_action(line)
        return known

    def forget(self) -> None:
        """Forget everything, as after a transaction was undone."""
        self._last.clear()

    def _rebuilt(self, episode: int, index: int) -> Shown:
        first = (index - 1) // rows.KEYFRAME * rows.KEYFRAME + 1
        query = (
            select(steps.c.idx, steps.c.view_delta, steps.c.candidates_delta, steps.c.view_digest)
            .where(steps.c.episode == episode, steps.c.idx >= first, steps.c.idx < index)
            .order_by(steps.c.idx)
        )
        shown, last = rows.NOTHING, 0
        for row in self._connection.execute(query).mappings():
            # A step that does not follow the one before was stored whole.
            shown = rows.shown_by(row, shown if row["idx"] == last + 1 else rows.NOTHING)
            last = row["idx"]
        return shown if last == index - 1 else rows.NOTHING


def experiences(connection: Connection, selection: Selection) -> Iterator[Experience]:
    """Yield the selected steps in order.

    Raises:
        StoreError: ``ledger-damaged`` if a step is not what was written.
    """
    for row, experience in recorded(connection, selection):
        del row
        yield experience


def recorded(
    connection: Connection, selection: Selection
) -> Iterator[tuple[RowMapping, Experience]]:
    """Yield the selected steps in order, each with the row that it was read from.

    Raises:
        StoreError: ``ledger-damaged`` if a step is not what was written.
    """
    memory = Memory(connection)
    for row in pages(connection, selection):
        yield row, decoded(row, memory)


def decoded(row: RowMapping, memory: Memory) -> Experience:
    """Return the experience of a row and remember what it showed.

    Raises:
        StoreError: ``ledger-damaged`` if the step is not what was written.
    """
    try:
        base = memory.base(row["episode"], row["idx"])
    except (ValueError, TypeError) as error:
        raise rows.damaged(row, f"an earlier step of its episode: {error}") from error
    experience, shown = rows.experience(row, base, memory.action)
    memory.keep(row["episode"], row["idx"], shown)
    return experience


def pages(connection: Connection, selection: Selection) -> Iterator[RowMapping]:
    """Yield the selected rows in order, a page a query."""
    query = select(steps).where(selection.condition()).order_by(steps.c.id)
    after, left = selection.since, selection.limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = connection.execute(_after(query, after).limit(size)).mappings().all()
        yield from page
        if len(page) < size:
            return
        after = page[-1]["id"]
        left = None if left is None else left - size


def _after(query: Select[Any], number: int) -> Select[Any]:
    return query.where(steps.c.id > number)
