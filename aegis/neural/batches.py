"""The order in which examples are trained on."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Final

from aegis.neural.seeds import derived_seed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_POOL: Final = 8  # batches that are drawn at random together and then cut by length
_NEAR: Final = 64  # batches among which examples are mixed that keep their order otherwise


def batches(
    sizes: Sequence[int], batch_size: int, seed: int, epoch: int, *, in_order: bool = False
) -> list[list[int]]:
    """Return the batches of an epoch, as indices of examples; each example is in one batch.

    Drawn at random in pools of a few batches, sorted by length within a pool, and the batches
    shuffled: what is computed together is about equally long. The same seed and epoch give the
    same batches.

    Args:
        sizes: Tokens of each example.
        batch_size: Examples of a batch; one batch may have fewer.
        seed: Seed of the training.
        epoch: Number of the pass, from 0.
        in_order: Whether examples keep their order but for those within some 64 batches, which
            are mixed.
    """
    draw = random.Random(derived_seed(seed, "batches", epoch))  # noqa: S311 - no secret
    stretch = batch_size * _NEAR if in_order else max(1, len(sizes))
    found = []
    for start in range(0, len(sizes), stretch):
        found += _mixed(range(start, min(start + stretch, len(sizes))), sizes, batch_size, draw)
    return found


def _mixed(
    indices: Sequence[int], sizes: Sequence[int], batch_size: int, draw: random.Random
) -> list[list[int]]:
    order = [*indices]
    draw.shuffle(order)
    found = []
    for start in range(0, len(order), pool := batch_size * _POOL):
        near = sorted(order[start : start + pool], key=lambda i: (sizes[i], i))
        found += [near[i : i + batch_size] for i in range(0, len(near), batch_size)]
    draw.shuffle(found)
    return found


def pieces(indices: Iterable[int], sizes: Sequence[int], most: int) -> list[list[int]]:
    """Return a batch in parts of at most `most` tokens each, or of one example that has more.

    Args:
        indices: Examples of the batch.
        sizes: Tokens of each example, of all that there are.
        most: Tokens that are computed together.
    """
    parts: list[list[int]] = [[]]
    tokens = 0
    for index in indices:
        tokens += sizes[index]
        if parts[-1] and tokens > most:
            parts.append([])
            tokens = sizes[index]
        parts[-1].append(index)
    return parts


class BatchOrder:
    """The batches of a whole training, one epoch after another.

    Args:
        sizes: Tokens of each example; at least one.
        batch_size: Examples of a batch.
        seed: Seed of the training.
        in_order: Whether examples keep their order, mixed among near ones only.

    Attributes:
        per_epoch: Batches of an epoch.
    """

    def __init__(
        self, sizes: Sequence[int], batch_size: int, seed: int, *, in_order: bool = False
    ) -> None:
        self.per_epoch = math.ceil(len(sizes) / batch_size)
        self._sizes = sizes
        self._batch_size = batch_size
        self._seed = seed
        self._in_order = in_order
        self._last: tuple[int, list[list[int]]] | None = None

    def batch(self, step: int) -> list[int]:
        """Return the batch of a step, counted from 0."""
        epoch, place = divmod(step, self.per_epoch)
        return self._epoch(epoch)[place]

    def trained(self, steps: int) -> int:
        """Return how many examples the first steps train on, each pass counted."""
        epoch, place = divmod(steps, self.per_epoch)
        begun = self._epoch(epoch)[:place] if place else []
        return epoch * len(self._sizes) + sum(len(batch) for batch in begun)

    def _epoch(self, epoch: int) -> list[list[int]]:
        if self._last is None or self._last[0] != epoch:
            found = batches(
                self._sizes, self._batch_size, self._seed, epoch, in_order=self._in_order
            )
            self._last = (epoch, found)
        return self._last[1]
