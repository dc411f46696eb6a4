"""Stems: what makes two inflections of an English word the same word."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_IRREGULAR: Final = {
    "agreed": "agree",
    "analyses": "analysis",
    "axes": "axis",
    "bases": "base",
    "cpus": "cpu",
    "criteria": "criterion",
    "freed": "free",
    "gpus": "gpu",
    "guaranteed": "guarantee",
    "hypotheses": "hypothesis",
    "indices": "index",
    "matrices": "matrix",
    "menus": "menu",
    "phenomena": "phenomenon",
    "syntheses": "synthesis",
    "tpus": "tpu",
    "vertices": "vertex",
}
_SINGULAR: Final = frozenset(
    "alias always atlas bias canvas chaos christmas cosmos gas lens pandas perhaps whereas".split()  # noqa: SIM905 - read as text
)
_NO_SUFFIX: Final = frozenset(
    "anything embed evening everything hundred morning naked nothing sacred something".split()  # noqa: SIM905 - the same
)
_VOWELS: Final = frozenset("aeiouy")


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Return the stem of a lower-case word: plural, -ed and -ing folded, nothing else.

    ``networks`` and ``network`` agree, and so do ``tune``, ``tunes``, ``tuned``, ``tuning``;
    ``modelling`` and ``modeling``; ``policies`` and ``policy``. ``adapt`` and ``adaptation`` do
    not: they are different terms. A stem is for comparison and need not be a word. Words of three
    letters, and words with anything but letters, stay as they are.
    """
    if len(word) <= 3 or not word.isalpha():
        return _IRREGULAR.get(word, word)
    word = _participle(_plural(_IRREGULAR.get(word, word)))
    if len(word) > 3 and word.endswith("e"):
        word = word[:-1]
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeious":
        word = word[:-1]
    if len(word) > 3 and word.endswith("y") and word[-2] not in _VOWELS:
        word = word[:-1] + "i"
    return word


def _plural(word: str) -> str:
    if not word.endswith("s") or word in _SINGULAR or word.endswith(("ss", "us", "is")):
        return word
    return word[:-1]


def _participle(word: str) -> str:
    if word in _NO_SUFFIX or word.endswith("eed"):
        return word
    for suffix in ("ing", "ed"):
        rest = word.removesuffix(suffix)
        if rest != word:
            return rest if len(rest) > 2 and not _VOWELS.isdisjoint(rest) else word
    return word
