"""Recorded steps as transitions: what was taken, what it brought, and what could be done next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aegis import Experience
    from aegis_reinforce.features import Columns

_ENDED: Final = -1
_UNKNOWN: Final = -2


@frozen(eq=False)
class Transitions:
    """Steps of whole decisions: S of them, with at most C candidates.

    Attributes:
        rows: What is seen of the candidates, (S, C, F); zeros where there is none.
        present: Where there is a candidate, (S, C).
        chosen: Which was taken, (S,).
        rewards: What followed at once, (S,).
        following: The step after each, (S,); below 0 where there is none.
        known: Where it is known what came next: another of these steps, or the end, (S,).
    """

    rows: torch.Tensor
    present: torch.Tensor
    chosen: torch.Tensor
    rewards: torch.Tensor
    following: torch.Tensor
    known: torch.Tensor

    @classmethod
    def of(cls, steps: Sequence[Experience], columns: Columns) -> Transitions:
        """Return the transitions of steps that are `usable`."""
        place = {(step.run, step.episode, step.index): n for n, step in enumerate(steps)}
        most = max((len(step.decision.candidates) for step in steps), default=0)
        rows = np.zeros((len(steps), most, columns.width), np.float32)
        present = np.zeros((len(steps), most), np.bool_)
        for number, step in enumerate(steps):
            count = len(step.decision.candidates)
            rows[number, :count] = columns.rows(step.view, step.decision.candidates)
            present[number, :count] = True
        following = torch.tensor(
            [
                _ENDED
                if step.done
                else place.get((step.run, step.episode, step.index + 1), _UNKNOWN)
                for step in steps
            ],
            dtype=torch.long,
        )
        return cls(
            torch.from_numpy(rows),
            torch.from_numpy(present),
            torch.tensor([step.decision.chosen for step in steps], dtype=torch.long),
            torch.tensor([step.reward for step in steps], dtype=torch.float32),
            following,
            following != _UNKNOWN,
        )

    def __len__(self) -> int:
        return len(self.chosen)


def usable(steps: Iterable[Experience]) -> list[Experience]:
    """Return the steps that say what was taken among what, and what it brought."""
    return [
        step
        for step in steps
        if step.decision.chosen is not None and step.decision.candidates and step.reward is not None
    ]
