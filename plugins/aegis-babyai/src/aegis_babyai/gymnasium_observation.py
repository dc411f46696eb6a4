"""Observations as lines of text.

    position: 14                                    a whole number (Discrete)
    -0.0214 0.199 0.0312 -0.281                     numbers (Box, MultiDiscrete, MultiBinary)
    cart position: -0.0214                          the same, where the numbers have names
    image: 2 5 0                                    an entry of a Dict; of a Tuple by its number
    agent.mission: go to the red ball               an entry of an entry; Text as it is

Fractions have three significant digits. Text of several lines gives a line of the view for each.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from attrs import field, frozen
from gymnasium import spaces

from aegis import InputError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST: Final = 128
"""Numbers of an observation at most, as many as an Atari console has bytes; an image has more."""

DIGITS: Final = 3
_EXACT: Final = 1e15
"""Below it a number with a fraction of nothing is a whole one, every digit of which counts."""

_ALLOWED: Final = "Discrete, Box, MultiDiscrete, MultiBinary, Text, and Tuple and Dict of these"


@frozen
class Leaf:
    """A part of an observation that is not made of further ones.

    Attributes:
        label: What it is called, or empty.
        path: Keys and positions that lead to it.
        numbers: How many numbers it is; None where it is text.
    """

    label: str
    path: tuple[str | int, ...]
    numbers: int | None


@frozen
class Layout:
    """How the observations of one space become text.

    Attributes:
        id: The environment's id, for messages.
        leaves: The parts of an observation, in the space's order.
        names: Names of its numbers, all of them; none where they have none.
    """

    id: str
    leaves: tuple[Leaf, ...]
    names: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, id: str, space: spaces.Space[Any], names: tuple[str, ...] = ()) -> Layout:
        """Return the layout of a space.

        Args:
            id: The environment's id.
            space: Its observation space.
            names: Names of the numbers of an observation; used where it is as many numbers and
                nothing else.

        Raises:
            InputError: ``gymnasium-observation`` if the space has no text, or too many numbers.
        """
        leaves = tuple(_leaves(id, space, "", ()))
        count = sum(leaf.numbers or 0 for leaf in leaves)
        if count > MOST:
            raise _unusable(
                id, f"observations of {count} numbers; at most {MOST} are shown as text", space
            )
        named = len(names) == count and all(leaf.numbers is not None for leaf in leaves)
        return cls(id, leaves, names if named else ())

    def lines(self, observation: Any) -> tuple[str, ...]:
        """Return the lines of an observation.

        Raises:
            InputError: ``gymnasium-observation`` if it is not of the space.
        """
        try:
            if self.names:
                numbers = (text for leaf in self.leaves for text in _numbers(leaf, observation))
                return tuple(
                    f"{name}: {text}" for name, text in zip(self.names, numbers, strict=True)
                )
            return tuple(line for leaf in self.leaves for line in _lines(leaf, observation))
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise InputError.of(
                "gymnasium-observation",
                f'environment "{self.id}" returned an observation that is not of its space: '
                f"{type(error).__name__}: {one_line(str(error), 200)}",
                where="[environment.gymnasium].id",
                fix="choose another environment, or report it to its authors",
            ) from error


def number(value: float) -> str:
    """Return a number as text: whole numbers as they are, fractions with `DIGITS` digits."""
    if isinstance(value, int) or (abs(value) < _EXACT and float(value).is_integer()):
        return str(int(value))  # a truth value too; a negative zero
    text = f"{value:.{DIGITS}g}"
    return "0" if text == "-0" else text


def _leaves(
    id: str, space: spaces.Space[Any], label: str, path: tuple[str | int, ...]
) -> Iterator[Leaf]:
    if isinstance(space, spaces.Dict):
        for key, inner in space.spaces.items():
            yield from _leaves(id, inner, _joined(label, str(key)), (*path, key))
    elif isinstance(space, spaces.Tuple):
        for index, inner in enumerate(space.spaces):
            yield from _leaves(id, inner, _joined(label, str(index)), (*path, index))
    elif isinstance(space, spaces.Discrete):
        yield Leaf(label, path, 1)
    elif isinstance(space, spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary):
        yield Leaf(label, path, math.prod(space.shape))
    elif isinstance(space, spaces.Text):
        yield Leaf(label, path, None)
    else:
        raise _unusable(id, f"observations of the space {type(space).__name__}", space)


def _joined(label: str, name: str) -> str:
    return f"{label}.{name}" if label else name


def _at(leaf: Leaf, observation: Any) -> Any:
    for step in leaf.path:
        observation = observation[step]
    return observation


def _numbers(leaf: Leaf, observation: Any) -> list[str]:
    value = _at(leaf, observation)
    if isinstance(value, int):  # most toy environments; an array would take twice as long
        return [number(value)]
    values = cast("list[float]", np.asarray(value).ravel().tolist())
    if len(values) != leaf.numbers:
        raise ValueError(f"{len(values)} numbers instead of {leaf.numbers}")
    return [number(value) for value in values]


def _lines(leaf: Leaf, observation: Any) -> list[str]:
    prefix = f"{leaf.label}: " if leaf.label else ""
    if leaf.numbers is not None:
        return [prefix + " ".join(_numbers(leaf, observation))]
    text = _at(leaf, observation)
    if not isinstance(text, str):
        raise TypeError(f"{type(text).__name__} instead of text")
    return [prefix + line for line in text.splitlines() or [""]]


def _unusable(id: str, what: str, space: spaces.Space[Any]) -> InputError:
    shape = getattr(space, "shape", None)
    size = f", {' x '.join(map(str, shape))}" if shape else ""
    return InputError.of(
        "gymnasium-observation",
        f'environment "{id}" has {what} ({type(space).__name__}{size})',
        where="[environment.gymnasium].id",
        fix=f"choose an environment whose observations are {_ALLOWED}, of {MOST} numbers at most",
    )
