"""Recorded steps as transitions: what was taken, what it brought, and what could be done next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aegis import Action, Experience, View
    from aegis_reinforce.features import Columns

    Shown = tuple[View, tuple[Action, ...]]
    """What an engine chooses by, and among what."""

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
        rows, present = rows_of([(s.view, s.decision.candidates) for s in steps], columns)
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
            rows,
            present,
            torch.tensor([step.decision.chosen for step in steps], dtype=torch.long),
            torch.tensor([step.reward for step in steps], dtype=torch.float32),
            following,
            following != _UNKNOWN,
        )

    def __len__(self) -> int:
        return len(self.chosen)


def rows_of(shown: Sequence[Shown], columns: Columns) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what is seen of the candidates of S decisions, at most C of each.

    Returns:
        The rows (S, C, F), zeros where there is no candidate, and where there is one, (S, C).
    """
    most = max((len(candidates) for _, candidates in shown), default=0)
    rows = np.zeros((len(shown), most, columns.width), np.float32)
    present = np.zeros((len(shown), most), np.bool_)
    for number, (view, candidates) in enumerate(shown):
        rows[number, : len(candidates)] = columns.rows(view, candidates)
        present[number, : len(candidates)] = True
    return torch.from_numpy(rows), torch.from_numpy(present)


def usable(steps: Iterable[Experience]) -> list[Experience]:
    """Return the steps that say what was taken among what, and what it brought."""
    return [
        step
        for step in steps
        if step.decision.chosen is not None and step.decision.candidates and step.reward is not None
    ]
