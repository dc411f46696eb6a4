"""Calls whose answer is known, tools that need a rest, and other small state of the agent."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from aegis.store.tables import calls, state

if TYPE_CHECKING:
    from aegis.contracts.action import Action
    from aegis.contracts.outcome import Status

ANSWERED: Final[frozenset[Status]] = frozenset({"ok", "empty"})


class Calls:
    """The last answer of each call. Writes go into the ledger's open transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def keep(self, action: Action, status: Status, *, at: str, step: int) -> None:
        """Keep how a call went."""
        values = {"tool": action.tool, "status": status, "at": at, "step": step}
        statement = insert(calls).values(key=action.key, **values)
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=["key"], set_=values)
        )

    def blocked(
        self, keys: list[str], *, now: str, stale_days: float, episode_start: int
    ) -> set[str]:
        """Return the keys that must not be called now.

        A call that was answered is not repeated until the answer is stale (never, for 0 days);
        one that failed or was answered in part is not repeated within the episode.
        """
        rows = self._connection.execute(sa.select(calls).where(calls.c.key.in_(keys)))
        oldest = _days_before(now, stale_days) if stale_days else ""
        return {
            row.key
            for row in rows
            if (row.at >= oldest if row.status in ANSWERED else row.step >= episode_start)
        }


def _days_before(now: str, days: float) -> str:
    return (datetime.fromisoformat(now) - timedelta(days=days)).isoformat()


class State:
    """Small JSON values by name. Writes go into the ledger's open transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value."""
        statement = sa.select(state.c.value).where(state.c.key == name)
        text = self._connection.execute(statement).scalar_one_or_none()
        return default if text is None else json.loads(text)

    def set(self, name: str, value: Any) -> None:
        """Keep a value; None removes it."""
        if value is None:
            self._connection.execute(sa.delete(state).where(state.c.key == name))
            return
        text = json.dumps(value, sort_keys=True)
        statement = insert(state).values(key=name, value=text)
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=["key"], set_={"value": text})
        )

    def matching(self, prefix: str) -> dict[str, Any]:
        """Return the values whose name begins with `prefix`, by the rest of the name."""
        statement = sa.select(state).where(state.c.key.startswith(prefix, autoescape=True))
        rows = self._connection.execute(statement)
        return {row.key.removeprefix(prefix): json.loads(row.value) for row in rows}
