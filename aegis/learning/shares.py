"""The largest share that an origin may have of what is trained on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aegis.contracts.experience import Origin

_ROUNDING: Final = 1e-9


def allowed(counts: Mapping[Origin, int], largest: Mapping[Origin, float]) -> dict[Origin, int]:
    """Return how many rows of each origin may stay: as many as the shares let stay in all.

    An origin that is alone keeps everything. Where the shares of the origins that are there add
    up to less than 1 they cannot all be kept, and count in proportion.

    Args:
        counts: Rows by origin.
        largest: Largest share by origin, 0 to 1; an origin that is not named may have all.
    """
    present = {origin: count for origin, count in counts.items() if count}
    if len(present) < 2:
        return dict(counts)
    shares = {origin: largest.get(origin, 1.0) for origin in present}
    total = sum(shares.values())
    if 0 < total < 1:
        shares = {origin: share / total for origin, share in shares.items()}
    size = _size(present, shares)
    return dict(counts) | {
        origin: min(count, math.floor(shares[origin] * size + _ROUNDING))
        for origin, count in present.items()
    }


def _size(counts: Mapping[Origin, int], shares: Mapping[Origin, float]) -> float:
    """Return the largest N with sum of min(count, share * N) over the origins equal to N.

    The origins are filled up in the order in which their rows run out as N grows; the first N at
    which those that have run out and the shares of the others make up the whole is the largest.
    """
    full_at = {o: counts[o] / shares[o] if shares[o] else math.inf for o in counts}
    order = sorted(counts, key=full_at.__getitem__)
    have, open_share = 0.0, sum(shares.values())
    for place, origin in enumerate(order):
        if math.isinf(full_at[origin]):
            break
        have += counts[origin]
        open_share -= shares[origin]
        following = full_at[order[place + 1]] if place + 1 < len(order) else math.inf
        if open_share < 1 - _ROUNDING and have / (1 - open_share) <= following + _ROUNDING:
            return have / (1 - open_share)
    return have
