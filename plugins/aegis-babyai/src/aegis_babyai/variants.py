"""Variants: demonstrations as good as a recorded one, by the symmetries of its level.

Where the level is one room, other things lie around as well (`aegis_babyai.scenery`), and where
sides are told the mission is said in other words, too (`aegis_babyai.wording`). There, and where
things are marked, the agent may have come in another way (`aegis_babyai.detours`). Elsewhere its
own last actions tell a model that does not yet know what words mean what it was about.
"""

from __future__ import annotations

import random
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from attrs import evolve

from aegis import InputError
from aegis_babyai import rendering
from aegis_babyai.detours import detoured
from aegis_babyai.levels import LEVELS
from aegis_babyai.scenery import redrawn
from aegis_babyai.symmetry import Symmetry
from aegis_babyai.wording import alike, reworded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import aegis
    from aegis_babyai.levels import Blocks, Level
    from aegis_babyai.mission import Wanted
    from aegis_babyai.scene import Scene

_TURNS: Final = {"left": -1, "right": 1}
_TRIES: Final = 4
"""Symmetries drawn for every variant that is asked for: many change nothing that is shown, such as
new names of colours out of sight."""


class Kinds(NamedTuple):
    """In which ways the variants of a step differ from it, beside the symmetries of its level.

    Attributes:
        redrawn: Other things lie around, in front of who turns as well.
        detoured: The agent came in another way.
        reworded: The mission is said in other words.
    """

    redrawn: bool
    detoured: bool
    reworded: bool

    @classmethod
    def of(cls, level: Level, *, marked: bool, sides: bool) -> Kinds:
        """Return the ways in a level whose views mark things, or tell sides."""
        room = bool(level.inside)
        return cls(redrawn=room, detoured=marked or sides, reworded=room and sides)


def variants(experience: aegis.Experience, count: int, seed: int) -> list[aegis.Experience]:
    """Return up to `count` variants of a step, all different from it and from each other.

    Args:
        experience: A recorded step; the name of its environment says the level.
        count: How many at most.
        seed: The same step and seed give the same variants.

    Raises:
        InputError: ``babyai-variants`` if it is not a step of a known level, or its view has other
            words than this version's.
    """
    return _made(experience, count, seed, lambda _: 1.0)


def lessons(experience: aegis.Experience, count: int, seed: int) -> list[aegis.Experience]:
    """Return variants, the simplest first; arguments and errors are those of `variants`.

    The missions of the first name a single colour and type, so that a model may learn what to do
    with the one thing that has them. Further ones join by and by; from the middle on all do.
    """
    return _made(experience, count, seed, lambda done: min(1.0, (2.0 * done) ** 2))


def _made(
    experience: aegis.Experience, count: int, seed: int, share: Callable[[float], float]
) -> list[aegis.Experience]:
    try:
        level = LEVELS[experience.environment.split(":")[1]]
        found = list(_distinct(experience, level, count, seed, share))
    except (ValueError, LookupError) as error:
        raise InputError.of(
            "babyai-variants",
            f"step {experience.step} of {experience.environment!r} is none that this version of "
            f"babyai shows: {error}",
            fix="set [learning].variants = 0, or collect the demonstrations anew, with --fresh",
        ) from error
    return found


class _Told(NamedTuple):
    """What a step tells of itself, and what was right.

    Attributes:
        mission: The mission.
        scene: What is known.
        chosen: Index of what was done.
    """

    mission: str
    scene: Scene
    chosen: int


def _distinct(
    experience: aegis.Experience,
    level: Level,
    count: int,
    seed: int,
    share: Callable[[float], float],
) -> Iterator[aegis.Experience]:
    if experience.decision.chosen is None:  # imported: nobody knows what was right
        return
    origin = f"{seed} {experience.episode} {experience.index} {experience.view.render()}"
    drawing = random.Random(  # noqa: S311 - a training needs no secrets
        blake2b(origin.encode(), digest_size=8).digest()
    )
    scene = rendering.scene_of(experience.view.observation)
    told = _Told(experience.view.goal, scene, experience.decision.chosen)
    blocks, turn = _blocks(experience, scene, level), _turn_of(experience)
    kinds = Kinds.of(level, marked=scene.marked, sides=scene.start is not None)
    words = alike(scene, told.mission, level) if kinds.reworded else ()
    known = {_shown(told)}
    for tried in range(tries := _TRIES * count):
        other = _elsewhere(told, level, words, turn, drawing, kinds=kinds)
        names = share(max((len(known) - 1) / count, tried / tries))
        symmetry = Symmetry.drawn(drawing, blocks, other.mission.split(), names)
        origins = _origins(symmetry, experience)
        variant = _Told(
            symmetry.text(other.mission),
            symmetry.scene(other.scene),
            origins.index(other.chosen),
        )
        if (shown := _shown(variant)) not in known:
            known.add(shown)
            yield _experience(variant, origins, experience)
            if len(known) > count:
                return


def _shown(told: _Told) -> tuple[str, tuple[str, ...], int]:
    return told.mission, rendering.lines(told.scene), told.chosen


def _elsewhere(
    told: _Told,
    level: Level,
    words: Sequence[Wanted],
    turn: int,
    drawing: random.Random,
    *,
    kinds: Kinds,
) -> _Told:
    """Return a step among other things, come to in another way, its mission in other words."""
    mission, scene = reworded(told.mission, words, drawing), told.scene
    if kinds.redrawn:
        scene = redrawn(scene, mission, level, drawing, turn=turn)
    if kinds.detoured:
        scene = detoured(scene, mission, drawing)
    return told._replace(mission=mission, scene=scene)


def _turn_of(experience: aegis.Experience) -> int:
    action = experience.decision.action
    return 0 if action is None else _TURNS.get(action.tool, 0)


def _blocks(experience: aegis.Experience, scene: Scene, level: Level) -> Blocks:
    """Return the names that may be exchanged in a step."""
    action = experience.decision.action
    facing = rendering.facing(scene)
    # A toggled box is gone, a toggled ball is not: there the types are not alike.
    toggled = action is not None and action.tool == "toggle"
    if toggled and facing is not None and facing.kind != "door":
        return level.colours
    return level.colours + level.types


def _origins(symmetry: Symmetry, experience: aegis.Experience) -> list[int]:
    """Return for each candidate in the other world, in the same order, which it is here."""
    names = [action.tool for action in experience.decision.candidates]
    return [names.index(symmetry.text(name)) for name in names]


def _experience(
    told: _Told, origins: Sequence[int], experience: aegis.Experience
) -> aegis.Experience:
    """Return a step that tells something else of itself."""
    decision = experience.decision

    def moved(values: Sequence[float]) -> tuple[float, ...]:
        return tuple(values[index] for index in origins)

    return evolve(
        experience,
        view=evolve(experience.view, goal=told.mission, observation=rendering.lines(told.scene)),
        decision=evolve(
            decision,
            chosen=told.chosen,
            action=decision.candidates[told.chosen],
            engine_log_probabilities=moved(decision.engine_log_probabilities),
            behaviour_log_probabilities=moved(decision.behaviour_log_probabilities),
        ),
    )
