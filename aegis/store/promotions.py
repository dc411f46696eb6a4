"""The rows of ``promotions``: which weights decide for a profile, from which step on.

Nothing of SQLAlchemy is needed here, so that a check can look before anything heavy is imported.
The rows are chained by their digests, in the order of their numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from aegis.store.rows import link

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

COLUMNS: Final = ("id", "profile", "engine", "checkpoint", "previous", "why", "step", "at")
"""What a digest is made over, in the order of the table."""

ROLLBACK: Final = "rollback"


@frozen
class Promotion:
    """One change of the weights that decide.

    Attributes:
        id: Its number, from 1.
        profile: The profile that it holds for.
        engine: Name of the profile's engine.
        checkpoint: What decides from then on; None for the weights of the configuration.
        previous: What decided until then; None for the same.
        why: ``person``, ``rollback``, or who else asked for it.
        step: The last step that was decided before.
        at: When, UTC, ISO 8601.
    """

    id: int
    profile: str
    engine: str
    checkpoint: str | None
    previous: str | None
    why: str
    step: int
    at: str


def digest(previous: str, row: Mapping[str, Any]) -> str:
    """Return the digest that a row must carry after a row of digest `previous`, "" for none."""
    return link(previous or "promotions", [row[column] for column in COLUMNS])


def promotion(row: Mapping[str, Any]) -> Promotion:
    """Return the promotion that a row holds."""
    return Promotion(**{column: row[column] for column in COLUMNS})


def findings(rows: Iterable[Mapping[str, Any]], highest: int) -> Iterator[str]:
    """Yield one sentence for everything that is wrong with the table.

    Args:
        rows: All rows, in the order of their numbers.
        highest: The highest number that was ever given.
    """
    last, expected = "", 1
    decided: dict[str, str | None] = {}
    for row in rows:
        number = row["id"]
        if number != expected:
            yield f"promotions {expected} to {number - 1} are missing"
        if digest(last, row) != row["digest"]:
            yield f"promotion {number} was changed, or the one before it was changed or removed"
        elif row["previous"] != decided.get(row["profile"]):
            yield f"promotion {number} does not follow from the one before it"
        decided[row["profile"]] = row["checkpoint"]
        last, expected = row["digest"], number + 1
    if highest >= expected:
        yield f"promotions {expected} to {highest} are missing at the end"


def current(rows: Iterable[Promotion], profile: str) -> str | None:
    """Return the checkpoint that decides for a profile, None for the configured weights."""
    decides: str | None = None
    for row in rows:
        if row.profile == profile:
            decides = row.checkpoint
    return decides


def earlier(rows: Iterable[Promotion], profile: str) -> list[str | None]:
    """Return what a profile can go back to, the newest first; None for the configured weights.

    A rollback takes back the promotion before it: a second one goes back further, not forth.
    """
    served: list[str | None] = [None]
    for row in rows:
        if row.profile != profile:
            continue
        if row.why == ROLLBACK and row.checkpoint in served:
            while served[-1] != row.checkpoint:
                served.pop()
        else:
            served.append(row.checkpoint)
    return served[-2::-1]
