"""What a training run asks of that which it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from torch import nn


class TrainingExample(Protocol):
    """What one recorded step trains, as far as a training run looks at it."""

    @property
    def weight(self) -> float:
        """How much it counts."""
        ...

    @property
    def tokens(self) -> int:
        """How long it is, in what the run's `tokens_at_once` counts."""
        ...


Example_contra = TypeVar("Example_contra", bound=TrainingExample, contravariant=True)


class Losses(NamedTuple):
    """Figures of a piece of a batch by example, (B,) each, without the examples' weights.

    Attributes:
        total: What is trained; with a graph in an attempt.
        parts: Further figures by name, without a graph; NaN where an example has no such part.
            The mean over the held-out examples that have one is reported as ``held_out_<name>``.
    """

    total: torch.Tensor
    parts: Mapping[str, torch.Tensor]


class Attempt(Protocol):
    """The computation of a piece of a batch, which goes on from one optimiser step to the next."""

    def losses(self) -> Losses:
        """Compute the next round and return its losses; called once in each round, in order."""
        ...


class Learner(Protocol[Example_contra]):
    """A model in training, with its optimiser.

    Randomness in training comes from torch's generator, which is seeded before each batch.
    """

    @property
    def parameters(self) -> Sequence[nn.Parameter]:
        """What the optimiser changes."""
        ...

    @property
    def optimiser(self) -> torch.optim.Optimizer:
        """Its optimiser; the run sets the ``lr`` of each group before each batch.

        A group's rate is that of the run, multiplied by the group's ``rate_scale`` where it has
        one. What the optimiser must know of earlier steps is in its ``state`` of parameters.
        """
        ...

    @property
    def rounds(self) -> int:
        """Optimiser steps that a batch takes: 1, or the number of segments that are supervised."""
        ...

    def attempt(self, examples: Sequence[Example_contra]) -> Attempt:
        """Begin to compute a piece of a batch, in training mode."""
        ...

    def measure(self, examples: Sequence[Example_contra]) -> Losses:
        """Return losses as the result is served; called where no gradient is recorded.

        The same weights give the same figures.
        """
        ...

    def after_step(self) -> None:
        """Do what follows each optimiser step, such as moving an average of the weights."""
        ...

    def state(self) -> dict[str, torch.Tensor]:
        """Return copies of all tensors that are needed to go on, but for the optimiser's."""
        ...

    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put in force what `state` returned, in place: parameters stay the same objects."""
        ...

    def served(self) -> dict[str, torch.Tensor]:
        """Return copies of the weights as they would be served now."""
        ...
