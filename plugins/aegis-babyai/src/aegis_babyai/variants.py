"""Variants: demonstrations as good as a recorded one, by the symmetries of its level.

The agent may have come there in another way (`aegis_babyai.detours`). Where the level is one room,
other things lie around as well (`aegis_babyai.scenery`), and where sides are told the mission is
said in other words, too (`aegis_babyai.wording`).
"""

from __future__ import annotations

import random
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

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

_TURNS: Final = {"left": -1, "right": 1}
_TRIES: Final = 4
"""Symmetries drawn for every variant that is asked for: many change nothing that is shown, such as
new names of colours out of sight."""


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
            fix="set [learning].variants = 0, or collect the demonstrations anew",
        ) from error
    return found


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
    blocks = _blocks(experience, level)
    words = _words(experience, level)
    known = {_shown(experience)}
    for tried in range(tries := _TRIES * count):
        step = _elsewhere(experience, level, words, drawing)
        names = share(max((len(known) - 1) / count, tried / tries))
        said = step.view.goal.split()
        variant = _under(Symmetry.drawn(drawing, blocks, said, names), step)
        if _shown(variant) not in known:
            known.add(_shown(variant))
            yield variant
            if len(known) > count:
                return


def _shown(experience: aegis.Experience) -> tuple[str, int | None]:
    return experience.view.render(), experience.decision.chosen


def _elsewhere(
    experience: aegis.Experience, level: Level, words: Sequence[Wanted], drawing: random.Random
) -> aegis.Experience:
    """Return a step among other things, come to in another way, its mission in other words."""
    view, action = experience.view, experience.decision.action
    scene, goal = rendering.scene_of(view.observation), reworded(view.goal, words, drawing)
    if level.inside:
        turn = 0 if action is None else _TURNS.get(action.tool, 0)
        scene = redrawn(scene, goal, level, drawing, turn=turn)
    scene = detoured(scene, goal, drawing)
    seen = evolve(view, goal=goal, observation=rendering.lines(scene))
    return evolve(experience, view=seen)


def _words(experience: aegis.Experience, level: Level) -> Sequence[Wanted]:
    """Return other words for a step's mission; none where sides are not told, or rooms are many."""
    scene = rendering.scene_of(experience.view.observation)
    told = level.inside and scene.start is not None
    return alike(scene, experience.view.goal, level) if told else ()


def _blocks(experience: aegis.Experience, level: Level) -> Blocks:
    """Return the names that may be exchanged in a step."""
    action = experience.decision.action
    facing = rendering.facing(rendering.scene_of(experience.view.observation))
    # A toggled box is gone, a toggled ball is not: there the types are not alike.
    toggled = action is not None and action.tool == "toggle"
    if toggled and facing is not None and facing.kind != "door":
        return level.colours
    return level.colours + level.types


def _under(symmetry: Symmetry, experience: aegis.Experience) -> aegis.Experience:
    """Return a step as it would be in the other world; the candidates keep their order."""
    decision = experience.decision
    names = [action.tool for action in decision.candidates]
    origin = [names.index(symmetry.text(name)) for name in names]  # of each in the other world

    def moved(values: Sequence[float]) -> tuple[float, ...]:
        return tuple(values[index] for index in origin)

    assert decision.chosen is not None
    chosen = origin.index(decision.chosen)
    return evolve(
        experience,
        view=symmetry.view(experience.view),
        decision=evolve(
            decision,
            chosen=chosen,
            action=decision.candidates[chosen],
            engine_log_probabilities=moved(decision.engine_log_probabilities),
            behaviour_log_probabilities=moved(decision.behaviour_log_probabilities),
        ),
    )
