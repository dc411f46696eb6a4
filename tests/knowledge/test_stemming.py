"""Inflections of a word have one stem; different words keep different ones."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.knowledge.stemming import _IRREGULAR, stem


@pytest.mark.parametrize(
    "family",
    [
        "network networks",
        "tune tunes tuned tuning",
        "plan plans planned planning",
        "model models modeled modelled modeling modelling",
        "policy policies",
        "study studies studied studying",
        "embed embeds embedded embedding embeddings",
        "cache caches cached caching",
        "bias biases biased",
        "loss losses",
        "class classes",
        "analysis analyses",
        "matrix matrices",
        "axis axes",
        "gpu gpus",
        "add adds added adding",
        "agree agrees agreed agreeing",
        "control controls controlled controlling",
        "query queries querying queried",
        "tree trees",
        "process processes processed processing",
    ],
)
def test_inflections_agree(family):
    assert len({stem(word) for word in family.split()}) == 1


@pytest.mark.parametrize(
    "words",
    [
        "adapt adapter adaptation",
        "policy police",
        "network net",
        "string str",
        "speed spee",
        "evening even",
        "this thi",
        "corpus corpu",
        "gpt2 gpt2s",
        "embed emb",
        "hundred hundr",
    ],
)
def test_different_words_differ(words):
    assert len({stem(word) for word in words.split()}) == len(words.split())


@given(st.text(max_size=30))
def test_a_stem_is_never_longer_and_never_empty_for_a_word(word):
    made = stem(word)
    assert bool(made) == bool(word)
    assert len(made) <= len(word) + 2  # irregular plurals may be shorter than their singular


@given(
    st.from_regex(r"[bcdfgklmnprt][aeou][bcdfgkmnprt]", fullmatch=True).filter(
        lambda w: w not in {"was", "has"}
    )
)
def test_a_regular_noun_agrees_with_its_plural(root):
    word = f"{root}ork"
    assert stem(word) == stem(f"{word}s")


def test_the_stems_of_the_sample_library_merge_only_what_looks_alike(root):
    families: dict[str, set[str]] = {}
    for note in (root / "data" / "library").glob("*.md"):
        for word in re.findall("[a-z]+", note.read_text("utf-8").lower()):
            families.setdefault(stem(word), set()).add(word)
    assert len(families) > 1000
    for made, family in families.items():
        regular = {word[: len(made) - 1] for word in family - _IRREGULAR.keys()}
        assert len(regular) <= 1, family
