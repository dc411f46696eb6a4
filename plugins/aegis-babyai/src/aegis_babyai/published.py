"""What others report for these levels. It stands beside figures of the track ``unmarked`` only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aegis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aegis_babyai.settings import BabyAISettings

_NEEDED: Final[Mapping[str, tuple[int, int]]] = {
    "GoToRedBallGrey": (8_400, 12_400),
    "GoToRedBall": (50_000, 62_000),
    "GoToLocal": (149_000, 193_000),
    "PickupLoc": (204_000, 241_000),
    "PutNextLocal": (245_000, 323_000),
}
"""Demonstrations of the bot that imitation needs for a success of 99 %: the ends of an interval."""


def published(settings: BabyAISettings) -> list[aegis.Published]:
    """Return what is published for a level; nothing for the track ``marked``."""
    needed = _NEEDED.get(settings.level)
    if needed is None or settings.track == "marked":
        return []
    least, most = needed
    return [
        aegis.Published(
            name="BabyAI, imitation from pixels of symbols",
            value=0.99,
            demonstrations=least,
            source="Chevalier-Boisvert et al. 2019 (arXiv 1810.08272), as quoted in a review; the "
            "paper's table itself was not looked up",
            note=f"{least:,} to {most:,} demonstrations to reach 99 %. A recurrent network on the "
            "7x7 grid with the direction given; older rules of the environments; no symmetries.",
        )
    ]
