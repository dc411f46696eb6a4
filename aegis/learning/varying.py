"""Variants: further demonstrations made of recorded ones by the symmetries of their environment.

A world that is mirrored, or whose colours have other names, is as good a world. What an
environment's plugin makes of a step (`Component.variants`) is trained on beside it; what is held
out to judge by stays as it was recorded. In a curriculum the first variants of all steps, which are
simple ones (`Component.lessons`), stand before the second of all steps, and so on.
"""

from __future__ import annotations

from itertools import islice, zip_longest
from typing import TYPE_CHECKING

from aegis.errors import InputError
from aegis.host.attribution import attributed
from aegis.learning.dataset import Dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from aegis.contracts.experience import Experience
    from aegis.host.manager import Host
    from aegis.host.plugin import Provided

    Maker = Callable[[Experience, int, int], Iterable[Experience]]


def varied(
    dataset: Dataset, host: Host, count: int, seed: int, *, curriculum: bool = False
) -> Dataset:
    """Return a data set with up to `count` variants of each of its steps behind all of them.

    A variant has the return and the advantage of the step that it was made of.

    Args:
        dataset: Recorded steps.
        host: The plugins; the environments that the steps come from are looked up in it.
        count: Variants of each step; 0 for none.
        seed: Seed of which they are.
        curriculum: Whether they go from simple to hard, over all steps.

    Raises:
        InputError: ``no-variants`` if no step is of an environment that knows symmetries,
            ``no-curriculum`` if none knows which are simple, or `count` is 0.
        PluginError: If making them raises.
    """
    if curriculum and not count:
        raise InputError.of(
            "no-curriculum",
            "a curriculum is made of variants, and there are none",
            where="[learning].curriculum",
            fix="set [learning].variants to 8 or more",
        )
    if not count:
        return dataset
    places = {step.environment for step in dataset.experiences}
    makers = {name: one for name in places if (one := _maker(host, name, curriculum)) is not None}
    if not makers:
        code, what = ("no-curriculum", "lessons") if curriculum else ("no-variants", "variants")
        raise InputError.of(
            code,
            f"no environment of these steps ({', '.join(sorted(places))}) knows {what}",
            where=f"[learning].{'curriculum' if curriculum else 'variants'}",
            fix=f"set it to {'false' if curriculum else '0'}",
        )
    rows = [*zip(dataset.experiences, dataset.returns, dataset.advantages, strict=True)]
    made = [
        [
            (variant, value, advantage)
            for variant in _made(*makers[step.environment], step, count, seed)
        ]
        for step, value, advantage in rows
        if step.environment in makers
    ]
    if curriculum:
        made = [[row for row in rank if row is not None] for rank in zip_longest(*made)]
    every = [*rows, *(row for some in made for row in some)]
    return Dataset(
        tuple(step for step, _, _ in every),
        tuple(value for _, value, _ in every),
        tuple(advantage for _, _, advantage in every),
    )


def _maker(host: Host, environment: str, curriculum: bool) -> tuple[Provided, Maker] | None:
    """Return the environment that a recorded name stands for, and what makes its variants."""
    name = environment.partition(":")[0]
    for provided in host.components("environment"):
        component = provided.component
        maker = component.lessons if curriculum else component.variants
        if component.name == name and maker is not None:
            return provided, maker
    return None


def _made(
    provided: Provided, make: Maker, step: Experience, count: int, seed: int
) -> Iterator[Experience]:
    with attributed(provided.plugin, f'variants of environment "{provided.component.name}"'):
        yield from list(islice(make(step, count, seed), count))
