"""The critic: what to expect of each candidate.

Two small networks, several times over each. The first says what a candidate brings at once, which
is learned from rewards themselves and so from few steps. The second says what it brings later, and
sees beside the candidate what the first expects of every other one: how much there is to gain in a
state is a short sum then, and not a function to be learned. An action value is the sum of the two,
each the mean over its networks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from attrs import frozen
from torch import nn

if TYPE_CHECKING:
    from aegis_reinforce.features import Columns

MEMBERS: Final = 5
"""Networks of each kind."""
TOP: Final = (1, 3, 8)
"""The largest so many expected rewards are summed up, as what a state holds."""
_LEAST_SPREAD: Final = 1e-3


@frozen
class CriticShape:
    """Sizes of a critic.

    Attributes:
        columns: What it sees of a candidate.
        hidden: Width of its hidden layers.
    """

    columns: Columns
    hidden: int = 48

    @property
    def seen(self) -> int:
        """Numbers that the second networks see of a candidate."""
        return self.columns.own + 4 + len(TOP)


class Members(nn.Module):
    """Networks of two hidden layers that are computed side by side, on standardised inputs.

    Args:
        width: Numbers that go in.
        hidden: Width of the hidden layers.
    """

    mean: torch.Tensor
    spread: torch.Tensor

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        sizes = ((width, hidden), (hidden, hidden), (hidden, 1))
        self.weights = nn.ParameterList(
            [nn.Parameter((torch.rand(MEMBERS, i, o) * 2 - 1) / max(i, 1) ** 0.5) for i, o in sizes]
        )
        self.biases = nn.ParameterList([nn.Parameter(torch.zeros(MEMBERS, 1, o)) for _, o in sizes])
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))

    def standardise(self, inputs: torch.Tensor) -> None:
        """Take mean and deviation of inputs, (N, width), as what is usual."""
        self.mean.copy_(inputs.mean(0))
        self.spread.copy_(inputs.std(0, correction=0).clamp(min=_LEAST_SPREAD))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what each network says of inputs (N, width), (MEMBERS, N)."""
        x = ((inputs - self.mean) / self.spread).expand(MEMBERS, -1, -1)
        last = len(self.weights) - 1
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight)
            if number < last:
                x = nn.functional.silu(x)
        return x[..., 0]


class Critic(nn.Module):
    """Expected rewards and action values.

    Args:
        shape: Its sizes.
    """

    def __init__(self, shape: CriticShape) -> None:
        super().__init__()
        self.shape = shape
        self.reward = Members(shape.columns.width, shape.hidden)
        self.value = Members(shape.seen, shape.hidden)

    def rewards(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the reward that candidates are expected to bring at once.

        Args:
            rows: What is seen of them, (S, C, F).

        Returns:
            (S, C).
        """
        said: torch.Tensor = self.reward(rows.flatten(0, 1))  # (members, S x C)
        return said.mean(0).view(rows.shape[:2])

    def seen(self, rows: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Return what the second networks see of candidates, (S, C, `CriticShape.seen`).

        Args:
            rows: What is seen of them, (S, C, F).
            present: Where there is a candidate, (S, C).
        """
        expected = self.rewards(rows)
        gains = expected.clamp(min=0).masked_fill(~present, 0)
        ordered = gains.sort(dim=-1, descending=True).values
        total = gains.sum(-1, keepdim=True)
        state = torch.cat([*(ordered[:, :k].sum(-1, keepdim=True) for k in TOP), total], -1)
        state = state[:, None].expand(-1, rows.shape[1], -1)
        own = torch.stack([expected, total - gains], -1)
        kept = rows[..., : self.shape.columns.own + 1]
        return torch.cat([kept, own, state], -1)

    def later(self, seen: torch.Tensor) -> torch.Tensor:
        """Return what candidates bring after their reward, (S, C), for what is seen (S, C, F)."""
        said: torch.Tensor = self.value(seen.flatten(0, 1))  # (members, S x C)
        return said.mean(0).view(seen.shape[:2])

    def forward(self, rows: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Return the action values of candidates, (S, C); -inf where there is none.

        Args:
            rows: What is seen of them, (S, C, F).
            present: Where there is a candidate, (S, C).
        """
        values = self.rewards(rows) + self.later(self.seen(rows, present))
        return values.masked_fill(~present, -torch.inf)
