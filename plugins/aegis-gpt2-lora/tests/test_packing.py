"""Trees in one stream: what is shared, and the same loss and gradients as one row each."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from aegis.errors import ModelError
from aegis_gpt2_lora.gpt2 import Gpt2, Shape
from aegis_gpt2_lora.gpt2_model import Gpt2Model
from aegis_gpt2_lora.packed_model import PackedModel
from aegis_gpt2_lora.packing import Tree, pack

SHAPE = Shape(vocab_size=61, n_positions=320, n_embd=24, n_layer=3, n_head=3)
TARGETS = ("c_attn", "attn.c_proj", "mlp.c_proj")
EXACT = 1e-10  # relative error in float64


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Keep threads from waiting for each other over tensors this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def drawn_model(shape=SHAPE, dtype=torch.float64):
    """Return a GPT-2 whose weights are large enough for every part of the arithmetic to show."""
    module = Gpt2(shape).initialise(torch.Generator().manual_seed(3)).requires_grad_(False)
    for weight in module.parameters():
        weight.mul_(5).add_(0.05)
    return module.to(dtype)


def drawn_ids(count, seed):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(0, SHAPE.vocab_size, (count,), generator=generator).tolist())


def adapted(module, *, p=0.0, targets=TARGETS, size=0.3, **settings):
    """Return the module with drawn adapters, B included, wrapped in place."""
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=4, lora_alpha=6, lora_dropout=p, target_modules=list(targets), **settings)
    inject_adapter_in_model(config, module)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if "lora_" in name:
                weight.normal_(0.0, size, generator=generator)
    return module.to(module.embedding.dtype)


def gradients(module):
    return {n: w.grad.clone() for n, w in module.named_parameters() if w.grad is not None}


def naive(module, trees):
    """Return what `logits` returns, by one full forward pass a branch."""
    rows = [(tree.prompt, branch) for tree in trees for branch in tree.branches]
    hidden = [
        module(torch.tensor([prompt + branch]))[0][0, len(prompt) - 1 : -1]
        for prompt, branch in rows
    ]
    return module.head(torch.cat(hidden)), torch.tensor([t for _, b in rows for t in b])


def relative(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


# What is shared


def test_tokens_of_one_tree_follow_its_prompt_and_leave_out_what_nobody_reads():
    stream = pack([Tree((1, 2), ((3, 4, 5), (6,), (3, 7)))])

    assert stream.ids.tolist() == [1, 2, 3, 4, 3]
    assert stream.positions.tolist() == [0, 1, 2, 3, 2]
    assert stream.wanted.tolist() == [1, 2, 3, 4]
    assert stream.rows.tolist() == [0, 1, 2, 0, 0, 3]
    assert stream.targets.tolist() == [3, 4, 5, 6, 3, 7]


def test_equal_prompts_stand_in_the_stream_once():
    prompt = drawn_ids(9, 0)
    stream = pack([Tree(prompt, ((1,),)), Tree(prompt, ((2, 3),)), Tree(prompt, ((1,),))])

    assert stream.ids.tolist() == [*prompt, 2]
    assert stream.rows.tolist() == [0, 0, 1, 0]
    assert stream.targets.tolist() == [1, 2, 3, 1]


def test_prompts_that_begin_alike_share_at_every_level():
    every, pair = drawn_ids(20, 1), drawn_ids(30, 2)
    prompts = [every + pair + (1, 2), (*every, 3, 4), every + pair + (4,), every + pair]
    stream = pack([Tree(prompt, ((5,),)) for prompt in prompts])

    assert len(stream.ids) == 20 + 30 + 2 + 2 + 1


def test_a_beginning_too_short_to_pay_is_not_shared_but_a_longer_one_below_it_is():
    long = drawn_ids(40, 3)
    prompts = [(7, 8, *long, 1), (7, 8, *long, 2), (7, 9)]
    stream = pack([Tree(prompt, ((5,),)) for prompt in prompts])

    assert len(stream.ids) == 2 + 40 + 1 + 1 + 2


def test_units_cover_the_stream_and_end_with_their_own_tokens():
    shared = drawn_ids(50, 4)
    trees = [
        Tree(shared + drawn_ids(250, 5), tuple(drawn_ids(n, n) for n in range(1, 30))),
        Tree(shared + drawn_ids(10, 6), (drawn_ids(200, 7),)),
    ]
    stream = pack(trees)

    assert stream.units[0].start == 0
    assert stream.units[-1].stop == len(stream.ids)
    for unit, following in zip(stream.units, stream.units[1:], strict=False):
        assert unit.stop == following.start
    for unit in stream.units:
        assert unit.stop - unit.start <= 128
        assert unit.keys[-1][1] == unit.stop
        assert unit.mask.shape == (unit.stop - unit.start, sum(b - a for a, b in unit.keys))
        # Each token looks at as many tokens as stand before it in its own tree, and at itself.
        assert torch.equal(
            unit.mask.isfinite().sum(-1), stream.positions[unit.start : unit.stop] + 1
        )


@pytest.mark.parametrize(("prompt", "branches"), [((), ((1,),)), ((1,), ()), ((1,), ((2,), ()))])
def test_a_tree_without_tokens_is_refused(prompt, branches):
    with pytest.raises(ValueError, match="at least one token"):
        Tree(prompt, branches)


# The same numbers

BATCHES = {
    "texts": [Tree(drawn_ids(5 + 9 * n, n), (drawn_ids(3 + n, 40 + n),)) for n in range(6)],
    "texts that begin alike": [
        Tree(drawn_ids(40, 0) + drawn_ids(5 + 7 * n, n), (drawn_ids(3 + n, 40 + n),))
        for n in range(6)
    ],
    "choices": [
        Tree(drawn_ids(150, n), tuple(drawn_ids(1 + k % 9, 50 * n + k) for k in range(18)))
        for n in (1, 2)
    ],
    "equal prompts and branches of one token": [
        Tree(drawn_ids(30, 8), ((1,), (1,), (2, 3))),
        Tree(drawn_ids(30, 8), ((4,),)),
        Tree((9,), ((3,),)),
    ],
}


@pytest.fixture(params=BATCHES.values(), ids=BATCHES.keys())
def trees(request):
    return request.param


def test_without_adapters_logits_are_those_of_the_plain_model(trees):
    module = drawn_model().requires_grad_(True)
    model = PackedModel(module)
    logits, targets = model.logits(trees, training=True)
    expected, ids = naive(module, trees)

    assert torch.equal(targets, ids)
    assert relative(logits, expected) < EXACT
    assert not logits.requires_grad
    assert not model.log_probabilities(trees, training=True).requires_grad


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
@pytest.mark.parametrize(("dtype", "exact"), [(torch.float64, EXACT), (torch.float32, 1e-5)])
def test_loss_and_gradients_are_those_of_transformers_and_peft_on_the_padded_batch(
    trees, dtype, exact
):
    from peft import LoraConfig, get_peft_model
    from transformers import GPT2Config, GPT2LMHeadModel

    module = Gpt2(SHAPE).initialise(torch.Generator().manual_seed(3)).to(dtype)
    theirs = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=SHAPE.vocab_size,
            n_positions=SHAPE.n_positions,
            n_embd=SHAPE.n_embd,
            n_layer=SHAPE.n_layer,
            n_head=SHAPE.n_head,
        )
    ).to(dtype)
    tensors = Gpt2Model(module).tensors()
    theirs.load_state_dict({**tensors, "lm_head.weight": tensors["transformer.wte.weight"]})
    config = {"r": 4, "lora_alpha": 6, "lora_dropout": 0.0}
    wrapped = get_peft_model(
        theirs,
        LoraConfig(
            target_modules=["c_attn", "c_proj"],
            fan_in_fan_out=True,
            task_type="CAUSAL_LM",
            **config,
        ),
    ).eval()
    adapted(module, size=0.1)
    their_weights = {n.removeprefix("base_model.model."): w for n, w in wrapped.named_parameters()}
    adapters = {n: w for n, w in module.named_parameters() if "lora_" in n}
    assert len(adapters) == SHAPE.n_layer * 3 * 2
    with torch.no_grad():
        for name, weight in adapters.items():
            their_weights[name].copy_(weight)

    rows = [(tree.prompt, branch) for tree in trees for branch in tree.branches]
    longest = max(len(prompt + branch) for prompt, branch in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    labels = torch.full_like(ids, -100)
    for row, (prompt, branch) in enumerate(rows):
        end = len(prompt + branch)
        ids[row, :end] = torch.tensor(prompt + branch)
        labels[row, len(prompt) : end] = torch.tensor(branch)
    real = torch.arange(longest) < torch.tensor([[len(p + b)] for p, b in rows])
    logits = wrapped(input_ids=ids, attention_mask=real.long()).logits[:, :-1]
    expected = F.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
    expected.backward()

    model = PackedModel(module)
    for loss in (
        F.cross_entropy(*model.logits(trees, training=True)),
        -model.log_probabilities(trees, training=True).mean(),
    ):
        module.zero_grad()
        loss.backward()
        assert loss.item() == pytest.approx(expected.item(), rel=exact)
        found = torch.cat([weight.grad.flatten() for weight in adapters.values()])
        want = torch.cat([their_weights[name].grad.flatten() for name in adapters])
        assert relative(found, want) < exact


def test_base_weights_get_no_gradient_and_stay_as_they_are():
    module = adapted(drawn_model()).requires_grad_(True)
    before = {name: weight.clone() for name, weight in module.named_parameters()}
    PackedModel(module).log_probabilities(BATCHES["choices"], training=True).sum().backward()

    assert set(gradients(module)) == {name for name in before if "lora_" in name}
    for name, weight in module.named_parameters():
        assert torch.equal(weight, before[name])


@pytest.mark.parametrize(
    "targets",
    [
        ("c_attn",),
        ("c_fc",),
        ("attn.c_proj", "mlp.c_fc"),
        ("c_attn", "c_proj", "c_fc"),
        ("h.2.attn.c_attn", "h.1.mlp.c_proj"),
    ],
    ids=" and ".join,
)
def test_any_layers_may_be_adapted(targets):
    trees = BATCHES["texts that begin alike"]
    module = adapted(drawn_model(), targets=targets)
    F.cross_entropy(*naive(module, trees)).backward()
    expected = gradients(module)
    module.zero_grad()
    F.cross_entropy(*PackedModel(module).logits(trees, training=True)).backward()
    found = gradients(module)

    assert found.keys() == expected.keys()
    assert all(relative(found[name], expected[name]) < EXACT for name in expected)


def test_an_adapter_that_is_switched_off_counts_for_nothing():
    module = adapted(drawn_model())
    for layer in module.modules():
        if hasattr(layer, "enable_adapters"):
            layer.enable_adapters(False)
    logits, _ = PackedModel(module).logits(BATCHES["texts"], training=True)

    assert relative(logits, naive(drawn_model(), BATCHES["texts"])[0]) < EXACT


@pytest.mark.parametrize("setting", [{"use_dora": True}, {"lora_bias": True}])
def test_a_variant_of_lora_is_refused(setting):
    module = adapted(drawn_model(), **setting)
    with pytest.raises(ModelError, match="adapter-unsupported"):
        PackedModel(module).logits(BATCHES["texts"], training=False)


def test_a_merged_adapter_is_refused():
    module = adapted(drawn_model())
    for layer in module.modules():
        if hasattr(layer, "merge"):
            layer.merge()
    with pytest.raises(ModelError, match="adapter-unsupported"):
        PackedModel(module).logits(BATCHES["texts"], training=False)


def test_other_activations_are_those_of_the_model():
    shape = Shape(
        vocab_size=61, n_positions=320, n_embd=24, n_layer=2, n_head=3, activation_function="relu"
    )
    module = drawn_model(shape)
    logits, _ = PackedModel(module).logits(BATCHES["texts"], training=False)

    assert relative(logits, naive(module, BATCHES["texts"])[0]) < EXACT


# Dropout


def losses(module, trees, seeds, *, training=True):
    values = []
    for seed in seeds:
        model = PackedModel(module, torch.Generator().manual_seed(seed))
        values.append(model.log_probabilities(trees, training=training).mean())
    return values


def test_dropout_depends_on_the_seed_and_on_training_alone():
    module = adapted(drawn_model(), p=0.3)
    first, again, other = losses(module, BATCHES["texts"], (1, 1, 2))
    (serving,) = losses(module, BATCHES["texts"], (1,), training=False)
    (without,) = losses(adapted(drawn_model()), BATCHES["texts"], (1,))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(serving, without)


def test_gradients_under_dropout_are_the_same_at_every_run():
    module = adapted(drawn_model(), p=0.3)
    runs = []
    for _ in range(2):
        module.zero_grad()
        losses(module, BATCHES["choices"], (7,))[0].backward()
        runs.append(gradients(module))

    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_dropout_falls_on_the_adapters_input_and_keeps_its_mean(monkeypatch):
    """With one adapter, in the last sum, what `ln_f` is given is linear in the mask.

    So its mean over draws is the one without dropout, if and only if the mask falls on the input
    of A, and nowhere else, and what is kept is divided by its share.
    """
    monkeypatch.setattr("aegis_gpt2_lora.packed_model._normalised", _last_unchanged)
    shape = Shape(vocab_size=61, n_positions=64, n_embd=12, n_layer=1, n_head=3)
    trees = [Tree(drawn_ids(9, 1), (drawn_ids(30, 2),))]
    plain, dropping = (
        PackedModel(adapted(drawn_model(shape), p=p, targets=("mlp.c_proj",)), generator)
        for p, generator in ((0.0, None), (0.4, torch.Generator().manual_seed(0)))
    )
    draws = torch.stack([dropping.states(trees, training=True).hidden.detach() for _ in range(500)])
    error = draws.std(0) / len(draws) ** 0.5
    away = (draws.mean(0) - plain.states(trees, training=True).hidden.detach()) / error

    assert error.min() > 0
    assert away.abs().max() < 5
    assert away.square().mean().item() == pytest.approx(1.0, abs=0.5)


def _last_unchanged(layer, x):
    """Normalise as the model does, but for the last layer's output: 30 wanted rows."""
    return (
        x
        if len(x) == 30 and x.requires_grad
        else F.layer_norm(x, x.shape[-1:], layer.weight, layer.bias)
    )


# Whatever the trees

ids = st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple)
forests = st.lists(
    st.builds(Tree, ids, st.lists(ids, min_size=1, max_size=4).map(tuple)), min_size=1, max_size=6
)


SMALL = drawn_model(Shape(vocab_size=3, n_positions=24, n_embd=8, n_layer=2, n_head=2))


@settings(max_examples=40, deadline=None)
@given(forests, st.sampled_from([2, 5, 128]), st.sampled_from([1, 4]))
def test_any_forest_has_the_logits_of_one_forward_pass_a_branch(forest, span, worth):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aegis_gpt2_lora.packing._SPAN", span)
        patch.setattr("aegis_gpt2_lora.packing._WORTH", worth)
        model = PackedModel(SMALL)
        logits, targets = model.logits(forest, training=False)
        values = model.log_probabilities(forest, training=False)
    expected, real = naive(SMALL, forest)

    assert torch.equal(targets, real)
    assert relative(logits, expected) < EXACT
    chosen = expected.log_softmax(-1).gather(1, real[:, None])[:, 0]
    assert relative(values, chosen) < EXACT
