"""Names of components, profiles and files that come from configuration or from outside."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
NAME_RULE: Final = (
    "lower-case letters, digits, - and _, at most 64, beginning with a letter or digit"
)


def is_name(text: str) -> bool:
    """Return whether `text` may name a component, a profile or a file of Aegis."""
    return NAME.fullmatch(text) is not None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean "x"?`` for the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""
