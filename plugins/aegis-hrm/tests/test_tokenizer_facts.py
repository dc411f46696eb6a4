"""Files that may and that may not serve as ``hrm-bpe``, told apart without building a tokenizer."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tokenizers import pre_tokenizers

from aegis.errors import ModelError
from aegis_hrm.tokenizer import open_tokenizer
from aegis_hrm.tokenizer_facts import describe_tokenizer, file_capabilities
from aegis_hrm.tokenizer_form import SMALLEST, byte_symbols
from aegis_hrm.tokenizer_measured import measured_file, save_measured
from aegis_hrm.tokenizer_settings import SHIPPED, TokenizerSettings

HEAVY = ("torch", "tokenizers", "numpy", "safetensors", "transformers", "sqlalchemy")


@pytest.fixture
def changed(tmp_path):
    """Return the function that writes the shipped file with a change."""

    def write(change):
        raw = json.loads(SHIPPED.read_bytes())
        change(raw)
        path = tmp_path / "own.json"
        path.write_text(json.dumps(raw))
        return path

    return write


def swap(raw):
    added = raw["added_tokens"]
    added[3]["content"], added[4]["content"] = added[4]["content"], added[3]["content"]


def bare(raw):
    raw["pre_tokenizer"]["pretokenizers"].pop()


def dropping(raw):
    raw["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Removed"


def prefixed(raw):
    raw["pre_tokenizer"]["pretokenizers"][1]["add_prefix_space"] = True


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (swap, r"special tokens are not in their place: <missing> = 3, <facts> = 4\n"),
        (lambda raw: raw.update(added_tokens=[]), r"<pad> = 0, <halt> = 1, <goal> = 2 and 39 more"),
        (lambda raw: raw["added_tokens"][0].update(special=False), "not in their place: <pad> = 0"),
        (lambda raw: raw["added_tokens"].append({**raw["added_tokens"][0], "id": 1000, "content": "x"}), "added tokens of its own"),
        (lambda raw: raw["model"].update(dropout=0.1), "not a plain BPE: dropout"),
        (lambda raw: raw["model"].update(ignore_merges=True), "not a plain BPE: ignore_merges"),
        (lambda raw: raw["model"].update(unk_token="<pad>"), "not a plain BPE: unk_token"),
        (lambda raw: raw["model"].update(type="Unigram"), "not a plain BPE: Unigram"),
        (lambda raw: raw["model"]["vocab"].update(ar=5000), "ids have holes"),
        (lambda raw: raw["model"]["vocab"].pop("!"), "the 256 bytes are not the entries from 42 on"),
        (lambda raw: raw["model"]["merges"].append(["<go", "al>"]), "merges make the special token <goal> from text"),
        (lambda raw: raw["model"]["merges"].append("<go al>"), "merges make the special token <goal> from text"),
        (lambda raw: raw.update(normalizer={"type": "NFC"}), "normaliser changes texts"),
        (lambda raw: raw.update(decoder=None), "does not decode bytes"),
        (bare, "pre-tokenizer does not keep every byte"),
        (dropping, "pre-tokenizer does not keep every byte"),
        (prefixed, "pre-tokenizer does not keep every byte"),
    ],
)  # fmt: skip
def test_a_file_that_breaks_a_promise_is_refused(changed, change, message):
    path = changed(change)
    with pytest.raises(ModelError, match=message) as refused:
        describe_tokenizer(TokenizerSettings(path))

    (problem,) = refused.value.problems
    assert problem.code == "tokenizer-form"
    assert problem.where == f"[tokenizer.hrm-bpe].file; {path}"
    assert "aegis tokenizer train" in problem.fix


def test_everything_that_is_wrong_is_told_at_once(changed):
    def worse(raw):
        swap(raw)
        raw["normalizer"] = {"type": "NFC"}

    with pytest.raises(ModelError, match=r"<facts> = 4; its normaliser changes"):
        file_capabilities(changed(worse))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b'{"added_tokens": null}', b'{"added_tokens": [3]}', b"[" * 100_000]
)  # fmt: skip
def test_what_is_no_tokenizer_is_refused_by_name(tmp_path, content):
    path = tmp_path / "own.json"
    path.write_bytes(content)

    with pytest.raises(ModelError, match=r"own.json is not a tokenizer\.json") as refused:
        file_capabilities(path)
    assert refused.value.problems[0].code == "tokenizer-damaged"


def test_a_file_cut_off_anywhere_is_refused(tmp_path):
    whole = SHIPPED.read_bytes()
    path = tmp_path / "own.json"
    for end in range(0, len(whole), 997):
        path.write_bytes(whole[:end])
        with pytest.raises(ModelError):
            file_capabilities(path)


def test_another_models_tokenizer_is_refused(tmp_path):
    vocabulary = {"a": 0, "b": 1}
    model = {"type": "BPE", "vocab": vocabulary, "merges": []}
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"added_tokens": [], "model": model, "normalizer": None,
                                "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
                                "decoder": {"type": "ByteLevel"}}))  # fmt: skip

    with pytest.raises(ModelError, match="not in their place"):
        file_capabilities(path)


@pytest.mark.parametrize("name", ["absent.json", "."])
def test_a_file_that_is_not_there_is_refused_by_name(tmp_path, name):
    with pytest.raises(ModelError, match="cannot read") as refused:
        file_capabilities(tmp_path / name)
    assert refused.value.problems[0].code == "tokenizer-absent"


def test_what_the_library_calls_bytes_is_what_the_form_does():
    assert byte_symbols() == set(pre_tokenizers.ByteLevel.alphabet())
    assert SMALLEST == 298


def test_what_decides_ids_changes_the_fingerprint(changed):
    first = file_capabilities(SHIPPED).fingerprint

    def reorder(raw):
        merges = raw["model"]["merges"]
        merges[0], merges[1] = merges[1], merges[0]

    assert file_capabilities(changed(reorder)).fingerprint != first
    assert file_capabilities(changed(lambda raw: None)).fingerprint == first


def test_what_was_not_measured_is_unverified_until_it_is_built(changed):
    path = changed(lambda raw: None)
    described, built = file_capabilities(path), open_tokenizer(path).capabilities

    assert described.characters_per_token is None
    assert described.unverified == ("characters_per_token",)
    assert built.unverified == ()
    assert 1.0 < built.characters_per_token < 4.0


def test_what_was_measured_is_believed_of_the_tokenizer_that_it_names(changed):
    path = changed(lambda raw: None)
    own = file_capabilities(path).fingerprint

    save_measured(path, own, 2.25, 7)
    assert file_capabilities(path).characters_per_token == 2.25
    save_measured(path, "another", 2.25, 7)
    assert file_capabilities(path).unverified == ("characters_per_token",)
    for damage in ("", "[]", "{}", json.dumps({"fingerprint": own, "characters_per_token": "x"}),
                   json.dumps({"fingerprint": own, "characters_per_token": -1}),
                   json.dumps({"fingerprint": own, "characters_per_token": float("nan")})):  # fmt: skip
        measured_file(path).write_text(damage)
        assert file_capabilities(path).unverified == ("characters_per_token",)


def test_facts_and_commands_import_nothing_heavy():
    code = f"""
import json, sys
from aegis_hrm import plugin
for component in plugin.aegis_tokenizers():
    component.describe(component.config())
plugin.aegis_commands()
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == []
