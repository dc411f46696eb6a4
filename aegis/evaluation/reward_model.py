"""A model of returns: what to expect of a candidate from what is seen of it.

Ridge regression on the candidate's tool and signals, the place in the episode and the number of
candidates. It is fitted in five folds of whole episodes and never used in an episode that it saw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from aegis.contracts.experience import Experience

    Floats = npt.NDArray[np.float64]

FOLDS: Final = 5
_RIDGE: Final = 1.0


def predicted(
    experiences: Sequence[Experience],
    chosen: Sequence[int],
    returns: Floats,
    episodes: Sequence[int],
) -> list[Floats]:
    """Return the expected return-to-go of every candidate of each step, (n,) each.

    Args:
        experiences: The steps, (m,).
        chosen: Index of what was taken in each.
        returns: What it led to, (m,).
        episodes: What each step belongs to; whole episodes are left out of the fit.
    """
    rows = features(experiences)
    used = np.stack([row[index] for row, index in zip(rows, chosen, strict=True)])
    folds = _folds(episodes)
    models = [_ridge(used[folds != fold], returns[folds != fold]) for fold in range(FOLDS)]
    return [row @ models[fold] for row, fold in zip(rows, folds.tolist(), strict=True)]


def features(experiences: Sequence[Experience]) -> list[Floats]:
    """Return what is seen of each candidate as numbers, (n, features) a step.

    A one, the step's place and the logarithm of the number of candidates, then for each tool
    whether it is the candidate's, and its signals.
    """
    tools = sorted({a.tool for step in experiences for a in step.decision.candidates})
    names = sorted(
        {
            (a.tool, name)
            for step in experiences
            for a in step.decision.candidates
            for name in a.signals
        }
    )
    column = {tool: 3 + place for place, tool in enumerate(tools)}
    signal = {pair: 3 + len(tools) + place for place, pair in enumerate(names)}
    width = 3 + len(tools) + len(names)
    found = []
    for step in experiences:
        candidates = step.decision.candidates
        rows = np.zeros((len(candidates), width))
        rows[:, :3] = 1.0, step.index, np.log(len(candidates))
        for row, action in zip(rows, candidates, strict=True):
            row[column[action.tool]] = 1.0
            for name, value in action.signals.items():
                row[signal[action.tool, name]] = value
        found.append(rows)
    return found


def _ridge(rows: Floats, values: Floats) -> Floats:
    spread = rows.std(axis=0)
    scale = np.where(spread > 1e-9, spread, 1.0)  # a column that is the same everywhere
    scaled = rows / scale
    gram = scaled.T @ scaled + _RIDGE * np.eye(rows.shape[1])
    found: Floats = np.linalg.solve(gram, scaled.T @ values) / scale
    return found


def _folds(episodes: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return the fold of each step: episodes are dealt out in their order."""
    place = {episode: number for number, episode in enumerate(dict.fromkeys(episodes))}
    return np.array([place[episode] % FOLDS for episode in episodes])
