"""Which episodes are held out: decided by how an episode begins, and never by row.

An episode's key is a hash of its environment and of its first view. Equal episodes therefore
share a side, and an episode that is seen again later stays on its side for ever, however the
ledger grows.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aegis.contracts.experience import Experience

ENOUGH: Final = 4
"""Distinct episodes from which on neither side stays empty."""


def key_of(first: Experience) -> str:
    """Return the key of the episode that begins with a step: 64 hexadecimal digits."""
    begins = json.dumps([first.environment, first.view.digest])
    return hashlib.sha256(begins.encode("utf-8")).hexdigest()


def held_out(keys: Iterable[str], share: float) -> frozenset[str]:
    """Return the keys that are held out: those among the lowest `share` of all possible ones.

    Where that leaves one side of at least `ENOUGH` distinct keys empty, the boundary moves by one
    key: the lowest is held out, or the highest is not. Only such small collections can see a key
    change sides as they grow.

    Args:
        keys: Keys of the episodes, as `key_of` returns them; repetitions do not count.
        share: Between 0 and 1.
    """
    ordered = sorted(set(keys))
    chosen = [key for key in ordered if int(key, 16) < share * 16 ** len(key)]
    if len(ordered) >= ENOUGH and not chosen:
        chosen = ordered[:1]
    elif len(ordered) >= ENOUGH and len(chosen) == len(ordered):
        chosen = ordered[:-1]
    return frozenset(chosen)
