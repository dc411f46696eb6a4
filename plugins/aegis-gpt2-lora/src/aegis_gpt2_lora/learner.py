"""Adapters in training: one optimiser step a batch, on the loss of choices and of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from attrs import frozen

from aegis_gpt2_lora.adapter_file import Pair

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aegis.neural import Losses
    from aegis_gpt2_lora.adapter import Adapter
    from aegis_gpt2_lora.examples import Example
    from aegis_gpt2_lora.objective import Objective
    from aegis_gpt2_lora.trainer_settings import TrainerSettings


class AdapterLearner:
    """Adapters under an objective, changed by AdamW.

    Args:
        objective: What is trained.
        adapter: The adapters, on the module.
        settings: Section ``[trainer.gpt2-lora]``.
    """

    rounds = 1

    def __init__(self, objective: Objective, adapter: Adapter, settings: TrainerSettings) -> None:
        self.parameters = adapter.parameters
        self.optimiser = torch.optim.AdamW(self.parameters, weight_decay=settings.weight_decay)
        self._objective = objective
        self._adapter = adapter
        self._settings = settings

    def attempt(self, examples: Sequence[Example]) -> AdapterAttempt:
        """Begin to compute a piece of a batch."""
        return AdapterAttempt(self, examples)

    def measure(self, examples: Sequence[Example]) -> Losses:
        """Return the losses of examples, (B,) each, as they are served."""
        return self.losses(examples, training=False)

    def losses(self, examples: Sequence[Example], *, training: bool) -> Losses:
        """Return the losses of examples, (B,) each, with a graph."""
        return self._objective.trained(examples, self._settings, training=training)

    def after_step(self) -> None:
        """Do nothing: what is trained is what is served."""

    def state(self) -> dict[str, torch.Tensor]:
        """Return a copy of the matrices, by ``<module>.A`` and ``<module>.B``."""
        return {
            f"{name}.{letter}": matrix
            for name, pair in self._adapter.pairs().items()
            for letter, matrix in zip("AB", pair, strict=True)
        }

    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put in force what `state` returned."""
        self._adapter.load(pairs_of(tensors))

    def served(self) -> dict[str, torch.Tensor]:
        """Return what `state` returns."""
        return self.state()


@frozen
class AdapterAttempt:
    """A piece of a batch; nothing is carried on from it, since a batch takes one step."""

    learner: AdapterLearner
    examples: Sequence[Example]

    def losses(self) -> Losses:
        """Return the losses of the examples in training."""
        return self.learner.losses(self.examples, training=True)


def pairs_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, Pair]:
    """Return the matrices that `AdapterLearner.served` returned, by the name of their module."""
    names = dict.fromkeys(name.rpartition(".")[0] for name in tensors)
    return {name: Pair(tensors[f"{name}.A"], tensors[f"{name}.B"]) for name in names}
