"""Adaptive computation time: segment after segment until a sequence halts (arXiv 2506.21734, 2.3).

Sequences of a batch halt apart from one another. One that has halted takes new data at the next
call and begins again; the others go on with theirs. So every call computes one segment of B
sequences, each at its own place, and what is trained is supervised after each segment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from attrs import frozen

from aegis_hrm.model.recursion import State

if TYPE_CHECKING:
    from aegis_hrm.model.network import Answer, SequenceNetwork


class Batch(NamedTuple):
    """Sequences: tokens and labels (B, S); row of the prefix embedding (B,), where there is one.

    A label of `aegis_hrm.model.losses.IGNORED` trains nothing.
    """

    tokens: torch.Tensor
    labels: torch.Tensor
    prefix: torch.Tensor | None = None


class Carry(NamedTuple):
    """Where the sequences of a batch are.

    Attributes:
        state: Their states, (B, P + S, D) each.
        steps: Segments so far, (B,).
        halted: Whether they are done, (B,).
        data: What they work on.
    """

    state: State
    steps: torch.Tensor
    halted: torch.Tensor
    data: Batch


class Segment(NamedTuple):
    """What one call computed.

    Attributes:
        carry: Where the sequences are now.
        answer: What the network says of ``carry.data``.
        target_continue: What q_continue is trained to be, (B,), as a probability: the better of
            both Q values one segment later, or the halting one where that is the last. None where
            it is not trained.
    """

    carry: Carry
    answer: Answer
    target_continue: torch.Tensor | None


@frozen(kw_only=True)
class Halting:
    """When a sequence halts.

    Attributes:
        segments: Segments at most.
        exploration: Share of sequences, in training, that may halt only after a number of
            segments drawn at random.
        early: Whether sequences may halt before the last segment in training. Where they may,
            what comes after is not trained, and a budget above it can make answers worse.
        q_continue: Whether to stop where the value of stopping is above that of going on, which
            costs one more segment a call to train; otherwise where it is above 0 as a logit.
        carry_state: Whether new data begins with the state that the data before left behind, as
            an agent's next observation does, instead of the initial state.
    """

    segments: int = 16
    exploration: float = 0.1
    early: bool = True
    q_continue: bool = True
    carry_state: bool = False


def start(network: SequenceNetwork, batch: Batch) -> Carry:
    """Return a carry in which everything takes new data at the first call."""
    inputs = network.embedded(batch.tokens, batch.prefix).detach()
    count, device = len(batch.tokens), batch.tokens.device
    steps = torch.zeros(count, dtype=torch.int32, device=device)
    halted = torch.ones(count, dtype=torch.bool, device=device)
    return Carry(network.begin(inputs), steps, halted, batch)


def advance(network: SequenceNetwork, halting: Halting, carry: Carry, batch: Batch) -> Segment:
    """Compute one segment; in training mode sequences may halt before the last one.

    Args:
        network: The network.
        halting: When they halt.
        carry: Where they are.
        batch: New data for those that have halted.
    """
    data = _renewed(carry, batch)
    inputs = network.embedded(data.tokens, data.prefix)
    geometry = network.geometry(inputs.shape[1])
    state = carry.state
    if not halting.carry_state:
        again = carry.halted.view(-1, 1, 1)
        fresh = network.begin(inputs)
        state = State(
            torch.where(again, fresh.high, state.high), torch.where(again, fresh.low, state.low)
        )
    answer = network(state, inputs, geometry)
    with torch.no_grad():
        steps = torch.where(carry.halted, 0, carry.steps) + 1
        last = steps >= halting.segments
        halted, target = last, None
        if network.training and halting.segments > 1:
            if halting.early:
                halted = last | _stops(halting, answer)
                halted &= steps >= _least(halting, answer.q_halt, steps)
            if halting.q_continue:
                later = network(answer.state, inputs, geometry)
                better = torch.maximum(later.q_halt, later.q_continue)
                target = torch.sigmoid(torch.where(last, later.q_halt, better))
    return Segment(Carry(answer.state, steps, halted, data), answer, target)


def _renewed(carry: Carry, batch: Batch) -> Batch:
    """Return new data where a sequence has halted and its own elsewhere."""
    old, halted = carry.data, carry.halted
    rows = halted.unsqueeze(-1)
    prefix = None
    if batch.prefix is not None and old.prefix is not None:
        prefix = torch.where(halted, batch.prefix, old.prefix)
    tokens = torch.where(rows, batch.tokens, old.tokens)
    return Batch(tokens, torch.where(rows, batch.labels, old.labels), prefix)


def _stops(halting: Halting, answer: Answer) -> torch.Tensor:
    if halting.q_continue:
        return answer.q_halt > answer.q_continue
    return answer.q_halt > 0


def _least(halting: Halting, like: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """Return the segments before which a sequence may not halt, (B,)."""
    explores = torch.rand_like(like) < halting.exploration
    return explores * torch.randint_like(steps, low=2, high=halting.segments + 1)
