"""Variants: further demonstrations made of recorded ones by the symmetries of their environment.

A world that is mirrored, or whose colours have other names, is as good a world. What an
environment's plugin makes of a step (`Component.variants`) is trained on beside it; what is held
out to judge by stays as it was recorded.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from aegis.errors import InputError
from aegis.host.attribution import attributed
from aegis.learning.dataset import Dataset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aegis.contracts.experience import Experience
    from aegis.host.manager import Host
    from aegis.host.plugin import Provided


def varied(dataset: Dataset, host: Host, count: int, seed: int) -> Dataset:
    """Return a data set with up to `count` variants of each of its steps behind all of them.

    A variant has the return and the advantage of the step that it was made of.

    Args:
        dataset: Recorded steps.
        host: The plugins; the environments that the steps come from are looked up in it.
        count: Variants of each step; 0 for none.
        seed: Seed of which they are.

    Raises:
        InputError: ``no-variants`` if no step is of an environment that knows symmetries.
        PluginError: If making them raises.
    """
    if not count:
        return dataset
    rows = [*zip(dataset.experiences, dataset.returns, dataset.advantages, strict=True)]
    places = {step.environment for step in dataset.experiences}
    makers = {name: found for name in places if (found := _maker(host, name)) is not None}
    if not makers:
        raise InputError.of(
            "no-variants",
            f"no environment of these steps ({', '.join(sorted(places))}) knows variants",
            where="[learning].variants",
            fix="set it to 0",
        )
    made = [
        (variant, value, advantage)
        for step, value, advantage in rows
        if step.environment in makers
        for variant in _variants(makers[step.environment], step, count, seed)
    ]
    every = rows + made
    return Dataset(
        tuple(step for step, _, _ in every),
        tuple(value for _, value, _ in every),
        tuple(advantage for _, _, advantage in every),
    )


def _maker(host: Host, environment: str) -> Provided | None:
    """Return the environment that a recorded name stands for, where it knows variants."""
    name = environment.partition(":")[0]
    for provided in host.components("environment"):
        if provided.component.name == name and provided.component.variants is not None:
            return provided
    return None


def _variants(provided: Provided, step: Experience, count: int, seed: int) -> Iterator[Experience]:
    make = provided.component.variants
    assert make is not None
    with attributed(provided.plugin, f'variants of environment "{provided.component.name}"'):
        yield from list(islice(make(step, count, seed), count))
