"""The section ``[environment.babyai]``."""

from __future__ import annotations

from typing import Final, Literal

from attrs import frozen

import aegis
from aegis_babyai.levels import LEVELS

Track = Literal["unmarked", "marked"]
Split = Literal["practice", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = ("practice", "validation", "test")


@frozen(kw_only=True)
class BabyAISettings:
    """What is played."""

    level: str = aegis.setting(
        "GoToLocal",
        choices=tuple(LEVELS),
        help="Level: GoToLocal stands for minigrid's BabyAI-GoToLocal-v0.",
    )
    track: Track = aegis.setting(
        "unmarked",
        help="Whether the view marks what the mission speaks of; figures of the two tracks are "
        "never put together.",
    )
    split: Split = aegis.setting(
        "practice", help="Episodes that are played; those of test are for reports only."
    )
