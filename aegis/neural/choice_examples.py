"""Recorded choices as examples: what most trainers of engines begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from attrs import frozen

from aegis.neural.weighting import LeftOut, weigh

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aegis.contracts.action import Action
    from aegis.contracts.experience import Experience
    from aegis.contracts.roles import ExperienceDataset
    from aegis.contracts.view import View
    from aegis.neural.weighting import Weighting

_CHARACTERS: Final = 4
"""Characters that count as one token: texts of a few hundred tokens are compared, no more."""


@frozen
class Choice:
    """A recorded choice.

    Attributes:
        view: What the engine was shown.
        candidates: What could be chosen.
        chosen: Index of what was.
        weight: How much it counts.
        tokens: About how long view and candidates are.
    """

    view: View
    candidates: tuple[Action, ...]
    chosen: int
    weight: float
    tokens: int


class Choices(NamedTuple):
    """What the steps of a data set train.

    Attributes:
        examples: Those that train something.
        scale: What weights of own steps were multiplied by; held-out steps get the same.
        left_out: How many steps train nothing, by reason.
    """

    examples: tuple[Choice, ...]
    scale: float
    left_out: Mapping[str, int]


def choices(data: ExperienceDataset, weighting: Weighting, scale: float | None = None) -> Choices:
    """Return the choices of a data set, weighted by how they went.

    Args:
        data: Recorded steps.
        weighting: What they count (`Weighting`).
        scale: For held-out steps: that of the training steps.
    """
    found = weigh(data, weighting, _choice, scale)
    examples = (
        Choice(step.view, step.decision.candidates, step.decision.chosen or 0, weight, tokens)
        for weight, (step, tokens) in found.rows
    )
    return Choices(tuple(examples), found.scale, found.left_out)


def about_tokens(view: View, candidates: tuple[Action, ...]) -> int:
    """Return about how many tokens a view with its candidates has, at least 1."""
    texts = [view.render(), *(action.render() for action in candidates)]
    return sum(map(len, texts)) // _CHARACTERS + 1


def _choice(step: Experience) -> tuple[Experience, int] | LeftOut:
    decision = step.decision
    if decision.chosen is None or not decision.candidates:
        return LeftOut("without candidates")
    if len(decision.candidates) == 1:
        return LeftOut("without a choice")
    return step, about_tokens(step.view, decision.candidates)
