"""The network from tokens to tokens, with the parameter names of published checkpoints."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the field's name for it

from aegis_hrm.model.layers import (
    Block,
    Embedding,
    Geometry,
    Level,
    Linear,
    rotary,
    truncated_normal,
)
from aegis_hrm.model.recursion import State, initial, segment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aegis_hrm.model.shape import ModelShape

_HALT_BIAS: Final = -5.0  # both Q values begin near 0: nothing halts by chance


class Answer(NamedTuple):
    """What one segment says.

    Attributes:
        state: Where it ended, without its history.
        logits: Of every token, (B, S, V).
        q_halt: Logit of the value of stopping now, (B,).
        q_continue: Logit of the value of going on, (B,).
    """

    state: State
    logits: torch.Tensor
    q_halt: torch.Tensor
    q_continue: torch.Tensor


class Prefix(nn.Module):
    """Rows of a table, one a sequence, laid out before its tokens; they begin as zeros.

    The gradient is sparse: it names the rows that were used, which alone are changed (`SignSGD`).
    """

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(shape.prefix_ids, shape.prefix_width))
        self._positions, self._hidden = shape.prefix, shape.hidden

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return (B, P, D) for ids (B,), each row padded with zeros."""
        rows = F.embedding(ids, self.weights, sparse=True)
        padding = self._positions * self._hidden - rows.shape[-1]
        return F.pad(rows, (0, padding)).view(-1, self._positions, self._hidden)


class SequenceNetwork(nn.Module):
    """A token in, a token out at every position, with heads that say whether to go on.

    Args:
        shape: Its architecture.
    """

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.shape = shape
        self._scale = math.sqrt(shape.hidden)
        std = 1 / self._scale
        self.embed_tokens = Embedding(shape.vocabulary, shape.hidden, std)
        self.lm_head = Linear(shape.hidden, shape.rows)
        self.q_head = halting_head(shape.hidden)
        self.puzzle_emb = Prefix(shape) if shape.prefix else None
        places = shape.sequence + shape.prefix
        self.embed_pos = (
            Embedding(places, shape.hidden, std) if shape.positions == "learned" else None
        )
        self.H_level, self.L_level = levels(shape)
        self.H_init: torch.Tensor
        self.L_init: torch.Tensor
        self.register_buffer("H_init", truncated_normal(shape.hidden, std=1.0))
        self.register_buffer("L_init", truncated_normal(shape.hidden, std=1.0))

    def embedded(self, tokens: torch.Tensor, prefix: torch.Tensor | None = None) -> torch.Tensor:
        """Return x~ (B, P + S, D), scaled by sqrt(D).

        Args:
            tokens: Ids, (B, S).
            prefix: Row of the prefix embedding for each sequence, (B,).
        """
        x: torch.Tensor = self.embed_tokens(tokens)
        if self.puzzle_emb is not None:
            assert prefix is not None
            x = torch.cat([self.puzzle_emb(prefix), x], dim=1)
        if self.embed_pos is not None:
            x = (x + self.embed_pos.embedding_weight) / math.sqrt(2)
        return self._scale * x

    def geometry(self, length: int) -> Geometry:
        """Return where P + S = `length` positions are; they count from the prefix."""
        if self.shape.positions != "rope":
            return Geometry()
        places = torch.arange(length, device=self.H_init.device)
        return Geometry(rotary(places, self.shape.head_width, self.shape.rope_theta))

    def begin(self, inputs: torch.Tensor) -> State:
        """Return the first state for inputs (B, P + S, D)."""
        return initial(self, inputs)

    def forward(self, state: State, inputs: torch.Tensor, geometry: Geometry) -> Answer:
        """Return what one more segment says.

        Args:
            state: Where the last one ended, (B, P + S, D) each.
            inputs: What `embedded` returned.
            geometry: What `geometry` returned.
        """
        state = segment(self, state, inputs, geometry)
        q_values = self.q_head(state.high[:, 0])  # (B, 2)
        logits = self.lm_head(state.high[:, self.shape.prefix :])
        return Answer(state.detached(), logits, q_values[:, 0], q_values[:, 1])

    def dense_parameters(self) -> Iterator[nn.Parameter]:
        """Yield what one optimiser trains: everything but the prefix embedding."""
        for name, parameter in self.named_parameters():
            if not name.startswith("puzzle_emb."):
                yield parameter


def levels(shape: ModelShape) -> tuple[Level | None, Level]:
    """Return the high-level module, None where one serves both, and the low-level one."""
    high = None
    if shape.hierarchy != "trm":
        high = Level([Block(shape) for _ in range(shape.h_layers)])
    return high, Level([Block(shape) for _ in range(shape.l_layers)])


def halting_head(hidden: int) -> Linear:
    """Return the head of the two Q values, which begins with both near 0."""
    head = Linear(hidden, 2, bias=True)
    assert head.bias is not None
    nn.init.zeros_(head.weight)
    nn.init.constant_(head.bias, _HALT_BIAS)
    return head
