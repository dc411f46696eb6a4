"""Words, sentences, terms and references of any text, always the same and one line each."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.knowledge.text import (
    STOP_WORDS,
    content_words,
    folded,
    key_sentences,
    references,
    sentences,
    stem,
    terms,
    words,
)

ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=200)
PROSE = st.lists(
    st.sampled_from(
        [
            "Low-rank",
            "adaptation",
            "e.g.",
            "the",
            "model",
            "(see",
            "Fig.",
            "2).",
            "It",
            "is",
            "3.5",
            "times",
            "#",
            "*",
            "-",
            "\n",
            "\n\n",
            "[[a-b]]",
            "[[c|d]]",
            "arXiv:2106.09685",
            "10.1000/ab",
            "```",
            "https://x.org/y).",
            "et",
            "al.",
            "Vaswani",
            "J.",
            "Smith",
            "learned",
            "|",
            "�",
            "\x00",
            "\u2028",
            "ﬁne",
            "naïve",
            "1,000",
            "don't",
            "model's",
            "数据",
            "|",
            "**",
            "`",
            "~~~",
            "...",
            "?!",
            "2.0.1",
        ]
    ),
    max_size=60,
).map(" ".join)
TEXTS = ANY | PROSE


def one_line(text):
    return len(text.splitlines()) <= 1


@settings(max_examples=200)
@given(TEXTS)
def test_any_text_has_words_without_spaces_in_lower_case(text):
    found = words(text)
    assert all(found)
    assert all(word == "".join(word.split()) for word in found)
    assert [word for word in found if word != folded(word)] == []
    assert words(text) == found


@settings(max_examples=200)
@given(TEXTS)
def test_content_words_are_the_words_without_stop_words(text):
    found = content_words(text)
    assert set(found) <= set(words(text))
    assert STOP_WORDS.isdisjoint(found)


@settings(max_examples=200)
@given(TEXTS)
def test_words_survive_being_joined(text):
    found = words(text)
    assert words(" ".join(found)) == found


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.integers(0, 10))
def test_any_text_has_terms_each_once_and_one_line(text, n):
    found = terms(text, n)
    assert len(found) <= n
    assert len({tuple(map(stem, words(term))) for term in found}) == len(found)
    assert all(term and one_line(term) and content_words(term) for term in found)
    assert terms(text, n) == found


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.lists(TEXTS, max_size=3), st.integers(0, 5))
def test_any_text_has_key_sentences_in_its_order(text, query, n):
    found = key_sentences(text, query, n, limit=80)
    assert len(found) <= n
    assert all(0 < len(sentence) <= 80 and one_line(sentence) for sentence in found)
    everything = [s if len(s) <= 80 else s[:79].rstrip() + "…" for s in sentences(text)]
    places = iter(everything)
    assert all(sentence in places for sentence in found), "each after the one before"


@settings(max_examples=200)
@given(TEXTS)
def test_any_text_has_references_each_once(text):
    found = references(text)
    assert len(set(found)) == len(found)
    assert all(one and one == " ".join(one.split()) for one in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Low-Rank Adaptation", ["low", "rank", "adaptation"]),
        ("GPT-2 has 1,000 rows at 0.5", ["gpt", "2", "has", "1000", "rows", "at", "0.5"]),
        ("arXiv:2106.09685v2", ["arxiv", "2106.09685", "v2"]),
        ("the model's users' data don't", ["the", "model", "users", "data", "dont"]),
        ("Schrödinger's naïve ﬁne-tuning", ["schrodinger", "naive", "fine", "tuning"]),
        ("a_b/c|d", ["a", "b", "c", "d"]),
        ("3,5 and 12,345,678", ["3,5", "and", "12345678"]),
        ("", []),
    ],
)
def test_words_of(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One here. Two there! Three? (Four.) Five", ["One here.", "Two there!", "Three?", "(Four.)", "Five"]),
        ("It gains 3.5 points. See Fig. 2 and Eq. (3) by Hu et al. 2021, e.g. Rows.", ["It gains 3.5 points.", "See Fig. 2 and Eq. (3) by Hu et al. 2021, e.g. Rows."]),
        ("J. Smith met A. B. Lee. They spoke.", ["J. Smith met A. B. Lee.", "They spoke."]),
        ("One line\nbroken here. Two.", ["One line broken here.", "Two."]),
        ("# Heading\n\nBody one.\n\n- first point\n- second point", ["Body one.", "first point", "second point"]),
        ("## Heading\nBody follows at once.", ["Body follows at once."]),
        ("Before.\n\n```\ncode. Not prose.\n```\nAfter it.", ["Before.", "After it."]),
        ("Unlike [[adapter-layers]], [a link](http://x.y/z) is **bold**.", ["Unlike adapter layers, a link is bold."]),
        ("y = W x + (alpha / r) * B A x. Then more.", ["y = W x + (alpha / r) * B A x.", "Then more."]),
        ('He said "yes." She left.', ['He said "yes."', "She left."]),
    ],
)  # fmt: skip
def test_sentences_of(text, expected):
    assert sentences(text) == expected


LORA = """Low-rank adaptation fine-tunes a model by adding a trainable low-rank update to weight matrices. \
The weather was fine that day in spring. Low-rank adaptation keeps the original weight matrices frozen. \
Code is at https://example.org/lora for all. Memory for optimizer states shrinks with low-rank adaptation."""


def test_terms_are_what_comes_up_again():
    found = terms(LORA, 4)
    assert found[0] == "low-rank adaptation"
    assert "weight matrices" in found
    assert not any("weather" in term or "example.org" in term for term in found)


def test_rare_words_count_more_where_frequencies_are_known():
    text = (
        "Transformers use attention. Perceivers use attention. Transformers differ from perceivers."
    )
    common = {stem("transformers"): 900, stem("attention"): 900, stem("perceivers"): 1}
    assert terms(text, 1, frequencies=common, documents=1000) == ("perceivers",)


def test_key_sentences_speak_of_what_is_asked():
    assert key_sentences(LORA, ["optimizer memory"], 1) == (
        "Memory for optimizer states shrinks with low-rank adaptation.",
    )
    both = key_sentences(LORA, ["low-rank adaptation"], 2)
    assert both[0].startswith("Low-rank adaptation fine-tunes")
    assert not any("weather" in sentence or "https" in sentence for sentence in both)


def test_a_text_of_short_sentences_has_key_sentences_too():
    assert key_sentences("Yes. No.", [], 5) == ("Yes.", "No.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hu et al. 2021, LoRA, arXiv:2106.09685", ("2106.09685",)),
        (
            "arXiv: 1409.0473v7 and https://arxiv.org/pdf/1706.03762v5.pdf.",
            ("1409.0473", "1706.03762"),
        ),
        (
            "hep-th/9901001v3, math.AG/0112017, cs/0112017",
            ("hep-th/9901001", "math/0112017", "cs/0112017"),
        ),
        (
            "bare 2106.09685, but not 1312.6114 nor 2013.12345 nor 0.2106 nor 12106.09685",
            ("2106.09685",),
        ),
        (
            "doi:10.1000/XYZ-1. and (https://doi.org/10.1038/nature14539)",
            ("10.1000/xyz-1", "10.1038/nature14539"),
        ),
        ("10.48550/arXiv.1706.03762", ("1706.03762",)),
        (
            "[[adapter-layers]], [[lora|LoRA]], [[notes#part]], [[adapter-layers]]",
            ("adapter-layers", "lora", "notes"),
        ),
        (
            "see https://a.org/b_(c)?d=e, (http://x.y/z).",
            ("https://a.org/b_(c)?d=e", "http://x.y/z"),
        ),
        ("nothing at all", ()),
    ],
)
def test_references_of(text, expected):
    assert references(text) == expected


@pytest.mark.parametrize(
    "unit",
    ["a", "a ", ". ", "A. ", "[[", "`", "https://", "@", "1.", "1,", "\n ", "\n\n", "- ", "# a\n", "'", "-a", "10.1000/", "](", "**", "(", "cs/", "et al. "],
)  # fmt: skip
def test_time_grows_with_the_length_and_not_faster(unit):
    """A text of one repeated piece finds every regular expression that backtracks."""
    text = unit * (80_000 // len(unit))
    began = time.process_time()
    words(text), references(text), sentences(text), terms(text, 5), key_sentences(text, ["a"], 3)
    assert time.process_time() - began < 20  # it takes 0.3 s; a quadratic one takes minutes
