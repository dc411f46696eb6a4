"""The learning rate over a training: a linear warm-up, then half a cosine down to 0."""

from __future__ import annotations

import math
from typing import Final

_BY_WIDTH: Final = 0.7  # measured at width 192, where 0.003 to 0.005 did best
_LARGEST: Final = 0.005


def default_rate(width: int) -> float:
    """Return a learning rate for a model of a width.

    With Adam the best rate of matrices falls with 1 / width (Yang et al. 2022, arXiv 2203.03466).
    """
    return min(_LARGEST, _BY_WIDTH / width)


def rate_factor(step: int, steps: int, warmup: float) -> float:
    """Return what the learning rate is multiplied by at a step.

    Args:
        step: Number of the step, from 0.
        steps: Steps in all.
        warmup: Share of them in which the rate rises.
    """
    rising = math.ceil(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    done = (step - rising + 1) / (steps - rising + 1)  # above 0 at the last step
    return 0.5 * (1 + math.cos(math.pi * done))


def evaluation_steps(steps_per_epoch: int, epochs: int, evaluations: int) -> list[int]:
    """Return after how many steps the held-out loss is measured: before the first, then evenly.

    Args:
        steps_per_epoch: Optimiser steps of one epoch.
        epochs: Epochs in all.
        evaluations: Measurements in an epoch; no more than it has steps.
    """
    many = min(evaluations, steps_per_epoch)
    marks = [math.ceil(steps_per_epoch * k / many) for k in range(1, many + 1)]
    return [0, *(epoch * steps_per_epoch + mark for epoch in range(epochs) for mark in marks)]
