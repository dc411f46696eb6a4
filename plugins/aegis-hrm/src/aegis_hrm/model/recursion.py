"""One segment of reasoning: N high-level cycles of T low-level steps (arXiv 2506.21734, 2.1).

    z_L^i = f_L(z_L^(i-1), z_H^(i-1), x~)                      every step
    z_H^i = f_H(z_H^(i-1), z_L^(i-1))      where i = 0 mod T,  z_H^(i-1) elsewhere

What a module is driven by is added to its state. The gradient reaches back through the last update
of each state alone (the paper's one-step approximation, 2.2), the last cycle, or everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch

if TYPE_CHECKING:
    from aegis_hrm.model.layers import Geometry, Level
    from aegis_hrm.model.shape import ModelShape


class State(NamedTuple):
    """What is carried from segment to segment: z_H and z_L, each (B, S, D)."""

    high: torch.Tensor
    low: torch.Tensor

    def detached(self) -> State:
        """Return the state without its history."""
        return State(self.high.detach(), self.low.detach())


class Levels(Protocol):
    """A network with the modules of a hierarchy; one module serves both where there is no other."""

    shape: ModelShape
    H_level: Level | None
    L_level: Level
    H_init: torch.Tensor
    L_init: torch.Tensor


def initial(levels: Levels, like: torch.Tensor) -> State:
    """Return the state that reasoning begins with, for inputs (B, S, D): the same everywhere."""
    return State(levels.H_init.expand_as(like), levels.L_init.expand_as(like))


def segment(levels: Levels, state: State, inputs: torch.Tensor, geometry: Geometry) -> State:
    """Return the state after one segment, with a graph as far as `ModelShape.gradient` says.

    Args:
        levels: The modules.
        state: Where the last segment ended.
        inputs: x~, the embedded input, (B, S, D).
        geometry: Positions and mask.
    """
    shape, low_level = levels.shape, levels.L_level
    high_level = levels.H_level or low_level
    if shape.hierarchy == "plain":
        low = low_level(inputs, torch.zeros_like(inputs[:1, :1]), geometry)
        return State(high_level(low, torch.zeros_like(inputs[:1, :1]), geometry), low)
    high, low = state
    wanted = torch.is_grad_enabled()
    for cycle in range(shape.h_cycles):
        last_cycle = cycle == shape.h_cycles - 1
        for step in range(shape.l_cycles):
            last_step = last_cycle and step == shape.l_cycles - 1
            reached = {"one_step": last_step, "last_cycle": last_cycle, "full": True}
            with torch.set_grad_enabled(wanted and reached[shape.gradient]):
                low = low_level(low, high + inputs, geometry)
        with torch.set_grad_enabled(wanted and (last_cycle or shape.gradient == "full")):
            high = high_level(high, low, geometry)
    return State(high, low)
