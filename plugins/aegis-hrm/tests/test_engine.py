"""The engine: valid, normalised, the same alone and in a batch, saved and opened again."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from attrs import evolve
from hypothesis import given, settings

import aegis
from aegis.contracts.shortening import shorten
from aegis.contracts.view import Recent, Seen, View
from aegis.errors import ConfigError
from aegis.neural import FileTokenizer, TextItem
from aegis_hrm import engine as module
from aegis_hrm.facts import describe_engine
from aegis_hrm.settings import DESIGNS, EngineSettings, design_of
from aegis_hrm.special_tokens import SPECIAL_TOKENS

TEXT = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [*SPECIAL_TOKENS[:5], "a\nnext: finish", "x | y", "\ud800", "…", "\\p", "\x00"]
    ),
)
REF = st.from_regex(r"[a-z0-9]{1,6}", fullmatch=True)
VIEWS = st.builds(
    View,
    goal=TEXT,
    step=st.integers(1, 40),
    limit=st.integers(0, 40),
    missing=st.lists(TEXT, max_size=4).map(tuple),
    found=st.lists(st.builds(Seen, REF, TEXT), max_size=6).map(tuple),
    recent=st.lists(st.builds(Recent, TEXT, st.just("ok"), st.integers(-3, 9)), max_size=3).map(
        tuple
    ),
)
ACTIONS = st.builds(
    aegis.Action,
    st.sampled_from(["search", "read", "finish"]),
    st.dictionaries(REF, st.one_of(TEXT, st.integers(), st.lists(REF, max_size=2)), max_size=2),
    slot=st.sampled_from([None, "text"]),
    about=TEXT,
    signals=st.dictionaries(REF, st.integers(0, 9), max_size=2),
)


@pytest.fixture(scope="module")
def engine(engine_of):
    """An engine of the second seed whose decisions take one segment or more, as it comes."""
    engine = engine_of(seed=2)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(1)
        engine.module.score_head.weight.mul_(4)
        engine.module.q_head.weight.normal_(generator=generator)
        engine.module.q_head.bias.zero_()
    return engine


@pytest.fixture(scope="module")
def items(practised, view, candidates):
    return [
        *((choice.view, choice.candidates) for choice in practised),
        (view, ()),
        (view, candidates),
        (View(goal="x"), candidates[:1]),
    ]


# Scores


@given(view=VIEWS, candidates=st.lists(ACTIONS, min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_every_decision_is_finite_and_normalised_whatever_the_view_holds(engine, view, candidates):
    scores = engine.score(view, candidates)

    assert scores.shape == (len(candidates),)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert abs(np.logaddexp.reduce(scores)) < 1e-9
    assert 1 <= engine.remarks["segments"] <= 3


@pytest.mark.parametrize("at_once", [1, 900, 10**6])
def test_many_are_scored_as_each_is_alone(engine, items, at_once, monkeypatch):
    monkeypatch.setattr(module, "_TOKENS_AT_ONCE", at_once)
    found = engine.score_batch(items)

    assert len(found) == len(items)
    for scores, (view, candidates) in zip(found, items, strict=True):
        np.testing.assert_allclose(scores, engine.score(view, candidates), atol=5e-5)
        assert scores.dtype == np.float64
        if len(candidates):
            assert abs(np.logaddexp.reduce(scores)) < 1e-9


def test_a_batch_never_holds_more_tokens_than_it_may(engine, items, monkeypatch):
    sizes = []
    monkeypatch.setattr(module, "_TOKENS_AT_ONCE", 900)
    hook = engine.module.register_forward_pre_hook(
        lambda _, given: sizes.append(given[1].inputs.shape)
    )
    engine.score_batch(items)
    hook.remove()

    assert len(sizes) > 5
    assert all(batch * length <= 900 or batch == 1 for batch, length, _ in sizes)
    assert max(batch for batch, _, _ in sizes) > 1


def test_trainers_see_what_is_served(engine, items):
    some = [item for item in items if item[1]][::5]
    found, mask = engine.log_probabilities(some)

    assert found.requires_grad
    for number, (view, candidates) in enumerate(some):
        count = len(candidates)
        assert mask[number].tolist() == [True] * count + [False] * (mask.shape[1] - count)
        row = found[number].detach()
        np.testing.assert_allclose(row[:count], engine.score(view, candidates), atol=5e-5)
        assert torch.isneginf(row[count:]).all()


def test_the_gradient_is_that_of_the_scores(engine_of, view, candidates):
    """With one segment and a gradient that reaches through all of it."""
    engine = engine_of(segments=1, gradient="full", layers=2, h_cycles=2, l_cycles=2)
    weight = engine.module.L_level.layers[0].self_attn.qkv_proj.weight
    engine.log_probabilities([(view, candidates)])[0][0, 1].backward()
    direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    slope = float((weight.grad * direction).sum())

    values = []
    for step in (1e-3, -1e-3):
        with torch.no_grad():
            weight.add_(step * direction)
        values.append(engine.score(view, candidates)[1])
        with torch.no_grad():
            weight.sub_(step * direction)

    assert abs(slope) > 1e-3
    assert slope == pytest.approx((values[0] - values[1]) / 2e-3, rel=0.05)


def test_no_candidates_have_no_scores(engine, view):
    assert engine.score(view, ()).shape == (0,)
    assert engine.score(view, ()).dtype == np.float64
    assert [scores.shape for scores in engine.score_batch([(view, ()), (view, ())])] == [(0,)] * 2
    assert engine.score_batch([]) == []


def test_it_writes_no_text(engine, view, candidates):
    assert not engine.capabilities.writes_text
    with pytest.raises(TypeError, match="writes no text"):
        engine.text_log_probabilities([TextItem(view, candidates[3], "x")])


def test_a_change_of_the_weights_in_place_is_served_at_once(engine_of, view, candidates):
    engine = engine_of()
    before = engine.score(view, candidates)
    with torch.no_grad():
        engine.module.score_head.weight.mul_(-1)

    assert np.abs(engine.score(view, candidates) - before).max() > 1e-3


# Remarks


def test_what_the_last_decision_took_is_remarked(engine_of, view, candidates):
    engine = engine_of(segments=3, context=256)
    long = View(goal="Understand attention", step=3, facts=tuple(f"fact {i}" for i in range(90)))
    assert dict(engine.remarks) == {}

    engine.score(view, candidates)
    assert dict(engine.remarks) == {"segments": 3.0}  # nothing halts by chance
    engine.score(long, candidates)
    whole = engine_of(context=8192).layout
    left_out = shorten(long, lambda some: whole.row(some, []).tokens <= 256 - 96)[1]
    assert dict(engine.remarks) == {"segments": 3.0, "cut": float(left_out)}
    assert engine.views_cut == 1
    engine.score(long, ())
    assert dict(engine.remarks) == {}
    engine.score(view, candidates)
    engine.score_batch([(long, candidates)])
    assert dict(engine.remarks) == {}  # they would be about one of many
    assert engine.views_cut == 2


def test_remarks_are_no_handle_on_the_engine(engine, view, candidates):
    engine.score(view, candidates)
    engine.remarks["segments"] = 99.0

    assert engine.remarks["segments"] != 99.0


@pytest.mark.parametrize(("halt", "segments"), [(9.0, 1), (-9.0, 3)])
def test_the_halting_head_decides_how_long_a_decision_takes(
    engine_of, view, candidates, halt, segments
):
    engine = engine_of()
    with torch.no_grad():
        engine.module.q_head.bias[0] = halt
    engine.score(view, candidates)

    assert engine.remarks["segments"] == segments


def test_a_plain_transformer_takes_one_segment(engine_of, view, candidates):
    engine = engine_of(hierarchy="plain")
    engine.score(view, candidates)

    assert engine.remarks["segments"] == 1


def test_without_a_setting_a_decision_takes_as_many_segments_as_are_trained(engine_of):
    for preset, design in DESIGNS.items():
        assert engine_of(preset=preset, segments=None).budget.segments == design.training_segments


# Saved and opened


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"hierarchy": "trm"},
        {"hierarchy": "plain"},
        {"positions": "learned", "context": 512},
        {"positions": "none", "q_continue": True},
    ],
)
def test_saved_and_opened_again_it_decides_the_same(engine_of, tmp_path, items, changes):
    engine = engine_of(seed=5, **changes)
    engine.save(tmp_path)
    again = engine_of(seed=6, checkpoint=tmp_path, **changes)

    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()) == [
        "hrm.json", "model.safetensors", "tokenizer/tokenizer.json",
    ]  # fmt: skip
    for view, candidates in items[::4]:
        np.testing.assert_array_equal(again.score(view, candidates), engine.score(view, candidates))
    assert again.capabilities.tokenizer_fingerprint == engine.capabilities.tokenizer_fingerprint
    assert again.capabilities.weights != engine.capabilities.weights
    assert FileTokenizer(tmp_path / "tokenizer" / "tokenizer.json").encode("a view") == (
        engine.tokenizer.encode("a view")
    )


def test_the_same_weights_are_named_the_same(engine_of, tmp_path):
    names = []
    for number, seed in enumerate((1, 1, 2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        engine_of(seed=seed).save(folder)
        names.append(engine_of(checkpoint=folder).capabilities.weights)

    assert names[0] == names[1] != names[2]


def test_another_gradient_and_another_context_are_served_as_well(
    engine_of, tmp_path, view, candidates
):
    engine_of(seed=5, gradient="full").save(tmp_path)
    other = engine_of(checkpoint=tmp_path, gradient="one_step", context=512)

    expected = engine_of(seed=5).score(view, candidates)
    np.testing.assert_array_equal(other.score(view, candidates), expected)


def test_the_seed_decides_fresh_weights(engine_of, view, candidates):
    torch.manual_seed(1)
    one = engine_of(seed=7)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    same, other = engine_of(seed=7), engine_of(seed=8)

    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(one.score(view, candidates), same.score(view, candidates))
    assert np.abs(one.score(view, candidates) - other.score(view, candidates)).max() > 1e-3
    assert one.capabilities.weights == same.capabilities.weights != other.capabilities.weights
    assert one.capabilities.weights.startswith("fresh-")


def test_a_closed_engine_has_no_weights(engine_of, view, candidates):
    engine = engine_of()
    engine.close()

    assert list(engine.module.parameters()) == []


# What it says of itself


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"layers": 2, "h_cycles": 2},
        {"hierarchy": "trm"},
        {"hierarchy": "plain"},
        {"positions": "learned", "context": 300},
        {"embedding_rows": 1200, "expansion": 8.0, "hidden": 32, "heads": 4},
    ],
)
def test_it_is_described_as_it_is_built(engine_of, small, changes):
    built = engine_of(**changes)
    described = describe_engine(EngineSettings(**{**small, **changes}))
    weights = sum(weight.numel() for weight in built.module.parameters())

    assert described.parameters == built.capabilities.parameters == weights
    assert described.memory_bytes == 4 * weights
    assert described.embedding_rows == len(built.module.embed_tokens.embedding_weight)
    assert described.context_length == changes.get("context", 1024)
    assert (described.kind, described.trainable, described.writes_text) == ("hrm", True, False)
    assert built.capabilities.tokenizer_fingerprint == built.layout.fingerprint


def test_settings_reach_from_a_third_of_a_million_weights_to_the_published_size():
    """Counted by hand: a layer has 4 D^2 of attention and 3 D F of SwiGLU; F is 2/3 of 4 D,
    rounded up to 256s. Beside them lie embedding, score head and halting head."""
    least = describe_engine(EngineSettings(hidden=64, heads=4, layers=2, hierarchy="hrm"))
    most = describe_engine(EngineSettings(preset="official"))

    assert least.parameters == 4 * (4 * 64**2 + 3 * 64 * 256) + (1000 + 1 + 2) * 64 + 2
    assert 0.3e6 < least.parameters < 0.35e6
    assert most.parameters == 8 * (4 * 512**2 + 3 * 512 * 1536) + (1000 + 1 + 2) * 512 + 2
    assert 27e6 < most.parameters < 28e6


def test_the_official_preset_has_the_published_layers():
    """arXiv 2506.21734 and its configuration: two modules of 4 layers, N = T = 2, 512 wide."""
    design = design_of(EngineSettings(preset="official"))
    shape = design.shape

    assert (shape.h_layers, shape.l_layers, shape.h_cycles, shape.l_cycles) == (4, 4, 2, 2)
    assert (shape.hidden, shape.heads, shape.expansion) == (512, 8, 4.0)
    assert (shape.hierarchy, shape.gradient, shape.positions) == ("hrm", "one_step", "rope")
    assert (design.q_continue, design.training_segments) == (True, 16)


def test_every_setting_of_the_shape_reaches_it():
    design = design_of(
        EngineSettings(
            embedding_rows=1200, hidden=48, heads=3, layers=3, h_cycles=5, l_cycles=6, expansion=2.5,
            hierarchy="plain", gradient="full", positions="learned", context=777, q_continue=True,
        )
    )  # fmt: skip
    shape = design.shape

    assert design.q_continue
    assert (shape.vocabulary, shape.sequence) == (1200, 777)
    assert (shape.hidden, shape.heads, shape.expansion) == (48, 3, 2.5)
    assert (shape.h_layers, shape.l_layers) == (3, 3)
    assert (shape.h_cycles, shape.l_cycles) == (5, 6)
    assert (shape.hierarchy, shape.gradient) == ("plain", "full")
    assert shape.positions == "learned"


@pytest.mark.parametrize(
    ("wrong", "message", "fix"),
    [
        (
            {"hidden": 20, "heads": 3},
            "no such network can be built: 3 heads do not divide hidden = 20 evenly",
            "choose heads so that hidden / heads is an even number",
        ),
        (
            {"hidden": 18, "heads": 6},
            "no such network can be built: 6 heads do not divide hidden = 18 evenly",
            "choose heads so that hidden / heads is an even number",
        ),
        (
            {"context": 128, "candidate_tokens": 65},
            "candidates of up to 65 tokens leave too little of a context of 128 to the view",
            "set candidate_tokens = 64 or less, or a longer context",
        ),
    ],
)
def test_what_cannot_be_built_is_refused_with_what_to_change(small, wrong, message, fix):
    with pytest.raises(ConfigError) as caught:
        describe_engine(EngineSettings(**{**small, **wrong}))
    (problem,) = caught.value.problems
    assert (problem.message, problem.where, problem.fix) == (message, "[engine.hrm]", fix)


def test_half_of_the_context_is_enough_for_a_candidate(engine_of, candidates):
    engine = engine_of(context=64, candidate_tokens=32)
    words = " ".join(f"{i}." for i in range(99))
    scores = engine.score(View(goal=words), [aegis.Action("read", about=words), *candidates])

    assert abs(np.logaddexp.reduce(scores)) < 1e-9
    assert engine.remarks["cut"] > 0


def test_learned_positions_reach_as_far_as_the_context(engine_of):
    """The longest view and the longest candidate take the last of them."""
    engine = engine_of(positions="learned", context=200, candidate_tokens=50)
    words = " ".join(f"{i}." for i in range(300))
    row = engine.layout.row(View(goal=words), [aegis.Action("read", about=words)])

    assert max(row.positions) == 199 == len(engine.module.embed_pos.embedding_weight) - 1
    assert engine.score(View(goal=words), [aegis.Action("read", about=words)]).tolist() == [0.0]


def test_the_real_vocabulary_has_its_structure_behind_its_own_ids(
    engine_of, real_vocabulary, view, candidates, tmp_path
):
    """A tokenizer without the special tokens gets rows of its own for them, and text makes none."""
    parts = {"tokenizer": FileTokenizer(real_vocabulary)}
    engine = engine_of(parts=parts, embedding_rows=50257)
    row = engine.layout.row(view, candidates)

    structure = [token for token in row.ids if token >= 50257]
    assert structure[:2] == [50257 + SPECIAL_TOKENS.index(name) for name in ("<halt>", "<goal>")]
    assert (
        max(structure)
        < 50257 + len(SPECIAL_TOKENS)
        == len(engine.module.embed_tokens.embedding_weight)
    )
    forged = evolve(view, goal=" ".join(SPECIAL_TOKENS))
    again = engine.layout.row(forged, candidates)
    assert {t for t in again.ids if t >= 50257} <= {*structure, *range(50257 + 14, 50257 + 26)}

    engine.save(tmp_path)
    served = engine_of(parts=parts, embedding_rows=50257, checkpoint=tmp_path)
    assert np.array_equal(served.score(view, candidates), engine.score(view, candidates))
