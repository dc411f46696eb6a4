"""What a policy loses that does not follow a critic, over all candidates of a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from attrs import frozen

from aegis.neural import Losses, about_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis import Action, View
    from aegis.neural import TorchEngine


@frozen(eq=False, repr=False)
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
        return cls(view, candidates, values, 1.0, about_tokens(view, candidates))

    def __repr__(self) -> str:
        keys = [action.key for action in self.candidates]
        return f"{self.view.digest} {keys} {self.values.tolist()}"


class DistillationLosses:
    """Losses of an engine's decisions (`losses` of `aegis.neural.ModuleLearner`).

    What is made least is the divergence of the engine's policy pi from the one that follows from
    the critic's values, KL(softmax(Q / temperature) || pi), over all candidates and not only the
    one that was taken (policy distillation, Rusu et al. 2015, arXiv 1511.06295, equation 3). Unlike
    the divergence the other way round, which is the policy gradient's aim, it teaches a candidate
    that the engine has come to think impossible as well as any other.

    Args:
        engine: What is trained.
        temperature: How even the policy is that follows from the values; in their unit.
    """

    def __init__(self, engine: TorchEngine, temperature: float) -> None:
        self._engine, self._temperature = engine, temperature

    def __call__(self, examples: Sequence[Decision], training: bool) -> Losses:  # noqa: ARG002 - the same in training: there is no dropout
        """Return the divergence of each step's policy, (B,), and what it is expected to bring."""
        items = [(example.view, example.candidates) for example in examples]
        said, present = self._engine.log_probabilities(items)  # (B, C)
        values = torch.nn.utils.rnn.pad_sequence(
            [example.values for example in examples], batch_first=True
        ).to(said.device)
        wanted = (values / self._temperature).masked_fill(~present, -torch.inf)
        wanted = wanted.log_softmax(-1).masked_fill(~present, 0)
        logs = said.masked_fill(~present, 0)
        shares = said.exp()
        total = (wanted.exp().masked_fill(~present, 0) * (wanted - logs)).sum(-1)
        value = (shares * values).sum(-1).detach()
        agrees = (said.argmax(-1) == values.masked_fill(~present, -torch.inf).argmax(-1)).to(
            said.dtype
        )
        return Losses(total, {"value": value, "accuracy": agrees})
