"""Text in slots: one printable line that opens no section, and its log-probability."""

from __future__ import annotations

import re

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

import aegis
from aegis.contracts.view import View
from aegis.errors import ModelError
from aegis.neural import TextItem
from aegis_gpt2_lora.constraints import LineConstraint
from aegis_gpt2_lora.decoding import Decoder

NOTE = aegis.Action("write_note", slot="text")
SECTION = re.compile(
    r"(goal|missing|facts|knowledge|found|gaps|recent|step|next) *:", re.IGNORECASE
)


@given(goal=st.text(min_size=1, max_size=30), tool=st.sampled_from(["write_note", "ask"]))
@settings(max_examples=25, deadline=None)
def test_what_is_written_is_one_printable_line_of_words(mini, goal, tool):
    text = mini.write(View(goal=goal), aegis.Action(tool, slot="text"), "text").text

    assert text == " ".join(text.split())
    assert text.isascii()
    assert text.isprintable()
    assert any(c.isalnum() for c in text)
    assert not set(text) & set("|\\=")
    assert not SECTION.match(text)


def test_the_same_seed_and_view_write_the_same_and_others_do_not(engine_of, tiny_folder, view):
    engine = engine_of(tiny_folder)
    written = engine.write(view, NOTE, "text")

    assert engine.write(view, NOTE, "text") == written
    assert engine_of(tiny_folder, seed=1).write(view, NOTE, "text").text != written.text
    assert engine.write(View(goal="x"), NOTE, "text").text != written.text


@pytest.mark.parametrize("instructions", ["", "Choose well."])
def test_choosing_before_writing_changes_nothing(
    engine_of, tiny_folder, view, candidates, instructions
):
    alone = engine_of(tiny_folder, instructions=instructions).write(view, NOTE, "text")
    many = [aegis.Action("read", {"ref": str(i)}, about=f"Paper {i}") for i in range(24)]
    for offered in (candidates, [NOTE], many):
        engine = engine_of(tiny_folder, instructions=instructions)
        engine.score(view, offered)

        assert engine.write(view, NOTE, "text") == alone
        assert engine.write(view, NOTE, "text") == alone


def test_what_was_read_to_choose_is_not_read_again_to_write(
    engine_of, tiny_folder, view, candidates, monkeypatch
):
    engine = engine_of(tiny_folder, max_text_tokens=3)
    engine.score(view, candidates)
    counted = []
    hidden = Decoder.hidden
    monkeypatch.setattr(
        Decoder,
        "hidden",
        lambda self, ids, *rest: counted.append(len(ids)) or hidden(self, ids, *rest),
    )
    written = engine.write(view, NOTE, "text")

    opening = len(engine.encoding.opening(NOTE, 4))
    assert written.tokens == 3
    assert counted[:3] == [opening, 1, 1]  # and nothing of the view


def test_no_more_tokens_than_the_cap_are_written(engine_of, tiny_folder, view):
    for cap in (1, 4):
        assert (
            1 <= engine_of(tiny_folder, max_text_tokens=cap).write(view, NOTE, "text").tokens <= cap
        )


def test_the_log_probability_is_that_of_the_text_under_the_constraints(
    engine_of, tiny_folder, view
):
    engine = engine_of(tiny_folder, max_text_tokens=5, temperature=1.3)
    written = engine.write(view, NOTE, "text")
    encoding, line = engine.encoding, LineConstraint(engine.tokenizer, 4096, engine.encoding.end)
    ids = encoding.text(written.text)
    targets = ids if len(ids) >= 5 else [*ids, encoding.end]
    before = [*encoding.prompt(view).ids, *encoding.opening(NOTE, 6)]

    total, so_far = 0.0, ""
    for i, target in enumerate(targets):
        with torch.inference_mode():
            hidden, _ = engine.module(torch.tensor([[*before, *targets[:i]]]))
            logits = engine.module.head(hidden[0, -1]) / 1.3
        allowed = line.allowed(so_far).clone()
        allowed[target] = True
        total += float(logits[target] - logits[allowed].logsumexp(0))
        so_far += line.piece(target)

    assert written.log_probability == pytest.approx(total, abs=1e-3)
    given_text = engine.text_log_probabilities([TextItem(view, NOTE, written.text)] * 2)
    assert given_text.tolist() == pytest.approx([total, total], abs=1e-3)


def test_a_trainer_can_make_a_text_more_probable(engine_of, tiny_folder, view):
    engine = engine_of(tiny_folder)
    item = TextItem(view, NOTE, "rank of the adapter")
    optimiser = torch.optim.SGD(engine.module.parameters(), lr=1e-3)
    before = engine.text_log_probabilities([item])
    (-before.sum()).backward()
    optimiser.step()

    assert engine.text_log_probabilities([item]).item() > before.item() + 0.1


def test_the_text_follows_the_words_that_stand_before_its_slot(mini, view):
    about = aegis.Action("ask", {"whom": "user"}, slot="question", about="Prefix tuning … etc.")

    opening = mini.tokenizer.decode(mini.encoding.opening(about, 25))
    assert opening == " ask Prefix tuning … etc."


def test_a_text_may_end_only_after_a_word_has_begun(mini):
    line = LineConstraint(mini.tokenizer, 4096, mini.encoding.end)

    assert not line.allowed("")[mini.encoding.end]
    assert line.allowed(" a")[mini.encoding.end]


def test_the_tokens_of_special_text_and_of_unused_rows_are_never_allowed(mini):
    line = LineConstraint(mini.tokenizer, 5000, mini.encoding.end)
    special = list(mini.tokenizer.capabilities.special_tokens.values())

    for so_far in ("", " a", " a long text so far"):
        allowed = line.allowed(so_far)
        assert not allowed[special].any()
        assert not allowed[4096:].any()


def test_masks_are_made_once(mini):
    line = LineConstraint(mini.tokenizer, 4096, mini.encoding.end)

    for so_far in ("", " go", " GOAL", " a word", " quantile"):
        assert line.allowed(so_far) is line.allowed(so_far)
    assert line.allowed(" a word") is line.allowed(" quantile")
    assert not line.allowed(" goal").equal(line.allowed(" a word"))


def test_a_section_cannot_be_opened_in_several_tokens(mini):
    line = LineConstraint(mini.tokenizer, 4096, mini.encoding.end)
    (colon,) = mini.tokenizer.encode(":")

    assert not line.allowed(" goal")[colon]
    assert not line.allowed(" Next")[colon]
    assert line.allowed(" the goal")[colon]
    assert line.allowed(" goals")[colon]


def test_a_vocabulary_that_begins_no_word_is_refused(mini):
    class Letters:
        capabilities = aegis.TokenizerCapabilities(max_token_id=1)

        def encode(self, text):
            return [0 for _ in text]

        def decode(self, ids):
            return "".join("x" for _ in ids)

    with pytest.raises(ModelError, match="begins a word"):
        LineConstraint(Letters(), 2, 1)
