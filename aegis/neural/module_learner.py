"""All weights of a module in training: one optimiser step a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import torch
from attrs import frozen

from aegis.neural.averaging import Average
from aegis.neural.learner import Losses, TrainingExample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Example = TypeVar("Example", bound=TrainingExample)


class ModuleLearner(Generic[Example]):
    """The weights of a module that have a gradient, changed by AdamW (a `Learner`).

    Weight decay is decoupled (Loshchilov & Hutter 2019, arXiv 1711.05101) and pulls at matrices
    alone, the embeddings among them. Weights with ``requires_grad`` False stay as they are.

    Args:
        module: The model.
        losses: Called with examples and whether they are trained on (with a graph, in a training's
            mode) or measured; returns their losses, (B,) each.
        weight_decay: AdamW's.
        ema: How much of the moving average of the weights is kept at a step; it is measured and
            served. 0: the weights themselves are.
    """

    rounds = 1

    def __init__(
        self,
        module: torch.nn.Module,
        losses: Callable[[Sequence[Example], bool], Losses],
        *,
        weight_decay: float = 0.01,
        ema: float = 0.0,
    ) -> None:
        self.parameters = [weight for weight in module.parameters() if weight.requires_grad]
        groups = [
            ([weight for weight in self.parameters if weight.dim() > 1], weight_decay),
            ([weight for weight in self.parameters if weight.dim() <= 1], 0.0),
        ]
        self.optimiser: torch.optim.Optimizer = torch.optim.AdamW(
            [{"params": weights, "weight_decay": decay} for weights, decay in groups if weights],
            fused=True,  # one weight after the other takes a tenth of a small model's step
        )
        self._losses = losses
        self._module = module
        self._average = Average(module, ema)

    def attempt(self, examples: Sequence[Example]) -> _Attempt[Example]:
        """Begin to compute a piece of a batch."""
        return _Attempt(self, examples)

    def measure(self, examples: Sequence[Example]) -> Losses:
        """Return the losses of examples, (B,) each, as they are served."""
        with self._average.in_force():
            return self._losses(examples, False)

    def trained(self, examples: Sequence[Example]) -> Losses:
        """Return the losses of examples, (B,) each, with a graph."""
        return self._losses(examples, True)

    def after_step(self) -> None:
        """Move the average of the weights."""
        self._average.move()

    def state(self) -> dict[str, torch.Tensor]:
        """Return the weights and their average."""
        weights = {
            f"weights.{name}": weight.detach().clone()
            for name, weight in self._module.named_parameters()
            if weight.requires_grad
        }
        return {**weights, **self._average.state()}

    @torch.no_grad()
    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put weights and average in force."""
        for name, weight in self._module.named_parameters():
            if weight.requires_grad:
                weight.copy_(tensors[f"weights.{name}"])
        self._average.load_state(tensors)

    def served(self) -> dict[str, torch.Tensor]:
        """Return the weights that are served: their average, where there is one."""
        return self._average.served()


@frozen
class _Attempt(Generic[Example]):
    """A piece of a batch; nothing is carried on from it, since a batch takes one step."""

    learner: ModuleLearner[Example]
    examples: Sequence[Example]

    def losses(self) -> Losses:
        """Return the losses of the examples in training."""
        return self.learner.trained(self.examples)
