"""One seed for every use of randomness, all from the seed of a training."""

from __future__ import annotations

import hashlib


def derived_seed(seed: int, purpose: str, number: int = 0) -> int:
    """Return a seed of 63 bits for one use of randomness."""
    digest = hashlib.sha256(f"{seed}:{purpose}:{number}".encode("ascii")).digest()
    return int.from_bytes(digest[:8], "big") >> 1
