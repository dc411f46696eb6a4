"""Tokenizers of files: text in, ids out, and nothing special made from text."""

from __future__ import annotations

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from aegis.errors import InputError, ModelError
from aegis.neural import FileTokenizer

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """Keep the cache of the person who runs the tests out of them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def gpt2(shared):
    return FileTokenizer(shared / "gpt2-tokenizer" / "tokenizer.json", 3.0)


@pytest.fixture(scope="module")
def llama(shared):
    return FileTokenizer(shared / "stories260k" / "tokenizer.json")


def test_the_ids_are_the_published_ones(gpt2):
    # openai/gpt-2, encoder.py with the published vocabulary
    assert gpt2.encode("Hello world") == [15496, 995]
    assert gpt2.capabilities.characters_per_token == 3.0


def test_text_that_spells_a_special_token_is_text(gpt2, llama):
    for tokenizer in (gpt2, llama):
        assert tokenizer.special
        ids = tokenizer.encode("".join(tokenizer.special))
        assert not set(tokenizer.special.values()) & set(ids)


@given(text=TEXT)
def test_bytes_come_back_exactly(gpt2, text):
    assert gpt2.decode(gpt2.encode(text)) == text


def test_what_stands_before_any_text_is_known(gpt2, llama):
    assert gpt2.start == ()
    assert llama.start == (llama.special["<s>"],)


def test_half_of_a_surrogate_pair_is_refused_by_name(gpt2):
    with pytest.raises(InputError, match=r"character 1 of a text, U\+D83D, is half of a surrogate"):
        gpt2.encode("a\ud83d")


def test_what_is_no_text_is_a_mistake_of_the_caller(gpt2):
    with pytest.raises(TypeError):
        gpt2.encode(5)


def test_it_is_saved_byte_by_byte(gpt2, shared, tmp_path):
    gpt2.save(tmp_path)

    saved = (tmp_path / "tokenizer.json").read_bytes()
    assert saved == (shared / "gpt2-tokenizer" / "tokenizer.json").read_bytes()


def test_lengths_that_a_file_asks_for_are_not_obeyed(shared, tmp_path):
    raw = json.loads((shared / "stories260k" / "tokenizer.json").read_text())
    raw["truncation"] = {
        "direction": "Right",
        "max_length": 2,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(raw))

    assert len(FileTokenizer(path).encode("once upon a time")) > 2


def test_what_the_library_cannot_load_is_refused_by_name(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text('{"model": {"type": "none", "vocab": {"a": 0}}}')

    with pytest.raises(ModelError, match="cannot be loaded"):
        FileTokenizer(path)
