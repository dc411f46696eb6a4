"""The learning rate where none is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import torch

_BY_WIDTH: Final = 0.7  # measured at width 192, where 0.003 to 0.005 did best
_LARGEST: Final = 0.005
_FULL_BY_WIDTH: Final = 0.192  # measured at width 96: 0.004 did worse than 0.001 and 0.002
_LARGEST_FULL: Final = 0.002


def default_rate(width: int) -> float:
    """Return a learning rate of adapters on a model of a width.

    With Adam the best rate of matrices falls with 1 / width (Yang et al. 2022, arXiv 2203.03466).
    """
    return min(_LARGEST, _BY_WIDTH / width)


def default_full_rate(width: int) -> float:
    """Return a learning rate of all weights of a model of a width."""
    return min(_LARGEST_FULL, _FULL_BY_WIDTH / width)


def width_of(module: torch.nn.Module) -> int:
    """Return the width of a causal language model: that of its token embedding."""
    model: Any = module
    embedding = getattr(module, "embedding", None)
    return int((model.get_input_embeddings().weight if embedding is None else embedding).shape[1])
