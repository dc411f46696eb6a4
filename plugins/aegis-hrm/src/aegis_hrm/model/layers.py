"""The layers of a reasoning module: post-norm blocks of attention and SwiGLU, without biases.

Shapes: B sequences, S positions, D = hidden, A heads of E = D / A numbers, F the SwiGLU's width.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the field's name for it

from aegis_hrm.model.fused import added_norm, gated, rotated
from aegis_hrm.model.shape import swiglu_width

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aegis_hrm.model.shape import ModelShape


class Geometry(NamedTuple):
    """Where the positions of a sequence are, and which see each other.

    Attributes:
        rotation: Cosines and sines of the rotary angles, each (S, E) or (B, 1, S, E); None where
            positions are not rotary.
        mask: Added to the logits of attention, 0 where a query (row) sees a key (column) and -inf
            elsewhere, broadcast to (B, A, S, S); None: all is seen.
    """

    rotation: tuple[torch.Tensor, torch.Tensor] | None = None
    mask: torch.Tensor | None = None


def truncated_normal(*shape: int, std: float) -> torch.Tensor:
    """Return numbers of a normal distribution cut at two deviations, scaled to deviation `std`.

    Drawn by the inverse of the distribution function, hence the same for the same seed. A standard
    normal cut at +-2 has variance 1 - 4 phi(2) / (Phi(2) - Phi(-2)).
    """
    values = torch.empty(shape)
    if std == 0:
        return values.zero_()
    cut = 2.0
    inside = math.erf(cut / math.sqrt(2))  # Phi(2) - Phi(-2)
    density = math.exp(-(cut**2) / 2) / math.sqrt(2 * math.pi)
    wide = std / math.sqrt(1 - 2 * cut * density / inside)
    values.uniform_(-inside, inside).erfinv_().mul_(math.sqrt(2) * wide)
    return values.clip_(-cut * wide, cut * wide)


def rotary(positions: torch.Tensor, width: int, theta: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return cosines and sines (..., width) of positions (...) (RoPE, arXiv 2104.09864).

    Pair i of a head, its numbers i and i + width / 2, turns by position * theta^(-2i / width).
    """
    exponents = torch.arange(0, width, 2, dtype=torch.float32, device=positions.device) / width
    angles = positions.float()[..., None] * theta**-exponents  # (..., width / 2)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


class Linear(nn.Module):
    """A matrix, initialised with deviation 1 / sqrt(inputs); a bias of zeros where asked for."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(truncated_normal(outputs, inputs, std=inputs**-0.5))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (..., outputs) for x (..., inputs)."""
        return F.linear(x, self.weight, self.bias)


class Embedding(nn.Module):
    """A table of rows."""

    def __init__(self, rows: int, width: int, std: float) -> None:
        super().__init__()
        self.embedding_weight = nn.Parameter(truncated_normal(rows, width, std=std))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return (..., width) for ids (...)."""
        return F.embedding(ids, self.embedding_weight)


class SwiGLU(nn.Module):
    """down(silu(gate) * up) (arXiv 2002.05202); gate and up are one matrix."""

    def __init__(self, width: int, expansion: float) -> None:
        super().__init__()
        inner = swiglu_width(width, expansion)
        self.gate_up_proj = Linear(width, 2 * inner)
        self.down_proj = Linear(inner, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (..., width) for x (..., width)."""
        result: torch.Tensor = self.down_proj(gated(self.gate_up_proj(x)))
        return result


class Attention(nn.Module):
    """Self-attention over all positions that the geometry lets see each other."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.qkv_proj = Linear(hidden, 3 * hidden)
        self.o_proj = Linear(hidden, hidden)

    def forward(self, x: torch.Tensor, geometry: Geometry) -> torch.Tensor:
        """Return (B, S, D) for x (B, S, D)."""
        batch, length, hidden = x.shape
        parts = self.qkv_proj(x).view(batch, length, 3 * self._heads, -1).transpose(1, 2)
        turned, value = parts.split([2 * self._heads, self._heads], dim=1)
        if geometry.rotation is not None:
            turned = rotated(turned, geometry.rotation)
        query, key = turned.chunk(2, dim=1)  # (B, A, S, E) each
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=geometry.mask)
        result: torch.Tensor = self.o_proj(mixed.transpose(1, 2).reshape(batch, length, hidden))
        return result


class Block(nn.Module):
    """One layer: x = RMSNorm(x + mix(x)), then x = RMSNorm(x + SwiGLU(x))."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self._eps = shape.norm_eps
        self._mixes_by_attention = shape.mixer == "attention"
        if self._mixes_by_attention:
            self.self_attn = Attention(shape.hidden, shape.heads)
        else:
            self.mlp_t = SwiGLU(shape.sequence + shape.prefix, shape.expansion)
        self.mlp = SwiGLU(shape.hidden, shape.expansion)

    def forward(self, x: torch.Tensor, geometry: Geometry) -> torch.Tensor:
        """Return (B, S, D) for x (B, S, D)."""
        if self._mixes_by_attention:
            x = added_norm(x, self.self_attn(x, geometry), self._eps)
        else:
            turned = x.transpose(1, 2)  # (B, D, S): the norm is over positions too
            x = added_norm(turned, self.mlp_t(turned), self._eps).transpose(1, 2)
        return added_norm(x, self.mlp(x), self._eps)


class Level(nn.Module):
    """A reasoning module: layers over a state to which what drives it is added."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(blocks)

    def forward(
        self, state: torch.Tensor, injected: torch.Tensor, geometry: Geometry
    ) -> torch.Tensor:
        """Return the next state (B, S, D)."""
        x = state + injected
        for layer in self.layers:
            x = layer(x, geometry)
        return x
