"""Which episodes belong to which split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aegis import InputError
from aegis_babyai.settings import SPLITS

if TYPE_CHECKING:
    from aegis_babyai.settings import Split


def level_seed(split: Split, seed: int) -> int:
    """Return minigrid's seed: 3 * seed, + 1 for practice, + 2 for validation, + 3 for test.

    Every number from 1 is the seed of exactly one episode of one split, so that the splits share
    none however many are played.

    Raises:
        InputError: If the seed is negative.
    """
    if seed < 0:
        raise InputError.of("babyai-seed", f"a seed is 0 or more, not {seed}")
    # Never the seed itself: a policy that is sampled with it would draw the level's numbers.
    return len(SPLITS) * seed + SPLITS.index(split) + 1
