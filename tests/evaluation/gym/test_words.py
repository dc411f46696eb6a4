from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.evaluation.gym.words import names_subject, stem, words


def test_words_are_runs_of_letters_and_digits_in_lower_case():
    assert words("Low-Rank Adaptation (LoRA), GPT2_x") == [
        "low",
        "rank",
        "adaptation",
        "lora",
        "gpt2",
        "x",
    ]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("queries", "query"),
        ("movies", "movy"),
        ("losses", "loss"),
        ("boxes", "box"),
        ("branches", "branch"),
        ("models", "model"),
        ("analysis", "analysis"),
        ("corpus", "corpus"),
        ("loss", "loss"),
        ("gas", "gas"),
    ],
)
def test_a_stem_drops_the_plural(word: str, expected: str):
    assert stem(word) == expected


@given(st.text("abcehisuxy", max_size=12))
def test_a_stem_is_its_own_stem(word: str):
    assert stem(stem(word)) == stem(word)


def test_stop_words_letters_and_numbers_name_no_subject():
    assert not any(map(names_subject, ["the", "via", "x", "2024", "use"]))
    assert all(map(names_subject, ["lora", "gpt2", "rank"]))
