"""Words: how the gym turns text into what it indexes.

Two vocabularies share one tokenisation. Relevance (GYM rules) counts the plain lower-case words;
search and everything that a policy is shown count stems, so that a plural finds its singular.
"""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
_VOWELS: Final = frozenset("aeiou")

_STOP_WORDS: Final = """
a about across after all also an and any are as at be been before being between both but by can do
does during each for from had has have how if in into is it its more most no nor not of off on one
only or other our out over own per s same so some such t than that the their them then there these
they this those through to too toward towards two under up upon us use used uses using versus very
via vs was we were what when where whether which while who why will with within without you your
"""

STOP_WORDS: Final = frozenset(_STOP_WORDS.split())
"""Words that name no subject: never part of a query, a gap or a missing term."""


def words(text: str) -> list[str]:
    """Return the lower-case words of `text` in order: runs of letters and digits."""
    return _WORD.findall(text.lower())


def stem(word: str) -> str:
    """Return `word` without an English plural ending (Harman's S-stemmer, 1991)."""
    if len(word) < 4 or word[-1] != "s":
        return word
    if word.endswith("ies"):
        return word if word[-4] in _VOWELS else word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if word.endswith(("us", "ss", "is")):
        return word
    return word[:-1]


def names_subject(term: str) -> bool:
    """Return whether a stem may name a subject: no stop word, single letter or bare number."""
    return len(term) > 1 and not term.isdigit() and term not in _STOPPED


_STOPPED: Final = STOP_WORDS | {stem(word) for word in STOP_WORDS}
