"""The fast way of reading GPT-2, against transformers' own class with the same weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from aegis_gpt2_lora.decoding import has_plain_layers
from aegis_gpt2_lora.gpt2 import Gpt2, Shape
from aegis_gpt2_lora.gpt2_model import Gpt2Model, loaded
from aegis_gpt2_lora.transformers_model import TransformersModel

SHAPE = {"vocab_size": 300, "n_positions": 512, "n_embd": 24, "n_layer": 3, "n_head": 3}


@pytest.fixture(scope="module")
def reference():
    from transformers.models.gpt2.modeling_gpt2 import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(3)
    model = GPT2LMHeadModel(GPT2Config(**SHAPE)).eval()
    with torch.no_grad():  # large enough for every part of the arithmetic to show
        for weight in model.parameters():
            weight.mul_(3).add_(0.02)
    return model


@pytest.fixture
def model(reference):
    module = Gpt2(Shape(**SHAPE))
    module.load_state_dict(loaded(reference.state_dict().items()), assign=True)
    return Gpt2Model(module.eval())


@pytest.fixture(autouse=True)
def _without_gradients():
    with torch.inference_mode():
        yield


def ids(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 300, (count,), generator=generator).tolist()


def branches(count, length, alike=0):
    """Return branches of up to `length` tokens, the first `alike` of which are the same."""
    start = ids(alike, seed=99)
    return [start + ids(length - alike - i % 3, seed=i) for i in range(count)]


def naive(reference, text, continuations):
    """Return the log-probabilities of each continuation's tokens from a whole forward each."""
    rows = []
    for branch in continuations:
        logits = reference(torch.tensor([text + branch])).logits[0].log_softmax(-1)
        places = range(len(text) - 1, len(text) + len(branch) - 1)
        rows.append(logits[list(places), branch])
    return rows


def assert_equal(found, expected):
    assert len(found) == len(expected)
    for row, other in zip(found, expected, strict=True):
        torch.testing.assert_close(row, other, atol=1e-5, rtol=0)


SETS = {
    "six": branches(6, 6),
    "one": [ids(7)],
    "of one token": [[5], [9], [5]],
    "twenty-four that begin alike": branches(24, 9, alike=3),
    "one inside another": [[4, 5, 6], [4, 5], [4, 5, 6, 7]],
    "more rows than are computed at once": branches(14, 40),
}


@pytest.mark.parametrize("name", SETS)
def test_branches_equal_whole_forwards(reference, model, name):
    text = ids(60, seed=50)

    _, found = model.consider(text, SETS[name])

    assert_equal(found, naive(reference, text, SETS[name]))


@pytest.mark.parametrize("name", SETS)
def test_branches_after_instructions_equal_whole_forwards(reference, model, name):
    shared, text = ids(40, seed=51), ids(25, seed=52)

    prefix, found = model.consider(text, SETS[name], model.read(shared))

    assert prefix.ids == (*shared, *text)
    assert_equal(found, naive(reference, shared + text, SETS[name]))


def test_several_texts_at_once_equal_whole_forwards(reference, model):
    texts = [ids(count, seed=count) for count in (3, 200, 31, 90, 150, 1)]
    items = list(zip(texts, SETS.values(), strict=True))

    for shared in ([], ids(40, seed=51)):
        after = model.read(shared) if shared else None
        found = model.batch(items, after)

        for values, (text, continuations) in zip(found, items, strict=True):
            assert_equal(values, naive(reference, shared + text, continuations))


def test_text_read_token_by_token_equals_a_whole_forward(reference, model):
    text = ids(30, seed=60)
    expected = reference(torch.tensor([text])).logits[0]

    prefix, _ = model.consider(text[:10], branches(6, 6))
    for i in range(10, 30):
        torch.testing.assert_close(prefix.logits, expected[i - 1], atol=1e-4, rtol=0)
        prefix = model.read([text[i]], prefix)
    logits = model.branch(model.read(text[:10]), [text[10:], text[10:12]])
    torch.testing.assert_close(
        logits, torch.cat([expected[10:], expected[10:12]]), atol=1e-4, rtol=0
    )


def test_what_follows_a_text_is_the_same_to_the_last_bit_whatever_it_was_considered_with(model):
    text, shared = ids(60, seed=50), ids(40, seed=51)

    def follows(continuations, *, again=False):
        after = model.read(shared)
        if again:
            model.consider(ids(30, seed=8), SETS["six"], after)
        prefix, _ = model.consider(text, continuations, after)
        for token in (7, 8, 9):
            prefix = model.read([token], prefix)
        return prefix.logits

    expected = follows([])
    for continuations in SETS.values():
        torch.testing.assert_close(follows(continuations), expected, atol=0, rtol=0)
    torch.testing.assert_close(follows(SETS["six"], again=True), expected, atol=0, rtol=0)


def test_a_prefix_that_was_written_over_is_refused(model):
    first = model.read(ids(5))
    longer = model.read([1], first)
    model.read([2], first)

    with pytest.raises(RuntimeError, match="written over"):
        model.read([3], longer)
    model.read([3], first)
    model.read(ids(6))
    with pytest.raises(RuntimeError, match="written over"):
        model.read([3], first)


def test_layers_with_something_on_them_are_not_read_past(model):
    assert has_plain_layers(model.module)
    attention = model.module.blocks[1].attn
    before = model.read(ids(9)).logits.clone()
    attention.c_attn = nn.Sequential(attention.c_attn)
    model.renew()

    assert not has_plain_layers(model.module)
    torch.testing.assert_close(model.read(ids(9)).logits, before, atol=1e-4, rtol=0)
    attention.c_attn = nn.Sequential(attention.c_attn, nn.Tanh())
    assert (model.read(ids(9)).logits - before).abs().max() > 0.01


def test_any_causal_model_of_transformers_goes_on_in_many_ways_from_one_prefix(reference, model):
    other = TransformersModel(reference)
    shared, text = ids(40, seed=51), ids(25, seed=52)
    after = other.read(shared)

    for _ in range(2):
        prefix, found = other.consider(text, SETS["twenty-four that begin alike"], after)
        assert_equal(found, naive(reference, shared + text, SETS["twenty-four that begin alike"]))
        one = other.read([1, 2], prefix)
        expected = reference(torch.tensor([[*shared, *text, 1, 2]])).logits[0, -1]
        torch.testing.assert_close(one.logits, expected, atol=1e-4, rtol=0)
        two = other.read([3], prefix)
        expected = reference(torch.tensor([[*shared, *text, 3]])).logits[0, -1]
        torch.testing.assert_close(two.logits, expected, atol=1e-4, rtol=0)
    (found,) = other.batch([(text, SETS["six"])], after)
    assert_equal(found, naive(reference, shared + text, SETS["six"]))
