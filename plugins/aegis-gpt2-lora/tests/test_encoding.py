"""Ids of views and candidates: apart, bounded, and never special because of their content."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import aegis
from aegis.contracts.view import View
from aegis.neural import FileTokenizer
from aegis_gpt2_lora.encoding import Encoding


@pytest.fixture(scope="module")
def gpt2(shared):
    return FileTokenizer(shared / "gpt2-tokenizer" / "tokenizer.json")


@pytest.fixture(scope="module")
def llama(shared):
    return FileTokenizer(shared / "stories260k" / "tokenizer.json")


def test_a_special_token_in_a_title_is_text(gpt2, llama, mini):
    hostile = "<|endoftext|> </s><s> <unk> x"

    for tokenizer in (gpt2, llama, mini.tokenizer):
        special = set(tokenizer.capabilities.special_tokens.values())
        assert special
        assert not special & set(tokenizer.encode(hostile))
        assert tokenizer.decode(tokenizer.encode(hostile)) == hostile


@given(text=st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_no_text_becomes_a_special_token(mini, text):
    clean = text.encode("utf-8", "ignore").decode("utf-8")

    assert not set(mini.tokenizer.capabilities.special_tokens.values()) & set(
        mini.tokenizer.encode(clean)
    )
    assert mini.tokenizer.decode(mini.tokenizer.encode(clean)) == clean


def test_a_prompt_is_the_rendering_and_the_marker(gpt2, view):
    ids = Encoding(gpt2, 1024).prompt(view).ids

    assert gpt2.decode(ids) == view.render() + "\nnext:"


def test_a_candidate_is_its_rendering_and_a_line_break(gpt2, llama):
    action = aegis.Action("read", {"ref": "3"}, about="Prefix tuning", signals={"rank": 1})

    assert gpt2.decode(Encoding(gpt2, 1024).candidate(action)) == " read Prefix tuning rank=1\n"
    # This tokenizer puts a space before every text itself.
    assert llama.decode(Encoding(llama, 512).candidate(action)) == "read Prefix tuning rank=1\n"


def test_start_ids_come_from_the_template_alone(gpt2, llama):
    assert gpt2.start == ()
    assert llama.start == (1,)
    assert Encoding(llama, 512, llama.start).prompt(View(goal="x")).ids[0] == 1


def test_a_candidate_is_bounded_and_still_ends_its_line(mini):
    encoding = Encoding(mini.tokenizer, 256)
    ids = encoding.candidate(aegis.Action("read", {}, about="word " * 400))

    assert len(ids) == encoding.reserve == 64
    assert ids[-1] == encoding.end


@given(
    facts=st.lists(st.text(max_size=30), max_size=60),
    goal=st.text(min_size=1, max_size=2000),
    missing=st.lists(st.text(max_size=30), max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_a_prompt_always_fits_beside_the_longest_candidate(mini, facts, goal, missing):
    encoding = Encoding(mini.tokenizer, 200)
    view = View(goal=goal, facts=tuple(facts), missing=tuple(missing), step=7, limit=40)
    prompt = encoding.prompt(view)
    text = mini.tokenizer.decode(prompt.ids)

    assert len(prompt.ids) <= 200 - encoding.reserve
    assert text.startswith("goal: ")
    assert text.endswith("step: 7/40\nnext:")
    assert (prompt.cut > 0) == (text != view.render() + "\nnext:")
