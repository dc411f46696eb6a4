"""The manifest of the environment ``gymnasium``: gymnasium's registered environments as tasks.

    [environment.gymnasium]
    id = "FrozenLake-v1"
    options.map_name = "8x8"

``gymnasium:Taxi-v4`` names the task of an id. Imports no gymnasium; ``build`` does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping  # noqa: TC003 - resolved when the section is structured
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

import aegis
from aegis_babyai.settings import Split  # noqa: TC001 - resolved when the section is structured

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME: Final = "gymnasium"
VERSION: Final = "2"
"""Version of views, actions, splits and goals together; results name it."""

LONGEST: Final = 10_000
"""Steps that no episode exceeds."""
UNLIMITED: Final = 1_000
"""Steps of an episode of an environment that has no limit of its own."""

_SECTION: Final = f"[environment.{NAME}]"
_RESERVED: Final = {
    "id": "set id itself",
    "max_episode_steps": "set steps",
    "disable_env_checker": "leave it out: the checker's warnings are about the environment's code",
    "render_mode": "leave it out: nothing is drawn",
}
"""Arguments of ``gymnasium.make`` that are no options, and what to do instead."""


@frozen(kw_only=True)
class GymnasiumSettings:
    """Which environment is played, and how."""

    id: str = aegis.setting(
        "FrozenLake-v1", help="Id that gymnasium registers the environment under, version included."
    )
    split: Split = aegis.setting(
        "practice", help="Episodes that are played; those of test are for reports only."
    )
    steps: int = aegis.setting(
        0,
        ge=0,
        le=LONGEST,
        help="Steps of an episode at most; the environment's own limit holds besides. 0: its own "
        f"limit alone, or {UNLIMITED} steps where it has none.",
    )
    options: Mapping[str, Any] = aegis.setting(
        factory=dict,
        help="Arguments that the environment is made with, such as map_name.",
    )


def gymnasium_component() -> aegis.Component:
    """Return the manifest."""
    return aegis.Component(
        kind="environment",
        name=NAME,
        summary="Environments of gymnasium with discrete actions, seen as text.",
        config=GymnasiumSettings,
        describe=_describe,
        check=_check,
        build=_build,
        task=("id",),
    )


def capabilities() -> aegis.EnvironmentCapabilities:
    """Return what holds for every environment of gymnasium that is played."""
    return aegis.EnvironmentCapabilities(
        version=VERSION, seeded=True, splits=True, measure="return"
    )


def problems(settings: GymnasiumSettings) -> Iterator[aegis.Problem]:
    """Yield everything that is known to be wrong before gymnasium is imported."""
    if ":" in settings.id:
        yield aegis.Problem(
            "gymnasium-module",
            f'the id "{settings.id}" would import a module; only what is registered is built',
            where=f"{_SECTION}.id",
            fix="write the id without the module, and let a plugin of yours import the module: a "
            'file "more.py" with the line "import NAME", listed in [plugins].enabled',
        )
    for name in settings.options:
        if name in _RESERVED:
            yield aegis.Problem(
                "gymnasium-options",
                f'"{name}" is no option',
                where=f"{_SECTION}.options",
                fix=_RESERVED[name],
            )
    try:
        json.dumps(dict(settings.options), allow_nan=False)
    except (TypeError, ValueError) as error:
        yield aegis.Problem(
            "gymnasium-options",
            f"options have a value that is no JSON: {error}",
            where=f"{_SECTION}.options",
            fix="use strings, finite numbers, true, false, arrays and tables",
        )


def _describe(settings: GymnasiumSettings) -> aegis.EnvironmentCapabilities:
    del settings  # the same for all
    return capabilities()


def _check(settings: GymnasiumSettings, parts: Mapping[str, Any]) -> Iterator[aegis.Problem]:
    del parts  # it has none
    return problems(settings)


def _build(
    settings: GymnasiumSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> aegis.Environment:
    from aegis_babyai.gymnasium_environment import GymnasiumEnvironment

    del parts, runtime  # it has none, and keeps nothing
    return GymnasiumEnvironment(settings)
