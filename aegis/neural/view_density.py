"""How many characters of a view a token holds, where nobody has measured it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aegis.contracts.view import Recent, Seen, View

if TYPE_CHECKING:
    from aegis.contracts.roles import Tokenizer

_SAMPLE: Final = View(
    goal="Understand quantized low-rank adaptation of a 7B model",
    step=12,
    limit=40,
    missing=("quantile", "4-bit", "paged"),
    facts=("The adapters W + (alpha/r) * B A are the only weights with gradients.",),
    knowledge=(Seen("17", "Low-rank adaptation"), Seen("204", "Quantization")),
    found=(Seen("31", "Parameter-efficient fine-tuning"),),
    recent=(Recent("search_library 4-bit quantile terms=2 missing=1", "ok", 3),),
)
"""A view that is terse and full of numbers."""


def sample_density(tokenizer: Tokenizer) -> float:
    """Return the characters a token of one view that has few."""
    text = _SAMPLE.render()
    return len(text) / len(tokenizer.encode(text))
