"""What was measured of a tokenizer, beside its file: ``tokenizer.measured.json``.

The file of a tokenizer itself has no place for it. It names the fingerprint that it belongs to, so
that what was measured of another tokenizer is not believed.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from aegis.neural import save_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from aegis import Tokenizer, View
    from aegis_hrm.tokenizer_texts import Choice


def measured_file(tokenizer: Path) -> Path:
    """Return where the figures of a tokenizer's file stand."""
    return tokenizer.with_suffix(".measured.json")


def read_measured(tokenizer: Path, fingerprint: str) -> float | None:
    """Return how many characters of a view a token holds at the low end, None if not known."""
    try:
        raw: Any = json.loads(measured_file(tokenizer).read_bytes())
        if raw["fingerprint"] != fingerprint:
            return None
        figure = float(raw["characters_per_token"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return figure if 0 < figure < math.inf else None


def save_measured(tokenizer: Path, fingerprint: str, characters: float, views: int) -> None:
    """Write the figures of a tokenizer's file beside it."""
    figures = {"fingerprint": fingerprint, "characters_per_token": characters, "views": views}
    save_json(measured_file(tokenizer), figures)


def low_end(tokenizer: Tokenizer, views: Iterable[View]) -> float:
    """Return the characters a token of the view in a hundred that has the fewest, rounded down.

    Counted on the canonical text of views, every marker spelt out. Laid out for the engine, with
    special tokens instead, the same views take fewer tokens: the figure errs on the safe side.
    """
    texts = [view.render() for view in views]
    ratios = sorted(len(text) / len(tokenizer.encode(text)) for text in texts)
    return math.floor(100 * ratios[len(ratios) // 100]) / 100


def density(tokenizer: Tokenizer, choices: Iterable[Choice]) -> float:
    """Return the characters a token over the items of views and their candidates."""
    characters = tokens = 0
    for choice in choices:
        for text in choice.texts():
            characters += len(text)
            tokens += len(tokenizer.encode(text))
    return characters / tokens
