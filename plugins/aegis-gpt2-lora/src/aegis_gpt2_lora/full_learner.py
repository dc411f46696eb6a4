"""A whole model in training: one optimiser step a batch, on the loss of choices and of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from attrs import frozen

from aegis.neural.averaging import Average

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aegis.neural.learner import Losses
    from aegis_gpt2_lora.examples import Example
    from aegis_gpt2_lora.objective import Objective
    from aegis_gpt2_lora.trainer_settings import FullTrainerSettings


class FullLearner:
    """All weights of a module under an objective, changed by AdamW (an `aegis.neural.Learner`).

    Weight decay is decoupled (Loshchilov & Hutter 2019, arXiv 1711.05101) and pulls at matrices
    alone, the embeddings among them.

    Args:
        objective: What is trained, computed with the module's weights.
        module: The model.
        settings: Section ``[trainer.gpt2-full]``.
    """

    rounds = 1

    def __init__(
        self, objective: Objective, module: torch.nn.Module, settings: FullTrainerSettings
    ) -> None:
        self.parameters = list(module.parameters())
        self.optimiser = torch.optim.AdamW(
            [
                {
                    "params": [weight for weight in self.parameters if weight.dim() > 1],
                    "weight_decay": settings.weight_decay,
                },
                {
                    "params": [weight for weight in self.parameters if weight.dim() <= 1],
                    "weight_decay": 0.0,
                },
            ],
            foreach=True,  # one weight after the other takes a twentieth of a small model's step
        )
        self._objective = objective
        self._module = module
        self._settings = settings
        self._average = Average(module, settings.ema)

    def attempt(self, examples: Sequence[Example]) -> FullAttempt:
        """Begin to compute a piece of a batch."""
        return FullAttempt(self, examples)

    def measure(self, examples: Sequence[Example]) -> Losses:
        """Return the losses of examples, (B,) each, as they are served."""
        with self._average.in_force():
            return self.losses(examples, training=False)

    def losses(self, examples: Sequence[Example], *, training: bool) -> Losses:
        """Return the losses of examples, (B,) each, with a graph."""
        return self._objective.trained(examples, self._settings, training=training)

    def after_step(self) -> None:
        """Move the average of the weights."""
        self._average.move()

    def state(self) -> dict[str, torch.Tensor]:
        """Return the weights and their average."""
        weights = {
            f"weights.{name}": weight.detach().clone()
            for name, weight in self._module.named_parameters()
        }
        return {**weights, **self._average.state()}

    @torch.no_grad()
    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put weights and average in force."""
        for name, weight in self._module.named_parameters():
            weight.copy_(tensors[f"weights.{name}"])
        self._average.load_state(tensors)

    def served(self) -> dict[str, torch.Tensor]:
        """Return the weights that are served: their average, where there is one."""
        return self._average.served()


@frozen
class FullAttempt:
    """A piece of a batch; nothing is carried on from it, since a batch takes one step."""

    learner: FullLearner
    examples: Sequence[Example]

    def losses(self) -> Losses:
        """Return the losses of the examples in training."""
        return self.learner.losses(self.examples, training=True)
