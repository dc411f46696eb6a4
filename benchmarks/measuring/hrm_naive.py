"""The reasoning model as the published code computes it: what `benchmarks/hrm.py` compares with.

The same architecture and the same weights as the engine's, computed without its shortcuts: all
segments are computed whatever the halting head says, each embeds its input anew, a vocabulary
head is applied at every position, every step of a layer is an operation of its own, and in training
the value of going on costs one more segment and the loss is StableMax in float64 at every position.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812 - the usual name

from aegis_hrm.model.layers import Attention, Block, Embedding, Level, Linear, rotary
from aegis_hrm.model.losses import log_stablemax

if TYPE_CHECKING:
    from aegis_hrm.decision.network import DecisionNetwork
    from aegis_hrm.decision.packing import Packed

VOCABULARY = 1000


def norm(x: torch.Tensor, eps: float) -> torch.Tensor:
    """Return RMSNorm, operation by operation."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)


class Naive:
    """The published way of computing with the modules of a network.

    Args:
        network: Whose weights, with both levels.
        segments: Segments that are always computed.
    """

    def __init__(self, network: DecisionNetwork, segments: int) -> None:
        self.network = network
        self.segments = segments
        self.shape = network.shape
        self.head = Linear(self.shape.hidden, VOCABULARY)
        self.embedding: Embedding = network.embed_tokens

    def decide(self, packed: Packed) -> torch.Tensor:
        """Return log-probabilities of the candidates, (B, C), after all segments."""
        with torch.no_grad():
            high, low = self._begin(packed)
            for _ in range(self.segments):
                high, low = self._segment(packed, high, low)
                self.head(high)
                self.network.q_head(high[:, 0])
            places = packed.markers.unsqueeze(-1).expand(-1, -1, self.shape.hidden)
            logits = self.network.score_head(high.gather(1, places)).squeeze(-1)
            return torch.log_softmax(logits.masked_fill(~packed.present, -torch.inf), dim=-1)

    def train(self, packed: Packed, optimiser: torch.optim.Optimizer) -> None:
        """Take one step after each segment, as deep supervision does."""
        high, low = self._begin(packed)
        for _ in range(self.segments):
            high, low = self._segment(packed, high.detach(), low.detach())
            logits, (halt, proceed) = self.head(high), self.network.q_head(high[:, 0]).unbind(-1)
            with torch.no_grad():
                later = self._segment(packed, high, low)[0]
                self.head(later)
                target = torch.sigmoid(self.network.q_head(later[:, 0]).amax(-1))
                right = (logits.argmax(-1) == packed.ids).all(-1).float()
            tokens = -log_stablemax(logits).gather(-1, packed.ids.unsqueeze(-1)).mean(1).sum()
            judged = F.binary_cross_entropy_with_logits(halt, right, reduction="sum")
            judged += F.binary_cross_entropy_with_logits(proceed, target, reduction="sum")
            ((tokens + judged / 2) / len(packed.ids)).backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
            optimiser.step()
            optimiser.zero_grad()

    def _begin(self, packed: Packed) -> tuple[torch.Tensor, torch.Tensor]:
        like = (*packed.ids.shape, self.shape.hidden)
        return self.network.H_init.expand(like), self.network.L_init.expand(like)

    def _segment(
        self, packed: Packed, high: torch.Tensor, low: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        shape, network = self.shape, self.network
        assert network.H_level is not None
        x = math.sqrt(shape.hidden) * self.embedding(packed.ids)
        cos, sin = rotary(packed.positions, shape.head_width, shape.rope_theta)
        rotation = cos.unsqueeze(1), sin.unsqueeze(1)
        wanted = torch.is_grad_enabled()
        with torch.no_grad():
            for cycle in range(shape.h_cycles):
                for step in range(shape.l_cycles):
                    if (cycle, step) != (shape.h_cycles - 1, shape.l_cycles - 1):
                        low = self._level(network.L_level, low, high + x, rotation, packed.mask)
                if cycle != shape.h_cycles - 1:
                    high = self._level(network.H_level, high, low, rotation, packed.mask)
        with torch.set_grad_enabled(wanted):
            low = self._level(network.L_level, low, high + x, rotation, packed.mask)
            return self._level(network.H_level, high, low, rotation, packed.mask), low

    def _level(
        self,
        level: Level,
        state: torch.Tensor,
        injected: torch.Tensor,
        rotation: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor,
    ) -> torch.Tensor:
        x, eps = state + injected, self.shape.norm_eps
        for block in level.layers:
            assert isinstance(block, Block)
            x = norm(x + self._attention(block.self_attn, x, rotation, mask), eps)
            gate, up = block.mlp.gate_up_proj(x).chunk(2, dim=-1)
            x = norm(x + block.mlp.down_proj(F.silu(gate) * up), eps)
        return x

    def _attention(
        self,
        attention: Attention,
        x: torch.Tensor,
        rotation: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor,
    ) -> torch.Tensor:
        batch, length, hidden = x.shape
        parts = attention.qkv_proj(x).view(batch, length, 3, self.shape.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        query, key = (_rotated(each, rotation) for each in (query, key))
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        result: torch.Tensor = attention.o_proj(
            mixed.transpose(1, 2).reshape(batch, length, hidden)
        )
        return result


def _rotated(x: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    cos, sin = rotation
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin
