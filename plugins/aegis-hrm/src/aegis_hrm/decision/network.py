"""The network of the engine ``hrm``: a score at every candidate's marker, two Q values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

from aegis import ContractError
from aegis_hrm.model.layers import Embedding, Geometry, Level, Linear, rotary, truncated_normal
from aegis_hrm.model.network import halting_head, levels
from aegis_hrm.model.recursion import State, initial, segment

if TYPE_CHECKING:
    from aegis_hrm.decision.packing import Packed
    from aegis_hrm.model.shape import ModelShape


class Prepared(NamedTuple):
    """What all segments of a batch share.

    Attributes:
        inputs: The embedded ids, (B, S, D).
        geometry: Positions and mask.
        packed: The batch.
    """

    inputs: torch.Tensor
    geometry: Geometry
    packed: Packed


class Judgement(NamedTuple):
    """What one segment says.

    Attributes:
        state: Where it ended, without its history.
        scores: Log-probabilities of the candidates, (B, C), -inf where there is none.
        q_halt: Logit of the value of deciding now, (B,).
        q_continue: Logit of the value of thinking on, (B,).
    """

    state: State
    scores: torch.Tensor
    q_halt: torch.Tensor
    q_continue: torch.Tensor


class DecisionNetwork(nn.Module):
    """The modules of `SequenceNetwork` over rows of a view and its candidates.

    The head is applied at the markers alone: nothing else has a label.

    Args:
        shape: Its architecture; ``sequence`` bounds positions where they are learned.
        fingerprint: Of the tokenizer and the layout whose ids it takes, and no others: an id that
            is small enough may still be another vocabulary's.
    """

    def __init__(self, shape: ModelShape, fingerprint: str) -> None:
        super().__init__()
        self.shape = shape
        self.fingerprint = fingerprint
        self._scale = math.sqrt(shape.hidden)
        std = 1 / self._scale
        self.embed_tokens = Embedding(shape.vocabulary, shape.hidden, std)
        self.score_head = Linear(shape.hidden, 1)
        self.q_head = halting_head(shape.hidden)
        learned = shape.positions == "learned"
        self.embed_pos = Embedding(shape.sequence, shape.hidden, std) if learned else None
        self.H_level: Level | None
        self.L_level: Level
        self.H_level, self.L_level = levels(shape)
        self.H_init: torch.Tensor
        self.L_init: torch.Tensor
        self.register_buffer("H_init", truncated_normal(shape.hidden, std=1.0))
        self.register_buffer("L_init", truncated_normal(shape.hidden, std=1.0))

    def prepare(self, packed: Packed) -> Prepared:
        """Return what the segments of a batch share, with a graph to the embedding.

        Raises:
            ContractError: ``ids-foreign`` if the ids are another tokenizer's.
        """
        if packed.fingerprint != self.fingerprint:
            raise ContractError.of(
                "ids-foreign",
                f"ids of a tokenizer of fingerprint {packed.fingerprint[:12]} reached a model that "
                f"was made for {self.fingerprint[:12]}",
                where="[engine.hrm].tokenizer",
                fix="use the tokenizer that the weights were trained with, or train from scratch",
            )
        x: torch.Tensor = self.embed_tokens(packed.ids)
        rotation = None
        if self.embed_pos is not None:
            x = (x + self.embed_pos(packed.positions)) / math.sqrt(2)
        elif self.shape.positions == "rope":
            cos, sin = rotary(packed.positions, self.shape.head_width, self.shape.rope_theta)
            rotation = cos.unsqueeze(1), sin.unsqueeze(1)  # (B, 1, S, E)
        # Added to the logits, as every attention would make it of true and false anew.
        mask = torch.zeros_like(packed.mask, dtype=x.dtype)
        mask.masked_fill_(~packed.mask, -torch.inf)
        return Prepared(self._scale * x, Geometry(rotation, mask), packed)

    def begin(self, prepared: Prepared) -> State:
        """Return the first state."""
        return initial(self, prepared.inputs)

    def forward(self, state: State, prepared: Prepared) -> Judgement:
        """Return what one more segment says."""
        packed = prepared.packed
        state = segment(self, state, prepared.inputs, prepared.geometry)
        places = packed.markers.unsqueeze(-1).expand(-1, -1, self.shape.hidden)
        logits = self.score_head(state.high.gather(1, places)).squeeze(-1)  # (B, C)
        scores = torch.log_softmax(logits.masked_fill(~packed.present, -torch.inf), dim=-1)
        q_values = self.q_head(state.high[:, 0])  # (B, 2)
        return Judgement(state.detached(), scores, q_values[:, 0], q_values[:, 1])
