"""What a model is made of, as numbers: enough to count its weights without torch."""

from __future__ import annotations

import math
from typing import Final, Literal

from attrs import field, frozen

Hierarchy = Literal["hrm", "trm", "plain"]
Gradient = Literal["one_step", "last_cycle", "full"]
Positions = Literal["rope", "learned", "none"]
Mixer = Literal["attention", "mlp"]

_WIDTH_STEP: Final = 256  # what the width of a SwiGLU is rounded up to


def swiglu_width(hidden: int, expansion: float) -> int:
    """Return the inner width of a SwiGLU: two thirds of expansion x hidden, rounded up to 256s."""
    return math.ceil(round(expansion * hidden * 2 / 3) / _WIDTH_STEP) * _WIDTH_STEP


@frozen(kw_only=True)
class ModelShape:
    """The architecture (arXiv 2506.21734, section 2) and its variants.

    Attributes:
        vocabulary: Rows of the token embedding.
        outputs: Rows of the output head; 0 for as many as `vocabulary`.
        hidden: Width of a state, D.
        heads: Attention heads; they divide `hidden`.
        h_layers: Layers of the high-level module; 0 where one module serves both (`trm`).
        l_layers: Layers of the low-level module.
        h_cycles: High-level cycles N of one segment.
        l_cycles: Low-level steps T of one cycle.
        expansion: Width of a feed-forward layer in units of `hidden`, before a third goes to the
            gate.
        hierarchy: ``hrm``: two modules. ``trm``: one module updates both states (arXiv 2510.04871).
            ``plain``: no recursion; both modules run once, one after the other, as a transformer
            of the same size.
        gradient: How far it reaches back within a segment: the last update of each state
            (``one_step``), all of the last high-level cycle, or everything.
        positions: Rotary, learned, or none.
        mixer: What mixes positions: attention, or a SwiGLU over a fixed number of them.
        sequence: Tokens of a sequence; needed for learned positions and the ``mlp`` mixer.
        norm_eps: Added to the mean square in RMSNorm.
        rope_theta: Base of the rotary wavelengths.
        prefix_ids: Rows of the prefix embedding; 0 where there is none.
        prefix_width: Numbers of one row.
        prefix_positions: Positions that a row is laid out over, padded with zeros; 0 for as many
            as it needs.
    """

    vocabulary: int
    hidden: int
    outputs: int = 0
    heads: int = 4
    h_layers: int = 2
    l_layers: int = 2
    h_cycles: int = 2
    l_cycles: int = 2
    expansion: float = 4.0
    hierarchy: Hierarchy = "hrm"
    gradient: Gradient = "one_step"
    positions: Positions = "rope"
    mixer: Mixer = "attention"
    sequence: int = 0
    norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    prefix_ids: int = 0
    prefix_width: int = 0
    prefix_positions: int = field(default=0)

    def __attrs_post_init__(self) -> None:
        for wrong in self.faults():
            raise ValueError(wrong)

    def faults(self) -> list[str]:
        """Return what cannot be built, a sentence each."""
        found = []
        if self.hidden % self.heads or (self.hidden // self.heads) % 2:
            found.append(f"{self.heads} heads do not divide hidden = {self.hidden} evenly")
        if self.hierarchy != "trm" and self.h_layers < 1:
            found.append(f"hierarchy {self.hierarchy} needs high-level layers")
        if (self.positions == "learned" or self.mixer == "mlp") and self.sequence < 1:
            found.append("learned positions and the mlp mixer need a fixed sequence")
        return found

    @property
    def head_width(self) -> int:
        """Numbers of one attention head."""
        return self.hidden // self.heads

    @property
    def prefix(self) -> int:
        """Positions before the tokens."""
        if not self.prefix_width:
            return 0
        return self.prefix_positions or math.ceil(self.prefix_width / self.hidden)

    @property
    def rows(self) -> int:
        """Rows of the output head."""
        return self.outputs or self.vocabulary

    @property
    def passes(self) -> int:
        """Layers that one segment computes, each application counted."""
        if self.hierarchy == "plain":
            return self.h_layers + self.l_layers
        high = self.l_layers if self.hierarchy == "trm" else self.h_layers
        return self.h_cycles * (self.l_cycles * self.l_layers + high)

    @property
    def layer_parameters(self) -> int:
        """Weights of one layer."""
        feed_forward = 3 * self.hidden * swiglu_width(self.hidden, self.expansion)
        if self.mixer == "mlp":
            over = self.sequence + self.prefix
            return feed_forward + 3 * over * swiglu_width(over, self.expansion)
        return feed_forward + 4 * self.hidden**2

    @property
    def parameters(self) -> int:
        """Weights that are trained, the prefix embedding and the halting head included."""
        layers = self.l_layers + (0 if self.hierarchy == "trm" else self.h_layers)
        positions = (self.sequence + self.prefix) if self.positions == "learned" else 0
        embedded = self.vocabulary + self.rows + positions + 2
        return (
            layers * self.layer_parameters
            + embedded * self.hidden
            + 2
            + self.prefix_ids * self.prefix_width
        )
