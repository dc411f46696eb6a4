"""The majority policy: always the tool that a teacher uses most. Beside it learning shows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NoReturn

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

_NEVER: Final = -50.0


@define
class MajorityEngine:
    """Uniform over the candidates of one tool; over all where none of them is that tool's.

    Attributes:
        tool: Name of the tool.
    """

    tool: str
    capabilities: EngineCapabilities = field(init=False)

    @capabilities.default
    def _capabilities(self) -> EngineCapabilities:
        return EngineCapabilities(kind="majority")

    def score(self, view: View, candidates: Sequence[Action]) -> Scores:  # noqa: ARG002 - the view changes nothing
        """Return log-probabilities, (n,), nearly all on the candidates of the tool."""
        logits = np.array([0.0 if action.tool == self.tool else _NEVER for action in candidates])
        if not len(logits) or logits.max() < 0:
            return np.full(len(candidates), -math.log(max(1, len(candidates))))
        scores: Scores = logits - np.logaddexp.reduce(logits)
        return scores

    def score_batch(self, items: Sequence[tuple[View, Sequence[Action]]]) -> list[Scores]:
        """Return what `score` returns for each item."""
        return [self.score(view, candidates) for view, candidates in items]

    def write(self, view: View, action: Action, slot: str) -> NoReturn:  # noqa: ARG002 - it writes for no view
        """Refuse: it does not write."""
        raise InputError.of("majority-writes-nothing", f"no text for {action.tool}.{slot}")

    def save(self, directory: Path) -> None:
        """Write nothing: there are no weights."""

    def close(self) -> None:
        """Hold nothing."""
