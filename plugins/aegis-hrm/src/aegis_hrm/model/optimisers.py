"""The optimisers and the learning rate that the model was published with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class AdamATan2(torch.optim.Optimizer):
    """Adam with atan2(m, sqrt(v)) in place of m / (sqrt(v) + eps) (arXiv 2407.05872).

    With decoupled weight decay, and at step t = 1, 2, ...:

        w <- (1 - lr * weight_decay) w - lr / (1 - beta1^t) * atan2(m, sqrt(v / (1 - beta2^t)))

    There is no epsilon, and scaling a loss changes nothing. The correction of m stands outside of
    the angle, as in the published optimiser.

    Args:
        parameters: What is trained.
        lr: Learning rate.
        betas: How much of both averages is kept at a step.
        weight_decay: Decoupled from the gradient.
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.95),
        weight_decay: float = 0.1,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]  # no closure is ever evaluated here
        """Change every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self._change(weights, group)

    def _change(self, weights: list[torch.Tensor], group: dict[str, Any]) -> None:
        """Change the weights of a group, all in a few calls."""
        first, second = group["betas"]
        for weight in weights:
            state = self.state[weight]
            if not state:
                state["step"] = 0
                state["exp_avg"] = torch.zeros_like(weight)
                state["exp_avg_sq"] = torch.zeros_like(weight)
            state["step"] += 1
        steps = {self.state[weight]["step"] for weight in weights}
        for step in steps:  # one, unless parameters joined later
            some = [weight for weight in weights if self.state[weight]["step"] == step]
            gradients = [weight.grad for weight in some if weight.grad is not None]
            means = [self.state[weight]["exp_avg"] for weight in some]
            squares = [self.state[weight]["exp_avg_sq"] for weight in some]
            torch._foreach_lerp_(means, gradients, 1 - first)
            torch._foreach_mul_(squares, second)
            torch._foreach_addcmul_(squares, gradients, gradients, 1 - second)
            sizes = torch._foreach_sqrt(squares)
            # atan2(m, r / b) = atan2(m * b, r) for positive b
            turned = torch._foreach_mul(means, math.sqrt(1 - second**step))
            for angle, size in zip(turned, sizes, strict=True):
                torch.atan2(angle, size, out=angle)
            torch._foreach_mul_(some, 1 - group["lr"] * group["weight_decay"])
            length = group["lr"] / (1 - first**step)
            torch._foreach_add_(some, turned, alpha=-length)


class SignSGD(torch.optim.Optimizer):
    """w <- (1 - lr * weight_decay) w - lr * sign(g), for the rows that a sparse gradient names.

    Gradients of a row that was used more than once are added before the sign is taken.

    Args:
        parameters: Tables of rows, used with ``sparse=True``.
        lr: Learning rate.
        weight_decay: Decoupled from the gradient.
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        lr: float = 1e-2,
        weight_decay: float = 0.1,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]  # no closure is ever evaluated here
        """Change the rows that were used."""
        assert closure is None
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is None:
                    continue
                gradient = table.grad.coalesce()
                (rows,), values = gradient.indices(), gradient.values()
                kept = table[rows] * (1 - group["lr"] * group["weight_decay"])
                table[rows] = kept - group["lr"] * values.sign()


def learning_rate(step: int, *, base: float, warmup: int, total: int, least: float = 0.0) -> float:
    """Return the rate of a step: a linear rise from 0, then half a cosine down to `least` of it.

    Args:
        step: Number of the step, from 0.
        base: Largest rate.
        warmup: Steps in which it rises.
        total: Steps in all.
        least: Share of `base` that is left at the end.
    """
    if step < warmup:
        return base * step / max(1, warmup)
    done = (step - warmup) / max(1, total - warmup)
    return base * (least + (1 - least) * (1 + math.cos(math.pi * done)) / 2)
