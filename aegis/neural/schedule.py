"""The learning rate over a training, and when it is measured."""

from __future__ import annotations

import math


def rate_factor(step: int, steps: int, warmup: float, floor: float = 0.0) -> float:
    """Return what the learning rate is multiplied by at a step.

    It rises linearly, then falls along half a cosine.

    Args:
        step: Number of the step, from 0.
        steps: Steps in all.
        warmup: Share of them in which the rate rises.
        floor: What it falls to, as a share of the largest rate.
    """
    rising = math.ceil(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    done = (step - rising + 1) / (steps - rising + 1)  # above 0 at the last step
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done))


def evaluation_steps(steps_per_epoch: int, epochs: int, evaluations: int) -> list[int]:
    """Return after how many steps the held-out loss is measured: before the first, then evenly.

    Args:
        steps_per_epoch: Steps of one epoch.
        epochs: Epochs in all.
        evaluations: Measurements in an epoch; no more than it has steps.
    """
    many = min(evaluations, steps_per_epoch)
    marks = [math.ceil(steps_per_epoch * k / many) for k in range(1, many + 1)]
    return [0, *(epoch * steps_per_epoch + mark for epoch in range(epochs) for mark in marks)]
