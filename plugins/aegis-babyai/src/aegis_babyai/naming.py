"""Names of things: colour and type as one word, in views and in the mission alike.

`redball` is one word for what `red ball` says in two. That a thing is what the mission speaks of is
then the equality of two words, which a small model finds in a fraction of the time that it takes
for the conjunction of two (docs/log.md of the project). Nothing else is said by it: the words are
as many as the pairs, and go back into the two.
"""

from __future__ import annotations

import re
from typing import Final

from aegis_babyai.levels import COLOURS

KINDS: Final = ("ball", "box", "key", "door")

_COLOUR, _KIND = "|".join(COLOURS), "|".join(KINDS)
_APART: Final = re.compile(rf"\b({_COLOUR}) ({_KIND})\b")
_JOINED: Final = re.compile(rf"\b({_COLOUR})({_KIND})\b")


def joined(text: str) -> str:
    """Return a text with the names of things as one word each: ``go to the redball``."""
    return _APART.sub(r"\1\2", text)


def apart(text: str) -> str:
    """Return a text with colours and types as words of their own; undoes `joined`."""
    return _JOINED.sub(r"\1 \2", text)


def colour_and_kind(word: str) -> tuple[str, str]:
    """Return colour and type of a name.

    Raises:
        ValueError: If it is none.
    """
    found = _JOINED.fullmatch(word)
    if found is None:
        raise ValueError(f"not a thing: {word}")
    return found[1], found[2]
