"""The parts of a GPT-2 under low-rank adapters, each with a backward pass of its own.

Weights are frozen: gradients flow to adapters and to activations alone, so nothing is kept, and
nothing computed, for weights. Everything is exact; the gain over autograd's own is in passes over
memory, which on a CPU cost as much as a third of the multiplications.

None of these is differentiable twice.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812 - the usual name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis_gpt2_lora.packing import Range, Unit

_BLOCK: Final = 2**16  # elements of an activation that are worked on while they lie in the cache
_HEAD_ROWS: Final = 128  # rows of logits that exist at once


class LoraLinear(Function):
    """y = x W' + b + s (m * x) A' B', the linear layer of Hu et al. 2021 (arXiv 2106.09685).

    `apply(x, weight, bias, a, b, scale, keep)` with x (T, in), weight (out, in), bias (out,),
    a (r, in), b (out, r); `keep` is a mask m (T, in) of zeros and ones in uint8, or None. What a
    dropout divides by belongs into `scale`.
    """

    @staticmethod
    def forward(  # noqa: D102, PLR0917 - `apply` takes no keywords
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
        keep: torch.Tensor | None,
    ) -> torch.Tensor:
        y = torch.addmm(bias, x, weight.T)
        kept = x if keep is None else _masked(x, keep)
        low = kept @ a.T  # (T, r)
        y.addmm_(low, b.T, alpha=scale)
        ctx.save_for_backward(weight, a, b, kept, low, keep)
        ctx.scale = scale
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # noqa: D102 - the class says it
        weight, a, b, kept, low, keep = ctx.saved_tensors
        dlow = (dy @ b).mul_(ctx.scale)  # (T, r)
        db = (low.T @ dy).mul_(ctx.scale).T
        da = dlow.T @ kept
        dx = None
        if ctx.needs_input_grad[0]:
            dx = dy @ weight
            if keep is None:
                dx.addmm_(dlow, a)
            else:
                for part, low_part, mask in _blocks(dx, dlow, keep):
                    part.addcmul_(low_part @ a, mask.to(dx.dtype))
        return dx, None, None, da, db, None, None


class TanhGelu(Function):
    """GELU in the approximation by tanh (Hendrycks & Gimpel 2016, arXiv 1606.08415).

    0.5 x (1 + tanh(z / 2)) = x sigmoid(z) with z = 2 sqrt(2 / pi) (x + 0.044715 x^3). What is kept
    is the slope g + g (1 - g) x z', where g = sigmoid(z) and x z' = 3 (z - 4/3 sqrt(2 / pi) x).
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:  # noqa: D102 - the class says it
        if not ctx.needs_input_grad[0]:
            return F.gelu(x, approximate="tanh")
        root = math.sqrt(2 / math.pi)
        twice = x.new_tensor(2 * root)
        y, slope = torch.empty_like(x), torch.empty_like(x)
        for part, out, g in _blocks(x, y, slope):
            z = torch.add(twice, part * part, alpha=2 * root * 0.044715).mul_(part)
            torch.sigmoid(z, out=g)
            torch.mul(part, g, out=out)
            z.sub_(part, alpha=root * 4 / 3).mul_(torch.addcmul(g, g, g, value=-1))
            g.add_(z, alpha=3)
        ctx.save_for_backward(slope)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> torch.Tensor:  # noqa: D102 - the class says it
        slope: torch.Tensor = ctx.saved_tensors[0]
        return dy * slope


class TreeAttention(Function):
    """Attention of a packed stream, unit by unit.

    `apply(qkv, heads, units)` returns (T, D) from queries, keys and values (T, 3 D). The weights
    are kept rather than computed again: a unit is short, so they are few.
    """

    @staticmethod
    def forward(  # noqa: D102 - the class says it
        ctx: Any, qkv: torch.Tensor, heads: int, units: Sequence[Unit]
    ) -> torch.Tensor:
        width = qkv.shape[1] // 3
        out = qkv.new_empty(len(qkv), width)
        weights = []
        for unit in units:
            q, k, v = _unit_heads(qkv, heads, unit)
            scores = torch.baddbmm(unit.mask, q, k.mT, alpha=q.shape[-1] ** -0.5)  # (H, Q, K)
            torch.softmax(scores, -1, out=scores)
            _by_head(out[unit.start : unit.stop], heads).copy_(scores @ v)
            weights.append(scores)
        ctx.heads, ctx.units = heads, units
        ctx.save_for_backward(qkv, *weights)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: torch.Tensor) -> tuple[torch.Tensor, None, None]:  # noqa: D102 - the class says it
        qkv, *weights = ctx.saved_tensors
        dqkv = torch.zeros_like(qkv)
        dq, dk, dv = (_by_head(part, ctx.heads) for part in dqkv.chunk(3, dim=1))
        for unit, weight in zip(ctx.units, weights, strict=True):
            q, k, v = _unit_heads(qkv, ctx.heads, unit)
            d = _by_head(dout[unit.start : unit.stop], ctx.heads)  # (H, Q, D/H)
            dscores = torch._softmax_backward_data(d @ v.mT, weight, -1, weight.dtype)
            dscores.mul_(q.shape[-1] ** -0.5)
            dq[:, unit.start : unit.stop].copy_(dscores @ k)
            _add(dk, unit.keys, dscores.mT @ q)
            _add(dv, unit.keys, weight.mT @ d)
        return dqkv, None, None


class TargetLogProbabilities(Function):
    """Log-probabilities of single tokens, without logits that outlive a moment.

    `apply(hidden, table, rows, targets)` returns (M,): of token targets[m] under the logits
    hidden[rows[m]] table'; hidden (R, D), table (V, D). The gradient by a hidden state is
    table[target] minus the table's mean under the softmax; that mean is computed on the way
    forward, while the softmax exists.
    """

    @staticmethod
    def forward(  # noqa: D102 - the class says it
        ctx: Any,
        hidden: torch.Tensor,
        table: torch.Tensor,
        rows: torch.Tensor,
        targets: torch.Tensor,
    ) -> torch.Tensor:
        logits = (hidden[rows] * table[targets]).sum(-1)  # (M,)
        normalisers = hidden.new_empty(len(hidden))
        means = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        for at in range(0, len(hidden), _HEAD_ROWS):
            part = slice(at, at + _HEAD_ROWS)
            scores = hidden[part] @ table.T  # (rows, V)
            largest, where = scores.max(-1)
            torch.softmax(scores, -1, out=scores)
            # The largest probability is exp(0) over the sum: at least 1 / V, never 0.
            normalisers[part] = largest - scores.gather(-1, where[:, None])[:, 0].log()
            if means is not None:
                torch.mm(scores, table, out=means[part])
        ctx.save_for_backward(means, table, rows, targets)
        return logits - normalisers[rows]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:  # noqa: D102 - the class says it
        means, table, rows, targets = ctx.saved_tensors
        total = d.new_zeros(len(means)).index_add_(0, rows, d)
        dhidden = means * -total[:, None]
        dhidden.index_add_(0, rows, table[targets] * d[:, None])
        return dhidden, None, None, None


def dropout_mask(
    shape: tuple[int, int],
    p: float,
    device: torch.device,
    generator: torch.Generator | None = None,
) -> tuple[torch.Tensor, float]:
    """Return a mask of zeros and ones (uint8) and the probability of a one.

    Drawn with 16 bits an element, which takes a fifth of the time of `bernoulli_` on a CPU; `p`
    is met to 1/65536 and the probability that is returned is the exact one.
    """
    ones = round((1 - p) * 2**16)
    size = shape[0] * shape[1]
    bits = torch.empty((size + 3) // 4, dtype=torch.int64, device=device)
    bits.random_(-(2**63), None, generator=generator)  # all 64
    kept = bits.view(torch.int16)[:size] < ones - 2**15
    return kept.view(torch.uint8).view(shape), ones / 2**16


def _masked(x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    for part, mask, out in _blocks(x, keep, y):
        out.copy_(mask).mul_(part)
    return y


def _blocks(*tensors: torch.Tensor) -> zip[tuple[torch.Tensor, ...]]:
    """Return the tensors in parts of as many rows, on a CPU so few that they stay in its cache."""
    rows = max(1, _BLOCK // tensors[0].shape[1])
    if tensors[0].device.type != "cpu":
        rows = max(1, len(tensors[0]))
    return zip(*(torch.split(tensor, rows) for tensor in tensors), strict=True)


def _unit_heads(
    qkv: torch.Tensor, heads: int, unit: Unit
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the queries (H, Q, D/H), keys and values (H, K, D/H) of a unit."""
    width = qkv.shape[1] // 3
    parts = [qkv[first:last, width:] for first, last in unit.keys]
    k, v = (parts[0] if len(parts) == 1 else torch.cat(parts)).chunk(2, dim=1)
    q = qkv[unit.start : unit.stop, :width]
    return _by_head(q, heads), _by_head(k, heads), _by_head(v, heads)


def _by_head(x: torch.Tensor, heads: int) -> torch.Tensor:
    """Return (H, N, D/H), a view of (N, D)."""
    return x.view(len(x), heads, x.shape[1] // heads).transpose(0, 1)


def _add(total: torch.Tensor, ranges: Sequence[Range], change: torch.Tensor) -> None:
    """Add what was computed for a unit's keys (H, K, D/H) where they lie in the stream."""
    at = 0
    for first, last in ranges:
        total[:, first:last] += change[:, at : at + last - first]
        at += last - first
