"""Every backward pass against finite differences, every value against torch's own layers."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck
from torch.nn import functional as F

from aegis_gpt2_lora.fused import (
    LoraLinear,
    TanhGelu,
    TargetLogProbabilities,
    TreeAttention,
    dropout_mask,
)
from aegis_gpt2_lora.packing import Tree, pack


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Keep threads from waiting for each other over tensors this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def draw():
    """Return the function that draws tensors in float64."""
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape, grad=False):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_(grad)

    return drawn


@pytest.mark.parametrize("dropped", [False, True])
def test_lora_linear_is_the_sum_of_the_layer_and_its_adapter(draw, dropped):
    x, weight, bias, a, b = draw(7, 5), draw(4, 5), draw(4), draw(2, 5), draw(4, 2)
    keep = (draw(7, 5) > 0).to(torch.uint8) if dropped else None
    low = (x if keep is None else x * keep) @ a.T
    expected = F.linear(x, weight, bias) + 1.5 * (low @ b.T)
    torch.testing.assert_close(LoraLinear.apply(x, weight, bias, a, b, 1.5, keep), expected)


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("first", [False, True], ids=["inner layer", "first adapter"])
def test_lora_linear_has_the_gradient_of_its_value(draw, dropped, first):
    x, a, b = draw(7, 5, grad=not first), draw(2, 5, grad=True), draw(4, 2, grad=True)
    keep = (draw(7, 5) > 0).to(torch.uint8) if dropped else None
    assert gradcheck(LoraLinear.apply, (x, draw(4, 5), draw(4), a, b, 1.5, keep))


def test_lora_linear_works_in_blocks_as_it_does_at_once(draw, monkeypatch):
    x, weight, bias, a, b = draw(7, 5, grad=True), draw(4, 5), draw(4), draw(2, 5), draw(4, 2)
    keep = (draw(7, 5) > 0).to(torch.uint8)
    gradients = []
    for elements in (2**16, 10):  # all rows, two rows
        monkeypatch.setattr("aegis_gpt2_lora.fused._BLOCK", elements)
        y = LoraLinear.apply(x, weight, bias, a, b, 1.5, keep)
        gradients.append(torch.autograd.grad(y.square().sum(), x)[0])
    torch.testing.assert_close(*gradients)


def test_gelu_is_torchs_and_has_its_gradient(draw, monkeypatch):
    monkeypatch.setattr("aegis_gpt2_lora.fused._BLOCK", 8)  # two rows at once
    x = (4 * draw(7, 4)).requires_grad_()
    with torch.no_grad():
        torch.testing.assert_close(TanhGelu.apply(x), F.gelu(x, approximate="tanh"))
    torch.testing.assert_close(TanhGelu.apply(x), F.gelu(x, approximate="tanh"))
    assert gradcheck(TanhGelu.apply, (x,))


def test_gelu_of_large_inputs_is_finite():
    x = torch.tensor([[-300.0, -20.0, 0.0, 20.0, 300.0]], requires_grad=True)
    y = TanhGelu.apply(x)
    y.sum().backward()
    assert y.tolist() == [[0.0, 0.0, 0.0, 20.0, 300.0]]
    assert x.grad.tolist() == [[0.0, 0.0, 0.5, 1.0, 1.0]]


FOREST = (
    Tree(tuple(range(9)), ((1,), (2, 3, 4), (5, 6))),
    Tree((*range(8), 20, 21), ((7, 8),)),
)


@pytest.mark.parametrize("span", [3, 128])
def test_attention_is_torchs_own_under_the_mask_of_ancestors(draw, span, monkeypatch):
    monkeypatch.setattr("aegis_gpt2_lora.packing._SPAN", span)
    monkeypatch.setattr("aegis_gpt2_lora.packing._WORTH", 1)
    stream = pack(FOREST, dtype=torch.float64)
    # Stream: 8 shared tokens, then 8 | 3 4's givers 2 3 | 5's 5, and 20 21 | 7, in this order.
    assert stream.ids.tolist() == [*range(8), 8, 2, 3, 5, 20, 21, 7]
    parents = [-1, *range(7), 7, 8, 9, 8, 7, 12, 13]
    allowed = torch.eye(15, dtype=torch.bool)
    for token, parent in enumerate(parents):
        if parent >= 0:
            allowed[token] |= allowed[parent]
    qkv = draw(15, 12, grad=True)
    q, k, v = (part.view(15, 2, 2).transpose(0, 1) for part in qkv.chunk(3, dim=1))
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
    out = TreeAttention.apply(qkv, 2, stream.units)
    torch.testing.assert_close(out, expected.transpose(0, 1).reshape(15, 4))
    attend = TreeAttention.apply
    assert gradcheck(lambda x: attend(x, 2, stream.units), (qkv,), fast_mode=span == 3)


def test_log_probabilities_of_targets_are_those_of_log_softmax(draw, monkeypatch):
    monkeypatch.setattr("aegis_gpt2_lora.fused._HEAD_ROWS", 2)
    hidden, table = draw(5, 3, grad=True), draw(11, 3)
    rows, targets = torch.tensor([0, 0, 3, 1, 4, 0, 2]), torch.tensor([1, 9, 0, 10, 4, 1, 2])
    expected = (hidden @ table.T).log_softmax(-1)[rows, targets]
    found = TargetLogProbabilities.apply(hidden, table, rows, targets)
    torch.testing.assert_close(found, expected)
    with torch.no_grad():
        found = TargetLogProbabilities.apply(hidden, table, rows, targets)
    torch.testing.assert_close(found, expected)
    assert gradcheck(lambda h: TargetLogProbabilities.apply(h, table, rows, targets), (hidden,))


def test_a_target_that_the_softmax_rounds_to_zero_keeps_its_log_probability():
    hidden, table = torch.tensor([[1.0]]), torch.tensor([[0.0], [500.0]])
    zero = torch.tensor([0])
    assert TargetLogProbabilities.apply(hidden, table, zero, zero).tolist() == [-500.0]


@pytest.mark.parametrize("p", [0.05, 0.1, 0.5])
def test_the_mask_keeps_the_share_that_it_states(p):
    mask, share = dropout_mask(
        (999, 1001), p, torch.device("cpu"), torch.Generator().manual_seed(1)
    )
    assert mask.shape == (999, 1001)
    assert set(mask.unique().tolist()) == {0, 1}
    assert abs(share - (1 - p)) <= 2**-17
    # Five standard deviations of a binomial share.
    assert abs(mask.double().mean().item() - share) < 5 * (p * (1 - p) / mask.numel()) ** 0.5


def test_elements_of_the_mask_are_independent_of_their_neighbours():
    mask, share = dropout_mask((1000, 1000), 0.5, torch.device("cpu"))
    signs = 2 * (mask.double() - share)
    for shift in (1, 2, 3, 4):  # four elements come from one draw of 64 bits
        assert abs((signs[:, shift:] * signs[:, :-shift]).mean().item()) < 5e-3


def test_the_mask_depends_on_the_generator_alone():
    def drawn(seed):
        return dropout_mask((9, 7), 0.3, torch.device("cpu"), torch.Generator().manual_seed(seed))[
            0
        ]

    assert torch.equal(drawn(3), drawn(3))
    assert not torch.equal(drawn(3), drawn(4))
