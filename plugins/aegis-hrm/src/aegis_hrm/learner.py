"""Deep supervision of decisions: a loss and an optimiser step after every segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812 - the field's name for it

from aegis.neural import Average, Losses
from aegis_hrm.decision.packing import pack
from aegis_hrm.decision.thinking import think
from aegis_hrm.model.optimisers import AdamATan2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aegis_hrm.decision.network import DecisionNetwork, Judgement
    from aegis_hrm.decision.packing import Packed
    from aegis_hrm.decision.thinking import Budget
    from aegis_hrm.examples import Example
    from aegis_hrm.model.recursion import State


class Labels(NamedTuple):
    """What a batch is to answer.

    Attributes:
        chosen: Index of the candidate that was taken, (B,).
        targets: Probability that each candidate is to get, (B, C).
    """

    chosen: torch.Tensor
    targets: torch.Tensor

    def agree(self, scores: torch.Tensor) -> torch.Tensor:
        """Return where the most probable candidate is the one that was taken, (B,), as 0 and 1."""
        return (scores.argmax(-1) == self.chosen).to(scores.dtype)

    def right(self, scores: torch.Tensor) -> torch.Tensor:
        """Return where it is the one that is to get most, (B,), as 0 and 1."""
        return (scores.argmax(-1) == self.targets.argmax(-1)).to(scores.dtype)


class DeepSupervision:
    """The network in training (an `aegis.neural.Learner`).

    Args:
        network: The weights.
        budget: How decisions stop when they are served.
        segments: Segments of a batch that are supervised.
        ema: How much of the average is kept at a step; 0: the weights themselves are served.
        halting_loss: Weight of the losses of the halting head.
        learning_rate: The optimiser's until the run sets it.
        weight_decay: The optimiser's.
    """

    def __init__(
        self,
        network: DecisionNetwork,
        budget: Budget,
        *,
        segments: int,
        ema: float,
        halting_loss: float,
        learning_rate: float,
        weight_decay: float,
    ) -> None:
        self.network = network
        self.parameters = list(network.parameters())
        self.optimiser: torch.optim.Optimizer = AdamATan2(
            self.parameters, lr=learning_rate, weight_decay=weight_decay
        )
        self.rounds = segments
        self._budget = budget
        self._halting_loss = halting_loss
        self._average = Average(network, ema)

    def attempt(self, examples: Sequence[Example]) -> _Attempt:
        """Begin to reason about a piece of a batch, from the initial state."""
        self.network.train()
        return _Attempt(self, examples)

    def measure(self, examples: Sequence[Example]) -> Losses:
        """Return the loss of decisions as they are served: averaged weights, halted segments."""
        self.network.eval()
        with torch.inference_mode(), self._average.in_force():
            found = think(self.network, self.packed(examples), self._budget)
            labels = self.labels(examples)
            loss = cross_entropy(found.scores, labels.targets)
            parts = {
                "choice_loss": loss,
                "accuracy": labels.agree(found.scores),
                "segments": found.segments.to(loss.dtype),
            }
        # Copies, since tensors of inference mode may not be computed with outside of it.
        return Losses(loss.clone(), {name: value.clone() for name, value in parts.items()})

    def after_step(self) -> None:
        """Move the average of the weights."""
        self._average.move()

    def state(self) -> dict[str, torch.Tensor]:
        """Return the weights and their average."""
        return {**_copied("weights", self.network), **self._average.state()}

    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put weights and average in force."""
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                parameter.copy_(tensors[f"weights.{name}"])
        self._average.load_state(tensors)

    def served(self) -> dict[str, torch.Tensor]:
        """Return the weights that are served: their average, where there is one."""
        return self._average.served()

    def judged(
        self, said: Judgement, later: Judgement | None, labels: Labels, *, last: bool
    ) -> Losses:
        """Return the losses of one segment.

        The halting head learns whether the most probable candidate is the one that is to get most,
        and the value of thinking on is the better of both values one segment later, that of
        deciding where it is the last.

        Args:
            said: What the segment said.
            later: What one more says, where the value of thinking on is trained.
            labels: What is right.
            last: Whether no further segment is supervised.
        """
        choice = cross_entropy(said.scores, labels.targets)
        halting = F.binary_cross_entropy_with_logits(
            said.q_halt, labels.right(said.scores), reduction="none"
        )
        if later is not None:
            better = later.q_halt if last else torch.maximum(later.q_halt, later.q_continue)
            halting = halting + F.binary_cross_entropy_with_logits(
                said.q_continue, better.sigmoid(), reduction="none"
            )
        parts = {"choice_loss": choice.detach(), "accuracy": labels.agree(said.scores).detach()}
        return Losses(choice + self._halting_loss * halting, parts)

    @property
    def proceeds(self) -> bool:
        """Whether the value of thinking on is trained: wherever it decides when to stop."""
        return self._budget.q_continue and self._budget.segments > 1

    def packed(self, examples: Sequence[Example]) -> Packed:
        """Return the decisions of examples as a batch."""
        return pack([example.row for example in examples], self.network.H_init.device)

    def labels(self, examples: Sequence[Example]) -> Labels:
        """Return what they are to answer."""
        most = max(len(example.targets) for example in examples)
        targets = np.zeros((len(examples), most), np.float32)
        for number, example in enumerate(examples):
            targets[number, : len(example.targets)] = example.targets
        device = self.network.H_init.device
        chosen = torch.tensor([example.chosen for example in examples], device=device)
        return Labels(chosen, torch.from_numpy(targets).to(device))


class _Attempt:
    """A piece of a batch between its segments."""

    def __init__(self, learner: DeepSupervision, examples: Sequence[Example]) -> None:
        self._learner = learner
        self._packed = learner.packed(examples)
        self._labels = learner.labels(examples)
        self._state: State | None = None
        self._segments = 0

    def losses(self) -> Losses:
        """Compute the next segment, under the weights as they are now."""
        network = self._learner.network
        prepared = network.prepare(self._packed)
        said = network(self._state or network.begin(prepared), prepared)
        self._state = said.state
        self._segments += 1
        later = None
        if self._learner.proceeds:
            with torch.no_grad():
                later = network(said.state, prepared)
        last = self._segments == self._learner.rounds
        return self._learner.judged(said, later, self._labels, last=last)


def cross_entropy(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return -sum_c targets log p, (B,), for log-probabilities and targets (B, C).

    A candidate that is to get nothing contributes nothing, whatever its log-probability.
    """
    return -torch.where(targets > 0, targets * scores, 0).sum(-1)


def _copied(kind: str, network: DecisionNetwork) -> dict[str, torch.Tensor]:
    return {f"{kind}.{n}": p.detach().clone() for n, p in network.named_parameters()}
