"""Deciding: segment after segment, until the network says that more would not help."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from attrs import frozen

from aegis_hrm.decision.network import Prepared
from aegis_hrm.model.layers import Geometry
from aegis_hrm.model.recursion import State

if TYPE_CHECKING:
    from aegis_hrm.decision.network import DecisionNetwork, Judgement
    from aegis_hrm.decision.packing import Packed


@frozen(kw_only=True)
class Budget:
    """When a decision stops taking segments.

    Attributes:
        segments: Segments at most.
        confidence: Probability of being right from which it decides; where `q_continue`, it
            decides once stopping is worth more than going on.
        q_continue: Whether the value of going on is trained.
    """

    segments: int = 8
    confidence: float = 0.5
    q_continue: bool = False

    def stops(self, said: Judgement) -> torch.Tensor:
        """Return which decisions are made, (B,)."""
        if self.q_continue:
            return said.q_halt > said.q_continue
        return said.q_halt >= math.log(self.confidence / (1 - self.confidence))


class Thought(NamedTuple):
    """Decisions.

    Attributes:
        scores: Log-probabilities (B, C) from each decision's last segment.
        segments: How many each took, (B,).
    """

    scores: torch.Tensor
    segments: torch.Tensor


def think(network: DecisionNetwork, packed: Packed, budget: Budget) -> Thought:
    """Return decisions, each from the segment after which it was made.

    Decisions that are made leave the batch. With gradients enabled there is a graph to the
    embedding and through each decision's last segment, as far as the shape's gradient reaches.
    """
    prepared = network.prepare(packed)
    state = network.begin(prepared)
    count = len(packed.ids)
    open_ = torch.arange(count, device=packed.ids.device)
    made: list[tuple[torch.Tensor, torch.Tensor]] = []
    segments = torch.zeros(count, dtype=torch.int64, device=packed.ids.device)
    for number in range(1, budget.segments + 1):
        said = network(state, prepared)
        stop = budget.stops(said)
        if number == budget.segments:
            stop = torch.ones_like(stop)
        segments[open_[stop]] = number
        made.append((open_[stop], said.scores[stop]))
        if bool(stop.all()):
            break
        go_on = ~stop
        open_, state = open_[go_on], State(said.state.high[go_on], said.state.low[go_on])
        prepared = _some(prepared, go_on)
    places = torch.cat([place for place, _ in made])
    scores = torch.cat([values for _, values in made])
    return Thought(scores[places.argsort()], segments)


def _some(prepared: Prepared, kept: torch.Tensor) -> Prepared:
    """Return what the segments of some decisions share."""
    if bool(kept.all()):
        return prepared
    rotation = prepared.geometry.rotation
    if rotation is not None:
        rotation = rotation[0][kept], rotation[1][kept]
    mask = prepared.geometry.mask
    geometry = Geometry(rotation, None if mask is None else mask[kept])
    return Prepared(prepared.inputs[kept], geometry, prepared.packed.rows(kept))
