"""Which checkpoints may go, so that what decides and the way back stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aegis.store.promotions import current

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aegis.checkpoints.folder import Checkpoints
    from aegis.store.promotions import Promotion


class Gone(NamedTuple):
    """A checkpoint that may go, and the bytes of its folder."""

    checkpoint: str
    bytes: int


def kept(
    known: Sequence[str], history: Sequence[Promotion], *, promotions: int, candidates: int
) -> dict[str, str]:
    """Return the checkpoints that stay, each with the reason.

    Args:
        known: All checkpoints, oldest first.
        history: All promotions, oldest first.
        promotions: What decided before or after the last so many promotions of a profile stays.
        candidates: The newest so many that never decided stay.
    """
    served = {one for row in history for one in (row.checkpoint, row.previous) if one is not None}
    fresh = [one for one in known if one not in served]
    reasons = dict.fromkeys(fresh[max(0, len(fresh) - candidates) :], "a new candidate")
    for profile in dict.fromkeys(row.profile for row in history):
        rows = [row for row in history if row.profile == profile]
        recent = rows[max(0, len(rows) - promotions) :]
        for row in recent:
            for checkpoint in (row.previous, row.checkpoint):
                if checkpoint is not None:
                    reasons[checkpoint] = f'decided for "{profile}" not long ago'
        decides = current(rows, profile)
        if decides is not None:
            reasons[decides] = f'decides for "{profile}"'
    return {one: reasons[one] for one in known if one in reasons}


def going(checkpoints: Checkpoints, kept_ones: Iterable[str]) -> list[Gone]:
    """Return the checkpoints that do not stay, oldest first."""
    stay = set(kept_ones)
    return [Gone(one, checkpoints.size(one)) for one in checkpoints.all() if one not in stay]
