from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_arxiv.words import content_words, topic_words, words


@given(st.text())
def test_words_hold_nothing_that_a_query_reads(text: str):
    for word in words(text):
        assert re.fullmatch(r"[\w.'\u2019-]{1,64}", word)
        assert not set(word) & set('"\\()[]:*?~^&|!{}+/_ ')


def test_words_keep_hyphens_and_dots():
    assert words("Low-rank adaptation, GPT-3.5's (SE(3))") == (
        "Low-rank",
        "adaptation",
        "GPT-3.5's",
        "SE",
        "3",
    )


def test_content_words_are_named_once_and_carry_meaning():
    assert content_words("The rank of the Rank and of an adapter") == ("rank", "adapter")


@pytest.mark.parametrize("text", ["the", "To be or not to be"])
def test_a_text_of_stop_words_keeps_them(text: str):
    assert content_words(text)


def test_a_goal_is_about_its_topic():
    assert topic_words("Understand how low-rank adaptation works") == ("low-rank", "adaptation")
    assert topic_words("Understand") == ("Understand",)
