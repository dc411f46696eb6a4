"""An engine of torch in training: the policy gradient over all candidates of a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from attrs import frozen

from aegis.neural import Losses
from aegis.neural.averaging import Average

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aegis.contracts.action import Action
    from aegis.contracts.view import View
    from aegis.neural import TorchEngine
    from aegis_reinforce.settings import PolicyGradientSettings

_CHARACTERS: Final = 4
"""Characters that count as one token: texts of a few hundred tokens are compared, no more."""


@frozen(eq=False)
class Decision:
    """A step, and what the critic expects of its candidates.

    Attributes:
        view: What the engine was shown.
        candidates: What could be chosen, n of them.
        values: Their action values, (n,).
        weight: How much the step counts.
        tokens: About how long it is.
    """

    view: View
    candidates: tuple[Action, ...]
    values: torch.Tensor
    weight: float
    tokens: int

    @classmethod
    def of(cls, view: View, candidates: tuple[Action, ...], values: torch.Tensor) -> Decision:
        """Return a step that counts 1."""
        texts = [view.render(), *(action.render() for action in candidates)]
        return cls(view, candidates, values, 1.0, sum(map(len, texts)) // _CHARACTERS + 1)


class PolicyLearner:
    """All weights of an engine's module under the policy gradient (an `aegis.neural.Learner`).

    What is maximised is the value of the policy, sum_a pi(a) Q(a), and its entropy times the
    temperature. With the critic's values of all candidates there is nothing to sample, and so none
    of the variance that a policy gradient has otherwise (Allen et al. 2017, arXiv 1709.00503). Up
    to a constant, and in units of the temperature, that is the divergence of the policy from the
    one that follows from the values, KL(pi || softmax(Q / temperature)): 0 where they agree.

    Args:
        engine: What is trained.
        settings: Section ``[trainer.policy-gradient]``.
    """

    rounds = 1

    def __init__(self, engine: TorchEngine, settings: PolicyGradientSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._module = engine.module
        self.parameters = list(engine.module.parameters())
        decay = [weight for weight in self.parameters if weight.dim() > 1]
        plain = [weight for weight in self.parameters if weight.dim() <= 1]
        self.optimiser: torch.optim.Optimizer = torch.optim.AdamW(
            [
                {"params": decay, "weight_decay": settings.weight_decay},
                {"params": plain, "weight_decay": 0.0},
            ],
            lr=settings.learning_rate,
            foreach=True,
        )
        self._average = Average(engine.module, settings.ema)

    def attempt(self, examples: Sequence[Decision]) -> _Attempt:
        """Begin to compute a piece of a batch."""
        return _Attempt(self, examples)

    def measure(self, examples: Sequence[Decision]) -> Losses:
        """Return the losses of examples, (B,) each, as they are served."""
        with self._average.in_force():
            return self.losses(examples)

    def losses(self, examples: Sequence[Decision]) -> Losses:
        """Return the divergence of each step's policy, (B,), and what it is expected to bring."""
        items = [(example.view, example.candidates) for example in examples]
        said, present = self._engine.log_probabilities(items)  # (B, C)
        values = torch.nn.utils.rnn.pad_sequence(
            [example.values for example in examples], batch_first=True
        ).to(said.device)
        wanted = (values / self._settings.temperature).masked_fill(~present, -torch.inf)
        wanted = wanted.log_softmax(-1).masked_fill(~present, 0)
        logs = said.masked_fill(~present, 0)
        shares = said.exp()
        total = (shares * (logs - wanted)).sum(-1)
        value = (shares * values).sum(-1).detach()
        agrees = (said.argmax(-1) == values.masked_fill(~present, -torch.inf).argmax(-1)).to(
            said.dtype
        )
        return Losses(total, {"value": value, "accuracy": agrees})

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
class _Attempt:
    """A piece of a batch; nothing is carried on from it, since a batch takes one step."""

    learner: PolicyLearner
    examples: Sequence[Decision]

    def losses(self) -> Losses:
        """Return the losses of the examples."""
        return self.learner.losses(self.examples)
