"""The engine `random`: every candidate is equally probable. The floor of every comparison."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from attrs import define, field

from aegis.contracts.capabilities import EngineCapabilities
from aegis.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aegis.contracts.action import Action
    from aegis.contracts.scores import Scores
    from aegis.contracts.view import View


@define
class RandomEngine:
    """Uniform over the candidates; what samples from it (the loop, a rollout) brings the seed."""

    capabilities: EngineCapabilities = field(init=False)

    @capabilities.default
    def _capabilities(self) -> EngineCapabilities:
        return EngineCapabilities(kind="random", order_independent=True)

    def score(self, view: View, candidates: Sequence[Action]) -> Scores:  # noqa: ARG002 - the view changes nothing
        """Return ``-ln n`` for each of n candidates."""
        count = len(candidates)
        return np.full(count, -math.log(count) if count else 0.0)

    def score_batch(self, items: Sequence[tuple[View, Sequence[Action]]]) -> list[Scores]:
        """Return what `score` returns for each item."""
        return [self.score(view, candidates) for view, candidates in items]

    def write(self, view: View, action: Action, slot: str) -> NoReturn:  # noqa: ARG002 - it writes for no view
        """Refuse: this engine does not write."""
        raise InputError.of(
            "engine-writes-nothing",
            f'engine "random" cannot fill {action.tool}.{slot}',
            fix="choose a candidate without an open slot, or an engine that writes",
        )

    def save(self, directory: Path) -> None:
        """Write nothing: there are no weights."""

    def close(self) -> None:
        """Hold nothing."""
