"""The version of the environment's rules: of splits, rewards and views together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aegis_babyai.levels import LEVELS

if TYPE_CHECKING:
    from aegis_babyai.settings import BabyAISettings


def version_of(settings: BabyAISettings) -> str:
    """Return the version of what is played; results name it, and are comparable where it is equal.

    2: places are walked and stand before what is there. 3: where missions name sides, the unmarked
    view tells those of things; everything else is as in 2.
    """
    told = LEVELS[settings.level].sides and settings.track == "unmarked"
    return "3" if told else "2"
