"""The manifest of the environment ``babyai``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aegis
from aegis_babyai.published import published
from aegis_babyai.settings import BabyAISettings
from aegis_babyai.version import version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAME: Final = "babyai"


def babyai_component() -> aegis.Component:
    """Return the manifest."""
    return aegis.Component(
        kind="environment",
        name=NAME,
        summary="BabyAI levels of minigrid: missions in a grid world, seen as text.",
        config=BabyAISettings,
        describe=_describe,
        build=_build,
        task=("level", "track"),
        variants=_variants,
        lessons=_lessons,
        published=published,
    )


def _describe(settings: BabyAISettings) -> aegis.EnvironmentCapabilities:
    return aegis.EnvironmentCapabilities(
        version=version_of(settings), splits=True, measure="success"
    )


def _build(
    settings: BabyAISettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> aegis.Environment:
    from aegis_babyai.environment import BabyAI

    del parts, runtime  # it has none, and a level is small
    return BabyAI(settings)


def _variants(experience: aegis.Experience, count: int, seed: int) -> Iterable[aegis.Experience]:
    from aegis_babyai.variants import variants

    return variants(experience, count, seed)


def _lessons(experience: aegis.Experience, count: int, seed: int) -> Iterable[aegis.Experience]:
    from aegis_babyai.variants import lessons

    return lessons(experience, count, seed)
