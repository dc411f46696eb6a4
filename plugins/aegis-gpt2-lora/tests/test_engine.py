"""Decisions: valid, normalised, exact, in any order."""

from __future__ import annotations

import gc
import math
import weakref

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

import aegis
from aegis.contracts.view import Recent, Seen, View
from aegis.neural import TextItem
from aegis_gpt2_lora.language_model import Prefix
from aegis_gpt2_lora.reading import Reader

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


INSTRUCTIONS = "Choose what helps most to understand the goal.\nRead what is new."


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
    items = [
        (view, candidates),
        (view, candidates[:2]),
        (view, ()),
        (View(goal="x"), candidates[2:]),
    ]

    for row, (shown, offered) in zip(mini.score_batch(items), items, strict=True):
        np.testing.assert_allclose(row, mini.score(shown, offered), atol=1e-5)


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


def test_what_the_last_decision_left_out_is_remarked(engine_of, tiny_folder, view, candidates):
    engine = engine_of(tiny_folder)
    facts = tuple(f"fact {i}" for i in range(300))
    long = View(goal="Understand attention", step=3, facts=facts)
    assert dict(engine.remarks) == {}

    engine.score(long, candidates)
    text = engine.tokenizer.decode(engine.encoding.prompt(long).ids)
    left = sum(f"{fact} |" in f"{text.splitlines()[1]} |" for fact in facts)
    assert 0 < left < 300
    assert dict(engine.remarks) == {"cut": 300 - left}

    engine.score_batch([(view, candidates)])
    engine.write(view, candidates[3], "text")
    assert dict(engine.remarks) == {"cut": 300 - left}  # it is about `score`
    engine.score(view, candidates)
    assert dict(engine.remarks) == {}
    engine.score(long, candidates)
    engine.score(long, ())
    assert dict(engine.remarks) == {}


def test_layers_that_adapters_were_merged_into_are_served_at_once(
    engine_of, tiny_folder, view, candidates
):
    from aegis_gpt2_lora.adapter import merge
    from aegis_gpt2_lora.adapter_file import Pair

    engine = engine_of(tiny_folder, instructions=INSTRUCTIONS)
    before = engine.score(view, candidates)
    pair = Pair(torch.full((2, 12), 0.3), torch.arange(72.0).view(36, 2) / 72)
    merge(engine.module, {"transformer.h.1.attn.c_attn": pair}, 2.0)

    after = engine.score(view, candidates)
    assert np.abs(after - before).max() > 1e-3
    # Merged weights of up to 1.2 in place of 0.02: rounding grows with what is summed up.
    np.testing.assert_allclose(after, naive(engine, view, candidates), atol=3e-5)


def test_exchanged_weights_are_served_at_once(engine_of, tiny_folder, view, candidates):
    engine = engine_of(tiny_folder, instructions=INSTRUCTIONS)
    before = engine.score(view, candidates)
    state = {name: weight * 0.5 for name, weight in engine.module.state_dict().items()}
    engine.module.load_state_dict(state, assign=True)

    after = engine.score(view, candidates)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after, naive(engine, view, candidates), atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 24])
def test_any_number_of_candidates_is_scored_exactly(engine_of, tiny_folder, view, count):
    engine = engine_of(tiny_folder)
    many = [
        aegis.Action("search_library", {"query": f"rank {i}"}, signals={"terms": i})
        for i in range(count)
    ]

    expected = naive(engine, view, many)
    np.testing.assert_allclose(engine.score(view, many), expected, atol=1e-5)


def test_instructions_stand_before_every_view(engine_of, tiny_folder, view, candidates):
    engine = engine_of(tiny_folder, instructions=INSTRUCTIONS)
    text = engine.tokenizer.decode(engine.encoding.prompt(view).ids)

    assert text == f"{INSTRUCTIONS}\n{view.render()}\nnext:"
    scores = engine.score(view, candidates)
    np.testing.assert_allclose(scores, naive(engine, view, candidates), atol=1e-5)
    (batched,) = engine.score_batch([(view, candidates)])
    np.testing.assert_allclose(batched, scores, atol=1e-5)
    rows, _ = engine.log_probabilities([(view, candidates)])
    np.testing.assert_allclose(rows[0].detach(), scores, atol=1e-5)
    assert np.abs(scores - engine_of(tiny_folder).score(view, candidates)).max() > 1e-3


@pytest.mark.parametrize("model", ["mini", "llama"])
def test_what_was_read_before_changes_no_bit(engine_of, shared, view, candidates, model):
    where = {"mini": "builtin:mini", "llama": shared / "stories260k"}[model]
    cold = engine_of(where, instructions=INSTRUCTIONS).score(view, candidates)
    engine = engine_of(where, instructions=INSTRUCTIONS)

    engine.score(View(goal="something else", missing=("a", "b")), candidates[:2])
    np.testing.assert_array_equal(engine.score(view, candidates), cold)
    engine.write(view, candidates[3], "text")
    np.testing.assert_array_equal(engine.score(view, candidates), cold)
    engine.score_batch([(View(goal="x"), candidates)] * 3)
    np.testing.assert_array_equal(engine.score(view, candidates), cold)


def test_whole_actions_have_the_mean_log_probability_of_their_tokens(
    engine_of, tiny_folder, view, candidates
):
    engine = engine_of(tiny_folder, instructions="Choose well.")
    items = [(view, candidates[0]), (View(goal="x"), candidates[4])]
    expected = []
    for shown, action in items:
        prompt, line = engine.encoding.prompt(shown).ids, engine.encoding.candidate(action)
        logits = forward(engine, [*prompt, *line]).double().log_softmax(-1)
        places = range(len(prompt) - 1, len(prompt) + len(line) - 1)
        expected.append(float(logits[list(places), line].mean()))

    with torch.inference_mode():
        served = engine.action_log_probabilities(items)
    trained = engine.action_log_probabilities(items)
    trained.sum().backward()

    assert served.tolist() == pytest.approx(expected, abs=1e-5)
    assert trained.tolist() == pytest.approx(expected, abs=1e-5)
    assert engine.module.embedding.grad.abs().max() > 0


def test_a_long_view_keeps_the_instructions(engine_of, tiny_folder, candidates):
    engine = engine_of(tiny_folder, instructions=INSTRUCTIONS)
    long = View(goal="Understand attention", step=3, facts=tuple(f"fact {i}" for i in range(300)))
    ids = engine.encoding.prompt(long).ids

    assert engine.tokenizer.decode(ids).startswith(f"{INSTRUCTIONS}\ngoal: Understand attention")
    assert len(ids) + engine.encoding.reserve <= 256
    assert abs(np.logaddexp.reduce(engine.score(long, candidates))) < 1e-9


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


def alive():
    """Return what holds keys and values, of any engine."""
    gc.collect()
    return {id(thing): thing for thing in gc.get_objects() if type(thing) in (Reader, Prefix)}


def test_a_closed_engine_gives_its_memory_back(engine_of, tiny_folder, view, candidates):
    before = set(alive())
    engine = engine_of(tiny_folder, instructions=INSTRUCTIONS)
    engine.write(view, candidates[3], "text")
    weights = weakref.ref(engine.module.embedding)
    assert len(set(alive()) - before) == 3  # the reader, the instructions, the view

    engine.close()

    assert set(alive()) == before
    assert weights() is None
    assert list(engine.module.parameters()) == []
    with pytest.raises(RuntimeError, match="closed"):
        engine.score(view, candidates)


def test_gpt2_of_124m_weights_with_the_real_vocabulary(shared, view, candidates):
    from transformers.models.gpt2.modeling_gpt2 import GPT2Config, GPT2LMHeadModel

    from aegis.neural import FileTokenizer
    from aegis_gpt2_lora.encoding import Encoding
    from aegis_gpt2_lora.engine import GptEngine
    from aegis_gpt2_lora.gpt2 import Gpt2, Shape
    from aegis_gpt2_lora.gpt2_model import Gpt2Model, loaded
    from aegis_gpt2_lora.settings import EngineSettings

    torch.manual_seed(0)
    reference = GPT2LMHeadModel(GPT2Config()).eval()
    tokenizer = FileTokenizer(shared / "gpt2-tokenizer" / "tokenizer.json", 3.0)
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

    np.testing.assert_allclose(engine.score(view, candidates), before, atol=1e-5)
    assert targets == ["c_attn", "c_fc", "c_proj"]
    assert len(trained) == 2 * 2 * 4  # two matrices, two layers, four projections
    assert all(".lora_" in name for name in trained)
