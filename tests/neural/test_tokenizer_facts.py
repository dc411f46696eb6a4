"""Facts of tokenizer.json files against the tokenizers library and published numbers."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer

from aegis.errors import ModelError
from aegis.neural import read_tokenizer_facts, tokenizer_capabilities, tokenizer_facts
from aegis.neural.tokenizer_facts import facts_from


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """Keep the cache of the person who runs the tests out of them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_facts_of_gpt2s_file_are_the_published_ones(shared):
    facts = read_tokenizer_facts(shared / "gpt2-tokenizer" / "tokenizer.json")

    assert (facts.max_token_id, facts.vocab_size) == (50256, 50257)
    assert facts.special_tokens == {"<|endoftext|>": 50256}


def test_capabilities_say_what_is_not_known_yet(shared):
    facts = read_tokenizer_facts(shared / "stories260k" / "tokenizer.json")
    known, unknown = (tokenizer_capabilities(facts, figure) for figure in (2.5, None))

    assert (known.characters_per_token, known.unverified) == (2.5, ())
    assert unknown.unverified == ("characters_per_token",)
    assert known.max_token_id == facts.max_token_id
    assert known.fingerprint == facts.fingerprint


@pytest.mark.parametrize("name", ["gpt2-tokenizer", "stories260k"])
def test_a_file_that_is_written_anew_has_the_same_fingerprint(shared, name):
    path = shared / name / "tokenizer.json"
    library = Tokenizer.from_file(str(path))
    facts = read_tokenizer_facts(path)

    assert facts_from(json.loads(library.to_str())) == facts
    assert facts.vocab_size == library.get_vocab_size()
    assert facts.max_token_id == max(library.get_vocab().values())


def test_what_decides_ids_changes_the_fingerprint(shared):
    raw = json.loads((shared / "stories260k" / "tokenizer.json").read_text())
    original = facts_from(raw).fingerprint

    def changed(change):
        copy = json.loads(json.dumps(raw))
        change(copy)
        return facts_from(copy).fingerprint

    prints = [
        changed(lambda r: r["model"]["merges"].reverse()),
        changed(lambda r: r["model"]["vocab"].update(the=700)),
        changed(lambda r: r.update(normalizer=None)),
        changed(lambda r: r["added_tokens"].pop()),
        changed(lambda r: r.update(post_processor=None)),
    ]
    assert len({original, *prints}) == 6
    assert changed(lambda r: r.update(decoder=None)) == original


def test_an_added_token_above_the_vocabulary_is_the_largest_id(shared):
    raw = json.loads((shared / "stories260k" / "tokenizer.json").read_text())
    raw["added_tokens"].append({**raw["added_tokens"][0], "id": 9000, "content": "<pad>"})

    facts = facts_from(raw)
    assert facts.max_token_id == 9000
    assert facts.special_tokens["<pad>"] == 9000


def test_facts_of_a_large_file_are_kept_and_a_damaged_entry_is_not_believed(
    shared, tmp_path, monkeypatch
):
    path = shared / "gpt2-tokenizer" / "tokenizer.json"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = read_tokenizer_facts(path)
    (entry,) = tmp_path.rglob("*.json")
    with monkeypatch.context() as broken:
        broken.setattr(tokenizer_facts, "_parsed", lambda *_: pytest.fail("parsed again"))
        assert read_tokenizer_facts(path) == first

    for damage in ("", "[]", "{}", entry.read_text().replace("50256", '"x"'), '{"fingerprint": 3}'):
        entry.write_text(damage)
        assert tokenizer_facts._cached(entry) is None
    assert read_tokenizer_facts(path) == first


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(shared, tmp_path, monkeypatch):
    (tmp_path / "aegis").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    facts = read_tokenizer_facts(shared / "gpt2-tokenizer" / "tokenizer.json")
    assert facts.max_token_id == 50256


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model": {}}', '{"model": {"vocab": {}}}'])
def test_what_is_no_tokenizer_is_refused_by_name(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_text(content)

    with pytest.raises(ModelError, match=r"not a tokenizer\.json"):
        read_tokenizer_facts(path)
