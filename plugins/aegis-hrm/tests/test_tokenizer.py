"""The laws of ``hrm-bpe``: ids in range, every text back exactly, nothing special from text."""

from __future__ import annotations

import string

import hypothesis.strategies as st
import pytest
from hypothesis import given

import aegis
from aegis.contracts.text import escape
from aegis.errors import InputError
from aegis_hrm import tokenizer_facts
from aegis_hrm.special_tokens import DOCUMENTS, FIRST_TEXT_ID, PAD_ID, SPECIAL_TOKENS, TERMS
from aegis_hrm.tokenizer import build_tokenizer, open_tokenizer
from aegis_hrm.tokenizer_facts import describe_tokenizer
from aegis_hrm.tokenizer_settings import SHIPPED, TokenizerSettings

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
WORDS = st.lists(
    st.sampled_from(
        [
            "search_library",
            " rank=",
            "12",
            " ",
            "  ",
            "\t",
            "_",
            "=",
            "4/40",
            "…",
            "é",
            *SPECIAL_TOKENS,
        ]
    )
).map("".join)
PLANES = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0x0000, 0x00E9, 0xFFFD))
HOSTILE = [
    "", "\0", "\0\0 \0", " ", "  ", "a b  c   ", "\r\n\t\v\f\x85\u2028\u2029\ufeff", PLANES,
    "".join(SPECIAL_TOKENS), " ".join(SPECIAL_TOKENS), "<pad", "<<pad>>", "<term1>2>",
    "".join(map(chr, range(256))), "e\u0301 \u0301", "١٢٣ Ⅷ ²", "\U0010ffff", "\uffff",
    "a" * 100_000, " " * 100_000, "1" * 100_000, "<goal>" * 20_000, "ab " * 33_000, "漢" * 30_000,
]  # fmt: skip


@pytest.fixture(scope="module")
def shipped():
    return open_tokenizer(SHIPPED)


def check_laws(tokenizer, text):
    ids = tokenizer.encode(text)
    assert ids == tokenizer.encode(text)
    assert all(FIRST_TEXT_ID <= number < tokenizer.capabilities.vocab_size for number in ids)
    assert tokenizer.decode(ids) == text


@given(text=TEXT | WORDS)
def test_the_laws_hold_for_any_text(shipped, text):
    check_laws(shipped, text)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_the_laws_hold_for_hostile_text(shipped, text):
    check_laws(shipped, text)


@given(text=st.text())
def test_a_lone_surrogate_is_refused_and_its_escape_is_text(shipped, text):
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        with pytest.raises(InputError, match="half of a surrogate pair"):
            shipped.encode(text)
    check_laws(shipped, escape(text))


def test_special_tokens_come_first_and_in_order(shipped):
    assert list(shipped.special) == [
        "<pad>", "<halt>", "<goal>", "<missing>", "<facts>", "<knowledge>", "<found>", "<gaps>",
        "<observation>", "<recent>", "<step>", "<item>", "<candidate>", "<slot>",
        *(f"<term{number}>" for number in range(1, 13)), *(f"<doc{number}>" for number in range(1, 17)),
    ]  # fmt: skip
    assert list(shipped.special.values()) == list(range(42))
    assert (PAD_ID, FIRST_TEXT_ID, len(TERMS), len(DOCUMENTS)) == (0, 42, 12, 16)


def test_it_has_a_thousand_entries_of_which_256_are_bytes(shipped):
    assert shipped.capabilities.vocab_size == 1000
    assert shipped.capabilities.max_token_id == 999
    raw = b"\x00\x09 !/Az\xc3\xa9\xff"
    single = {shipped.encode(chr(byte))[0] for byte in raw if byte < 0x80}
    assert single <= set(range(42, 298))
    assert {number for number in shipped.encode("\U0010fffd") if number >= 298} == set()


def test_digits_of_numbers_and_punctuation_stay_apart(shipped):
    pieces = [shipped.decode([number]) for number in shipped.encode(" rank=12 (4/40)")]
    assert "".join(pieces) == " rank=12 (4/40)"
    assert pieces[0] == " rank="
    assert [piece for piece in pieces if piece.strip(string.digits + string.punctuation + " ") == ""] == [
        "1", "2", " ", "(", "4", "/", "4", "0", ")",
    ]  # fmt: skip


def test_what_is_built_says_what_was_described(shipped):
    built = build_tokenizer(TokenizerSettings(), {}, aegis.Runtime(SHIPPED, SHIPPED))

    assert built.capabilities == describe_tokenizer(TokenizerSettings()) == shipped.capabilities
    assert built.capabilities.unverified == ()
    assert 1.0 < built.capabilities.characters_per_token < 4.0


def test_another_layout_is_another_fingerprint(shipped, monkeypatch):
    monkeypatch.setattr(tokenizer_facts, "LAYOUT_VERSION", 2)

    assert describe_tokenizer(TokenizerSettings()).fingerprint != shipped.capabilities.fingerprint


def test_it_is_saved_byte_by_byte_and_opens_again_as_the_same(shipped, tmp_path):
    shipped.save(tmp_path)
    again = open_tokenizer(tmp_path / "tokenizer.json")

    assert (tmp_path / "tokenizer.json").read_bytes() == SHIPPED.read_bytes()
    assert again.capabilities.fingerprint == shipped.capabilities.fingerprint


def test_the_shipped_file_is_small():
    assert SHIPPED.stat().st_size < 200_000
