"""Promotion: one row that says which weights decide for a profile from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from aegis.store import promotions
from aegis.store.tables import promotions as table

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from aegis.store.promotions import Promotion


class Promotions:
    """The promotions of a ledger.

    Writes join the open transaction of the connection; whoever owns the ledger commits.

    Args:
        connection: The ledger's connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def promote(
        self, profile: str, engine: str, checkpoint: str | None, *, why: str, step: int, at: str
    ) -> Promotion:
        """Record that other weights decide from now on.

        Args:
            profile: The profile that they decide for.
            engine: Name of its engine.
            checkpoint: The weights; None for those of the configuration.
            why: ``person``, ``rollback``, or who else asked for it.
            step: The last step that was decided before.
            at: When, UTC, ISO 8601.
        """
        newest = select(table.c.digest).order_by(table.c.id.desc()).limit(1)
        last = self._connection.execute(newest).scalar()
        row = {
            "profile": profile,
            "engine": engine,
            "checkpoint": checkpoint,
            "previous": self.current(profile),
            "why": why,
            "step": step,
            "at": at,
        }
        # The database gives the number, so that one that was cut off is never given again.
        added = self._connection.execute(insert(table).values(**row, digest=""))
        row["id"] = added.inserted_primary_key[0]  # type: ignore[index]  # a row was inserted
        digest = promotions.digest(last or "", row)
        self._connection.execute(update(table).where(table.c.id == row["id"]).values(digest=digest))
        return promotions.promotion(row)

    def current(self, profile: str) -> str | None:
        """Return the checkpoint that decides for a profile, None for the configured weights."""
        query = select(table.c.checkpoint).where(table.c.profile == profile)
        return self._connection.execute(query.order_by(table.c.id.desc()).limit(1)).scalar()

    def history(self, profile: str | None = None) -> list[Promotion]:
        """Return the promotions (of one profile), oldest first."""
        query = select(table).order_by(table.c.id)
        if profile is not None:
            query = query.where(table.c.profile == profile)
        rows = self._connection.execute(query).mappings()
        return [promotions.promotion(dict(row)) for row in rows]
