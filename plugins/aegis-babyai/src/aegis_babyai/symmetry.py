"""Symmetries: a world seen in a mirror, or with other names for its colours and types.

BabyAI's worlds have no right or left hand of their own: in the mirror every rule holds with left
and right exchanged. Which colours and types may be exchanged is a matter of the level
(`aegis_babyai.levels`).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from attrs import frozen

from aegis_babyai.scene import Scene, Sight, Start, Thing

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from aegis_babyai.levels import Blocks

_SIDES: Final = {"left": "right", "right": "left"}
_HANDS: Final = str.maketrans("lr", "rl")
_WORD: Final = re.compile(r"[a-z]+")


@frozen
class Symmetry:
    """A symmetry of a level.

    Attributes:
        mirrored: Whether left and right are exchanged.
        names: New names of colours and types; what is not among them keeps its own.
    """

    mirrored: bool
    names: Mapping[str, str]

    @classmethod
    def drawn(
        cls, random: random.Random, blocks: Blocks, said: Sequence[str] = (), share: float = 1.0
    ) -> Symmetry:
        """Return a symmetry, each as likely, that exchanges names within blocks of them.

        Args:
            random: Where the numbers come from.
            blocks: Names that may be exchanged.
            said: Words of a mission.
            share: Of each block only so large a part, its first names, becomes what the mission
                names; at least as many as it names.
        """
        names: dict[str, str] = {}
        for block in blocks:
            named = [name for name in block if name in said]
            among = block[: max(len(named), 1, math.ceil(share * len(block)))]
            new = random.sample(among, len(named))
            rest = [name for name in block if name not in new]
            names |= zip(named, new, strict=True)
            others = [name for name in block if name not in named]
            names |= zip(others, random.sample(rest, len(rest)), strict=True)
        return cls(random.random() < 0.5, names)

    def text(self, text: str) -> str:
        """Return words as they would be in the other world: of missions, actions."""
        words = {**self.names, **(_SIDES if self.mirrored else {})}
        return _WORD.sub(lambda found: words.get(found[0], found[0]), text)

    def scene(self, scene: Scene) -> Scene:
        """Return a scene as it would be in the other world."""
        walls = scene.walls
        return Scene(
            walls._replace(left=walls.right, right=walls.left) if self.mirrored else walls,
            None if scene.carried is None else self._thing(scene.carried),
            tuple(self._sight(sight) for sight in scene.seen),
            tuple(self._sight(sight) for sight in scene.past),
            tuple(self.text(action) for action in scene.last),
            scene.marked,
            None if scene.start is None else self._start(scene.start),
        )

    def _sight(self, sight: Sight) -> Sight:
        aside = -sight.aside if self.mirrored else sight.aside
        return Sight(self._thing(sight.thing), sight.ahead, aside)

    def _thing(self, thing: Thing) -> Thing:
        colour, kind = (self.names.get(name, name) for name in (thing.colour, thing.kind))
        return thing._replace(colour=colour, kind=kind, side=self._letters(thing.side))

    def _start(self, start: Start) -> Start:
        aside = -start.aside if self.mirrored else start.aside
        return Start(start.ahead, aside, self._letters(start.faces))

    def _letters(self, letters: str) -> str:
        return letters.translate(_HANDS) if self.mirrored else letters
