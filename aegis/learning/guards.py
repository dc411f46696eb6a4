"""Why a whole set of steps cannot be trained on, told all at once.

A set that passes row by row can still teach nothing (one action, one reward), or teach what was
never meant (a loop's thousand repeats), or leave nothing to judge the result by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define

from aegis.errors import Problem
from aegis.learning.splitting import ENOUGH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aegis.config.settings import LearningSettings
    from aegis.learning.row import Row

FEWEST: Final = 10
"""Distinct rows below which nothing is trained."""
LEAKS: Final = 0.2
"""Largest share of held-out rows whose question is trained on as well."""
_NOISE: Final = 1e-9


@define
class Tally:
    """What was counted on the way.

    Attributes:
        read: Steps that were looked at.
        decisions: Usable rows with candidates.
        repeats: Those of them that repeat an earlier one.
        held_out: Held-out rows, those included that leak.
        leaks: Those of them whose question is trained on as well.
    """

    read: int = 0
    decisions: int = 0
    repeats: int = 0
    held_out: int = 0
    leaks: int = 0


def problems(
    train: Sequence[Row], validation: Sequence[Row], tally: Tally, settings: LearningSettings
) -> tuple[Problem, ...]:
    """Return everything that makes a set degenerate.

    Args:
        train: Distinct rows to train on.
        validation: Held-out rows that are left.
        tally: What was counted on the way to them.
        settings: The section ``[learning]``.
    """
    if not train and not validation:
        return (_empty(tally),)
    return tuple(_problems(train, validation, tally, settings))


def _empty(tally: Tally) -> Problem:
    if not tally.read:
        fix = "aegis run --steps 1000, or aegis data import FILE"
        return Problem("data-empty", "there is no experience to train on", fix=fix)
    return Problem(
        "data-empty",
        f"nothing can be learned from any of the {tally.read} steps",
        fix="aegis data stats tells why each is refused",
    )


def _problems(
    train: Sequence[Row], validation: Sequence[Row], tally: Tally, settings: LearningSettings
) -> Iterator[Problem]:
    if len(train) < FEWEST:
        yield Problem(
            "data-few",
            f"{len(train)} distinct rows to train on are left, fewer than {FEWEST}",
            fix="collect more: aegis run --steps 1000; aegis data stats tells what is refused, "
            "and [learning.origins] the largest share of each origin",
        )
    if not validation:
        yield Problem(
            "data-no-held-out",
            "no episode is held out: new weights could not be told from worse ones",
            where="[learning].holdout",
            fix=f"collect episodes that begin differently; from {ENOUGH} on one is held out",
        )
    if (tool := _only_tool(train)) is not None:
        yield Problem(
            "data-one-action",
            f'every step took "{tool}", though there was something else to choose',
            fix="raise [agent.exploration].epsilon, or collect with another profile: "
            "aegis run --profile random",
        )
    if (message := _no_difference(train)) is not None:
        yield Problem(
            "data-constant-reward",
            message,
            fix="let episodes end, and check [agent.rewards]; a teacher's steps need no rewards",
        )
    share = tally.repeats / tally.decisions if tally.decisions else 0.0
    if share > settings.duplicates:
        yield Problem(
            "data-repeats",
            f"{share:.0%} of the decisions repeat an earlier one (same view, candidates, choice "
            f"and text), more than {settings.duplicates:.0%}",
            where="[learning].duplicates",
            fix="look for a loop in aegis log, and collect anew; or raise [learning].duplicates",
        )
    if tally.leaks > LEAKS * tally.held_out:
        yield Problem(
            "data-leak",
            f"{tally.leaks} of {tally.held_out} held-out rows ask what is trained on as well, "
            f"more than {LEAKS:.0%}",
            fix="collect episodes of other goals, so that their views differ",
        )


def _only_tool(train: Sequence[Row]) -> str | None:
    """Return the tool that every choice took although others were offered, or None."""
    choices = [row for row in train if row.decides]
    taken = {row.tool for row in choices}
    others = any(len({a.tool for a in row.experience.decision.candidates}) > 1 for row in choices)
    return taken.pop() if len(taken) == 1 and others else None


def _no_difference(train: Sequence[Row]) -> str | None:
    """Return why rewards do not tell good choices from bad ones, or None where they do."""
    choices = [row for row in train if row.decides]
    if not choices or any(row.experience.origin == "teacher" for row in choices):
        return None
    values = [row.went.value for row in choices if row.episode.ended]
    if not values:
        return "no episode has ended: what its choices led to is not known"
    if max(values) - min(values) <= _NOISE * max(1.0, *(abs(value) for value in values)):
        return f"every choice led to the same return, {values[0]:g}: none is better than another"
    return None
