"""The exponential moving average of weights, which is served in their place."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Average:
    """w_bar <- d w_bar + (1 - d) w after each step, with d = min(kept, (1 + t) / (10 + t)).

    The bound lets the average follow in the beginning, when the weights it began with are worth
    nothing.

    Args:
        module: Whose weights.
        kept: How much is kept at a step; 0: there is no average, and the weights are served.
    """

    def __init__(self, module: torch.nn.Module, kept: float) -> None:
        self._module, self._kept, self._steps = module, kept, 0
        self._weights: list[torch.Tensor] = [weight for _, weight in module.named_parameters()]
        self._average = [weight.detach().clone() for weight in self._weights] if kept else []

    @torch.no_grad()
    def move(self) -> None:
        """Take one step up."""
        self._steps += 1
        if self._average:
            kept = min(self._kept, (1 + self._steps) / (10 + self._steps))
            torch._foreach_lerp_(self._average, self._weights, 1 - kept)

    @contextlib.contextmanager
    def in_force(self) -> Iterator[None]:
        """Let the module compute with the average."""
        if not self._average:
            yield
            return
        own = [weight.data for weight in self._weights]
        try:
            for weight, averaged in zip(self._weights, self._average, strict=True):
                weight.data = averaged
            yield
        finally:
            for weight, value in zip(self._weights, own, strict=True):
                weight.data = value

    def served(self) -> dict[str, torch.Tensor]:
        """Return copies of what is served, by name."""
        names = [name for name, _ in self._module.named_parameters()]
        values = self._average or [weight.detach() for weight in self._weights]
        return {name: value.clone() for name, value in zip(names, values, strict=True)}

    def state(self) -> dict[str, torch.Tensor]:
        """Return what is needed to go on."""
        steps = {"average_steps": torch.tensor(self._steps)}
        named = {f"average.{number}": value.clone() for number, value in enumerate(self._average)}
        return steps | named

    @torch.no_grad()
    def load_state(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put in force what `state` returned."""
        self._steps = int(tensors["average_steps"])
        for number, value in enumerate(self._average):
            value.copy_(tensors[f"average.{number}"])
