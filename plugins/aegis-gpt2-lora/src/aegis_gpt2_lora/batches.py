"""The order in which examples are trained on."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis_gpt2_lora.examples import Example

_POOL: Final = 8  # batches that are drawn at random together and then cut by length


def derived_seed(seed: int, purpose: str, number: int = 0) -> int:
    """Return a seed of 63 bits for one use of randomness."""
    digest = hashlib.sha256(f"{seed}:{purpose}:{number}".encode("ascii")).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def batches(examples: Sequence[Example], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Return the batches of an epoch, as indices of examples; each example is in one batch.

    Drawn at random in pools of a few batches, sorted by length within a pool, and the batches
    shuffled: what is computed together is about equally long. The same seed and epoch give the
    same batches.
    """
    draw = random.Random(derived_seed(seed, "batches", epoch))  # noqa: S311 - no secret
    order = list(range(len(examples)))
    draw.shuffle(order)
    found = []
    for start in range(0, len(order), pool := batch_size * _POOL):
        near = sorted(order[start : start + pool], key=lambda i: (examples[i].tokens, i))
        found += [near[i : i + batch_size] for i in range(0, len(near), batch_size)]
    draw.shuffle(found)
    return found


def pieces(indices: Sequence[int], examples: Sequence[Example], most: int) -> list[list[int]]:
    """Return a batch in parts of at most `most` tokens each, or of one example that has more."""
    parts: list[list[int]] = [[]]
    tokens = 0
    for index in indices:
        tokens += examples[index].tokens
        if parts[-1] and tokens > most:
            parts.append([])
            tokens = examples[index].tokens
        parts[-1].append(index)
    return parts
