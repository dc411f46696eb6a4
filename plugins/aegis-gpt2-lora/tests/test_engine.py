"""Decisions: valid, normalised, exact, in any order."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

import aegis
from aegis.contracts.view import Recent, Seen, View
from aegis.neural import TextItem

# Any text at all, and text that means something to a tokenizer or to a view.
_TEXT = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["<|endoftext|>", "a\nnext: finish", "goal: x | y", "\ud800", "…", "\\p"]),
)
_REF = st.from_regex(r"[a-z0-9]{1,6}", fullmatch=True)
_VIEWS = st.builds(
    View,
    goal=_TEXT,
    step=st.integers(1, 40),
    limit=st.integers(0, 40),
    missing=st.lists(_TEXT, max_size=4).map(tuple),
    found=st.lists(st.builds(Seen, _REF, _TEXT), max_size=6).map(tuple),
    recent=st.lists(st.builds(Recent, _TEXT, st.just("ok"), st.integers(-3, 9)), max_size=3).map(
        tuple
    ),
)
_ACTIONS = st.builds(
    aegis.Action,
    st.sampled_from(["search", "read", "finish"]),
    st.dictionaries(_REF, st.one_of(_TEXT, st.integers()), max_size=2),
    about=_TEXT,
    signals=st.dictionaries(_REF, st.integers(0, 9), max_size=2),
)


def naive(engine, view, candidates):
    """Return log-probabilities from one full forward a candidate, in float64 after the logits."""
    prompt = list(engine.encoding.prompt(view).ids)
    scores = []
    for action in candidates:
        ids = engine.encoding.candidate(action)
        logits = forward(engine, [*prompt, *ids]).double().log_softmax(-1)
        each = [float(logits[len(prompt) + i - 1, token]) for i, token in enumerate(ids)]
        scores.append(sum(each) / len(each))
    return np.array(scores) - np.logaddexp.reduce(scores)


def forward(engine, ids):
    """Return logits (T, V) of a text read in one piece, without any memory."""
    with torch.inference_mode():
        out = engine.module(torch.tensor([ids]))
        return engine.module.head(out[0][0]) if isinstance(out, tuple) else out.logits[0]


@given(view=_VIEWS, candidates=st.lists(_ACTIONS, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_every_decision_is_finite_and_normalised_whatever_the_view_holds(mini, view, candidates):
    scores = mini.score(view, candidates)

    assert scores.shape == (len(candidates),)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert abs(np.logaddexp.reduce(scores)) < 1e-9


@given(order=st.permutations(range(5)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_candidates_does_not_matter(mini, view, candidates, order):
    shuffled = mini.score(view, [candidates[i] for i in order])

    np.testing.assert_allclose(shuffled, mini.score(view, candidates)[list(order)], atol=1e-6)


def test_scores_equal_one_full_forward_a_candidate(engine_of, tiny_folder, mini, view, candidates):
    for engine in (engine_of(tiny_folder), mini):
        expected = naive(engine, view, candidates)
        assert np.ptp(expected) > 0.05
        np.testing.assert_allclose(engine.score(view, candidates), expected, atol=1e-5)


def test_a_llama_folder_is_served_exactly(engine_of, shared, view, candidates):
    engine = engine_of(shared / "stories260k")

    assert engine.encoding.prompt(view).ids[0] == 1  # Llama reads <s> first
    expected = naive(engine, view, candidates)
    np.testing.assert_allclose(engine.score(view, candidates), expected, atol=1e-5)


def test_a_llama_folder_writes_and_trains_on_what_it_serves(engine_of, shared, view, candidates):
    engine = engine_of(shared / "stories260k", max_text_tokens=6)

    written = engine.write(view, candidates[3], "text")
    log_probability = engine.text_log_probabilities([TextItem(view, candidates[3], written.text)])
    rows, _ = engine.log_probabilities([(view, candidates)])
    rows[0, 0].backward()

    assert log_probability.item() == pytest.approx(written.log_probability, abs=1e-3)
    np.testing.assert_allclose(rows[0].detach(), engine.score(view, candidates), atol=1e-5)
    assert any(w.grad is not None and w.grad.any() for w in engine.module.parameters())


def test_the_sum_of_log_probabilities_is_another_score(engine_of, tiny_folder, view, candidates):
    mean = engine_of(tiny_folder).score(view, candidates)
    total = engine_of(tiny_folder, score="sum").score(view, candidates)

    assert int(total.argmax()) == 4  # "finish" is by far the shortest
    assert np.abs(mean - total).max() > 1


def test_score_batch_equals_score(mini, view, candidates):
    items = [(view, candidates), (view, candidates[:2]), (View(goal="x"), candidates[2:])]

    for row, (shown, offered) in zip(mini.score_batch(items), items, strict=True):
        np.testing.assert_array_equal(row, mini.score(shown, offered))


def test_no_candidates_have_no_scores(mini, view):
    assert mini.score(view, ()).shape == (0,)


def test_trainers_see_the_served_scores_with_a_graph(engine_of, tiny_folder, view, candidates):
    engine = engine_of(tiny_folder)
    rows, mask = engine.log_probabilities([(view, candidates), (View(goal="x"), candidates[:2])])

    assert mask.tolist() == [[True] * 5, [True, True, False, False, False]]
    assert torch.isneginf(rows[~mask]).all()
    np.testing.assert_allclose(rows[0].detach(), engine.score(view, candidates), atol=1e-5)


def test_the_gradient_is_that_of_the_scores(engine_of, tiny_folder, view, candidates):
    engine = engine_of(tiny_folder)
    weight = engine.module.transformer["h"][0].attn.c_attn.weight
    engine.log_probabilities([(view, candidates)])[0][0, 1].backward()
    direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    slope = float((weight.grad * direction).sum())

    values = []
    for step in (1e-3, -1e-3):
        with torch.no_grad():
            weight.add_(step * direction)
        values.append(naive(engine, view, candidates)[1])
        with torch.no_grad():
            weight.sub_(step * direction)

    assert slope == pytest.approx((values[0] - values[1]) / 2e-3, rel=0.02)


def test_a_change_of_the_weights_in_place_is_served_at_once(
    engine_of, tiny_folder, view, candidates
):
    engine = engine_of(tiny_folder)
    before = engine.score(view, candidates)
    with torch.no_grad():
        engine.module.transformer["wpe"].weight.mul_(-1)

    after = engine.score(view, candidates)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after, naive(engine, view, candidates), atol=1e-5)


def test_a_view_longer_than_the_context_is_cut_and_counted(engine_of, tiny_folder, candidates):
    engine = engine_of(tiny_folder)
    long = View(goal="Understand attention", step=3, facts=tuple(f"fact {i}" for i in range(300)))

    scores = engine.score(long, candidates)

    assert engine.views_cut == 1
    assert abs(np.logaddexp.reduce(scores)) < 1e-9


def test_saved_and_opened_again_it_decides_the_same(engine_of, mini, tmp_path, view, candidates):
    mini.save(tmp_path)
    again = engine_of(checkpoint=tmp_path)

    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "config.json", "model.safetensors", "tokenizer.json",
    ]  # fmt: skip
    np.testing.assert_array_equal(again.score(view, candidates), mini.score(view, candidates))
    assert again.capabilities.weights != mini.capabilities.weights  # float32 on disk now
    assert again.capabilities.tokenizer_fingerprint == mini.capabilities.tokenizer_fingerprint


def test_a_llama_model_is_saved_as_safetensors_and_opened_again(
    engine_of, shared, tmp_path, view, candidates
):
    engine = engine_of(shared / "stories260k")
    engine.save(tmp_path)

    again = engine_of(tmp_path)
    np.testing.assert_array_equal(again.score(view, candidates), engine.score(view, candidates))


def test_a_closed_engine_has_no_weights_left(engine_of, tiny_folder, view, candidates):
    engine = engine_of(tiny_folder)
    engine.close()

    assert list(engine.module.parameters()) == []
    with pytest.raises(RuntimeError, match="closed"):
        engine.score(view, candidates)


def test_gpt2_of_124m_weights_with_the_real_vocabulary(shared, view, candidates):
    from transformers.models.gpt2.modeling_gpt2 import GPT2Config, GPT2LMHeadModel

    from aegis_gpt2_lora.encoding import Encoding
    from aegis_gpt2_lora.engine import GptEngine
    from aegis_gpt2_lora.gpt2 import Gpt2, Shape
    from aegis_gpt2_lora.gpt2_model import Gpt2Model, loaded
    from aegis_gpt2_lora.settings import EngineSettings
    from aegis_gpt2_lora.tokenizer import FolderTokenizer

    torch.manual_seed(0)
    reference = GPT2LMHeadModel(GPT2Config()).eval()
    tokenizer = FolderTokenizer(shared / "gpt2-tokenizer" / "tokenizer.json", 3.0)
    assert tokenizer.encode("Hello world") == [15496, 995]
    with torch.device("meta"):
        module = Gpt2(Shape())
    module.load_state_dict(loaded(reference.state_dict().items()), assign=True)
    engine = GptEngine(
        model=Gpt2Model(module.eval()),
        tokenizer=tokenizer,
        encoding=Encoding(tokenizer, 1024),
        capabilities=aegis.EngineCapabilities(kind="causal-lm", embedding_rows=50257),
        settings=EngineSettings(max_text_tokens=3),
    )
    chosen = candidates[:2]

    assert sum(w.numel() for w in module.parameters()) == 124_439_808
    prompt = list(engine.encoding.prompt(view).ids)
    scores = []
    for action in chosen:
        ids = engine.encoding.candidate(action)
        with torch.inference_mode():
            logits = reference(torch.tensor([prompt + ids])).logits[0].double().log_softmax(-1)
        scores.append(
            sum(float(logits[len(prompt) + i - 1, t]) for i, t in enumerate(ids)) / len(ids)
        )
    expected = np.array(scores) - np.logaddexp.reduce(scores)
    np.testing.assert_allclose(engine.score(view, chosen), expected, atol=1e-5)
    written = engine.write(view, candidates[3], "text")
    assert math.isfinite(written.log_probability)
    assert 1 <= written.tokens <= 3


def test_adapters_attach_to_the_modules_that_the_manifest_names(
    engine_of, tiny_folder, view, candidates
):
    from peft import LoraConfig, inject_adapter_in_model

    engine = engine_of(tiny_folder)
    before = engine.score(view, candidates)
    targets = sorted(engine.capabilities.adapters)
    inject_adapter_in_model(LoraConfig(r=2, target_modules=targets), engine.module)
    engine.log_probabilities([(view, candidates)])[0][0, 0].backward()
    trained = {name for name, w in engine.module.named_parameters() if w.grad is not None}

    np.testing.assert_allclose(engine.score(view, candidates), before, atol=1e-6)
    assert targets == ["c_attn", "c_fc", "c_proj"]
    assert len(trained) == 2 * 2 * 4  # two matrices, two layers, four projections
    assert all(".lora_" in name for name in trained)
