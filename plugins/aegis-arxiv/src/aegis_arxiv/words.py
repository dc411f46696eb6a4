"""Words of a text, as they may be asked for."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MOST_WORDS: Final = 12
"""Words of one question; arXiv wants all of them in a paper, so that more find nothing."""

_WORD: Final = re.compile(r"[^\W_]+(?:[-.'’][^\W_]+)*")  # noqa: RUF001 - the apostrophe of print occurs in titles
_LONGEST: Final = 64

# Operators of arXiv's query language are among them: and, or, not, andnot, to.
_STOP_WORDS: Final = (
    "a about an and andnot are as at be between by can do does for from had has have how in "
    "into is it its not of on or over than that the their then these this those to under "
    "using via was were what when where which why will with"
)
_TASK_WORDS: Final = (
    "answer compare describe discover explain explore find gather get investigate know learn "
    "look more paper papers read research review search something study summarise summarize "
    "survey understand work works"
)
_STOP: Final = frozenset(_STOP_WORDS.split())
_TASK: Final = frozenset(_TASK_WORDS.split())


def words(text: str) -> tuple[str, ...]:
    """Return the words of `text`: letters and digits, joined by hyphens, dots or apostrophes."""
    return tuple(word[:_LONGEST] for word in _WORD.findall(unicodedata.normalize("NFKC", text)))


def content_words(text: str) -> tuple[str, ...]:
    """Return the words that carry meaning, each once, in order; all words if none does."""
    unique: dict[str, str] = {}
    for word in words(text):
        unique.setdefault(word.casefold(), word)
    kept = tuple(word for key, word in unique.items() if key not in _STOP)
    return kept or tuple(unique.values())


def topic_words(text: str) -> tuple[str, ...]:
    """Return what a goal is about: its content words without those of the task ("understand")."""
    content = content_words(text)
    return tuple(word for word in content if word.casefold() not in _TASK) or content
