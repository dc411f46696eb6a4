"""Whole training's arithmetic: log-probabilities and gradients are those of plain sequences."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from attrs import asdict
from hypothesis import given, settings
from torch.nn import functional as F

from aegis_gpt2_lora.gpt2 import Gpt2, Shape
from aegis_gpt2_lora.gpt2_model import Gpt2Model
from aegis_gpt2_lora.gpt2_trees import Gpt2Trees
from aegis_gpt2_lora.packing import Tree
from aegis_gpt2_lora.padding import pad

SIZES = {"vocab_size": 40, "n_positions": 32, "n_embd": 24, "n_layer": 3, "n_head": 3}
TREES = (
    Tree((1, 2, 3, 4, 5), ((6, 7), (8, 9, 10), (11,))),
    Tree((12,), ((13, 14, 15, 16),)),
    Tree((1, 2, 3), ((4, 5), (4, 5), (4, 6))),  # alike, and beginning alike
)


def made(dtype=torch.float64, **sizes):
    module = Gpt2(Shape(**{**SIZES, **sizes})).initialise(torch.Generator().manual_seed(3), 0.2)
    with torch.no_grad():
        for weight in module.parameters():
            if weight.dim() == 1:
                weight.add_(torch.linspace(-0.2, 0.3, len(weight)))
    return module.to(dtype)


def values(module, trees, *, dropout=0.0, training=False):
    model = Gpt2Trees(module, dropout)
    return model.target_log_probabilities(model.states(trees, training=training))


def reference(module):
    """Return transformers' own GPT-2 with the same weights, in evaluation."""
    from transformers import GPT2Config, GPT2LMHeadModel

    ids = {"bos_token_id": None, "eos_token_id": None}
    model = GPT2LMHeadModel(GPT2Config(**asdict(module.shape), **ids)).double().eval()
    tensors = Gpt2Model(module).tensors()
    model.load_state_dict({**tensors, "lm_head.weight": tensors["transformer.wte.weight"]})
    return model


def in_sequences(model, trees):
    """Return the log-probabilities (M,) by reading each branch behind its own prompt, unpadded."""
    found = []
    for tree in trees:
        for branch in tree.branches:
            ids = torch.tensor([[*tree.prompt, *branch]])
            logits = model(ids).logits[0, len(tree.prompt) - 1 : -1]
            chances = F.log_softmax(logits, -1)
            found += [chances[place, token] for place, token in enumerate(branch)]
    return torch.stack(found)


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu", "silu"])
def test_values_and_all_gradients_are_those_of_transformers(activation):
    module = made(activation_function=activation)
    model = reference(module)
    ours, theirs = values(module, TREES), in_sequences(model, TREES)
    weights = torch.linspace(-1, 2, len(ours), dtype=torch.float64)
    (weights * ours).sum().backward()
    (weights * theirs).sum().backward()

    assert len(ours) == 2 + 3 + 1 + 4 + 6
    torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10)
    turned = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    expected = {name: weight.grad for name, weight in model.named_parameters()}
    for name, weight in module.named_parameters():
        wanted = expected[name].T if name.endswith(turned) else expected[name]
        torch.testing.assert_close(weight.grad, wanted, atol=1e-9, rtol=1e-9)
        assert weight.grad.any(), name


@st.composite
def batches(draw):
    ids = st.integers(0, 39)
    line = st.lists(ids, min_size=1, max_size=4).map(tuple)
    prompt = st.lists(ids, min_size=1, max_size=9).map(tuple)
    tree = st.builds(Tree, prompt, st.lists(line, min_size=1, max_size=4).map(tuple))
    return draw(st.lists(tree, min_size=1, max_size=4))


@given(trees=batches())
@settings(max_examples=40, deadline=None)
def test_what_stands_beside_a_tree_in_a_batch_changes_nothing(trees):
    module = made(n_layer=2, n_embd=12)
    with torch.no_grad():
        together = values(module, trees)
        apart = torch.cat([values(module, [tree]) for tree in trees])
        alone = torch.cat(
            [values(module, [Tree(tree.prompt, (b,))]) for tree in trees for b in tree.branches]
        )

    torch.testing.assert_close(together, apart, atol=1e-11, rtol=1e-11)
    torch.testing.assert_close(together, alone, atol=1e-11, rtol=1e-11)


def test_a_model_of_one_layer_is_computed_too():
    module = made(n_layer=1)

    torch.testing.assert_close(values(module, TREES), in_sequences(reference(module), TREES))


def test_branches_stand_behind_their_prompt_and_see_themselves_and_it():
    padded = pad([Tree((5, 6), ((7, 8, 9), (7, 3))), Tree((1, 2, 3, 4), ((0,),))])

    assert padded.ids.tolist() == [[5, 6, 7, 8, 7], [1, 2, 3, 4, 0]]
    assert padded.positions[0].tolist() == [0, 1, 2, 3, 2]
    seen = (padded.mask[0] == 0).int().tolist()
    assert seen == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 0, 1],
    ]
    assert padded.asking.tolist() == [[1, 2, 3, 4], [3, 0, 0, 0]]
    assert padded.rows.tolist() == [0, 1, 2, 0, 3, 4]
    assert padded.targets.tolist() == [7, 8, 9, 7, 3, 0]


def test_dropout_is_of_training_alone_and_leaves_out_that_share():
    module = made()
    plain = values(module, TREES)
    torch.manual_seed(0)
    first, second = (values(module, TREES, dropout=0.3, training=True) for _ in range(2))
    torch.manual_seed(0)
    again = values(module, TREES, dropout=0.3, training=True)

    assert torch.equal(values(module, TREES, dropout=0.3), plain)
    assert torch.equal(values(module, TREES, training=True), plain)
    assert not torch.allclose(first, plain)
    assert not torch.allclose(first, second)
    assert torch.equal(first, again)


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_what_dropout_leaves_is_scaled_by_its_share(share, monkeypatch):
    """As GPT-2's: the embedding, and what attention and feed-forward layer of each block add."""
    module = made()
    dropped = []
    real = F.dropout

    def watched(x, p, training):
        out = real(x, p, training=training)
        dropped.append(float((out == 0).double().mean()))
        kept = out != 0
        torch.testing.assert_close(out[kept], x[kept] / (1 - p))
        return out

    monkeypatch.setattr(F, "dropout", watched)
    values(module, TREES * 40, dropout=share, training=True)

    assert len(dropped) == 1 + 2 * 3
    assert dropped == pytest.approx([share] * 7, abs=0.04)
