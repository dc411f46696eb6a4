"""Three element-wise steps of a layer with backward passes of their own.

What limits a narrow model on a CPU is how often its activations pass through memory, not
arithmetic. Each function here reads and writes them as few times as it can, and keeps only what
its backward pass needs; each equals the plain formula in its docstring.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812 - the field's name for it

Rotation = tuple[torch.Tensor, torch.Tensor]


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, both: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(both)
        gate, up = both.chunk(2, dim=-1)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        (both,) = ctx.saved_tensors
        gate, up = both.chunk(2, dim=-1)
        result = torch.empty_like(both)
        to_gate, to_up = result.chunk(2, dim=-1)
        torch.mul(F.silu(gate), grad, out=to_up)
        torch.ops.aten.silu_backward.grad_input(grad * up, gate, grad_input=to_gate)
        return result


class _AddedNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, added: torch.Tensor, eps: float) -> torch.Tensor:
        total = x + added
        scale = (total.square().mean(-1, keepdim=True) + eps).rsqrt_()
        normed = total.mul_(scale)
        ctx.save_for_backward(normed, scale)
        return normed

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        normed, scale = ctx.saved_tensors
        along = (grad * normed).mean(-1, keepdim=True)
        result = torch.addcmul(grad, normed, along, value=-1).mul_(scale)
        return result, result, None


class _Rotated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin, 1)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turned(grad, cos, sin, -1), None, None


def _turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, sense: int) -> torch.Tensor:
    """Return x turned by its angles, backwards where `sense` is -1."""
    half = x.shape[-1] // 2
    result = x * cos
    sin = sin[..., :half]
    result[..., :half].addcmul_(x[..., half:], sin, value=-sense)
    result[..., half:].addcmul_(x[..., :half], sin, value=sense)
    return result


def gated(both: torch.Tensor) -> torch.Tensor:
    """Return silu(gate) * up, (..., F), for gate and up side by side, (..., 2 F)."""
    result: torch.Tensor = _Gated.apply(both)  # type: ignore[no-untyped-call]  # torch does not annotate it
    return result


def added_norm(x: torch.Tensor, added: torch.Tensor, eps: float) -> torch.Tensor:
    """Return RMSNorm(x + added): y / sqrt(mean(y^2) + eps) over the last dimension, no weight."""
    result: torch.Tensor = _AddedNorm.apply(x, added, eps)  # type: ignore[no-untyped-call]  # as above
    return result


def rotated(x: torch.Tensor, rotation: Rotation) -> torch.Tensor:
    """Return x (..., S, E) turned by its angles.

    Numbers i and i + E / 2 are a pair (a, b); it becomes (a cos - b sin, b cos + a sin).

    Args:
        x: What is turned.
        rotation: Cosines and sines, each broadcast to x; both halves of E hold the same.
    """
    result: torch.Tensor = _Rotated.apply(x, *rotation)  # type: ignore[no-untyped-call]  # as above
    return result
