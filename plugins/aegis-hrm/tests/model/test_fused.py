"""The steps with backward passes of their own equal the plain formulas, gradients included."""

import pytest
import torch
from torch.nn import functional as F

from aegis_hrm.model.fused import added_norm, gated, rotated
from aegis_hrm.model.layers import rotary


def numbers(*shape):
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)


def plain_gated(both):
    gate, up = both.chunk(2, dim=-1)
    return F.silu(gate) * up


def plain_norm(x, added, eps):
    return F.rms_norm(x + added, x.shape[-1:], eps=eps)


def plain_rotated(x, rotation):
    cos, sin = rotation
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def rotation():
    cos, sin = rotary(torch.arange(5), 6, 100.0)
    return cos.double(), sin.double()


CASES = {
    "gated": (gated, plain_gated, [(3, 4, 10)], ()),
    "added_norm": (added_norm, plain_norm, [(3, 4, 6), (3, 4, 6)], (0.01,)),
    "added_norm of a transposed view": (
        lambda x, y, eps: added_norm(x.transpose(1, 2), y.transpose(1, 2), eps),
        lambda x, y, eps: plain_norm(x.transpose(1, 2), y.transpose(1, 2), eps),
        [(3, 4, 6), (3, 4, 6)],
        (0.01,),
    ),
    "rotated": (rotated, plain_rotated, [(2, 3, 5, 6)], (rotation(),)),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_the_formula(name):
    fast, plain, shapes, rest = CASES[name]
    inputs = [numbers(*shape) for shape in shapes]
    torch.testing.assert_close(fast(*inputs, *rest), plain(*inputs, *rest), atol=1e-12, rtol=0)
    assert torch.autograd.gradcheck(lambda *given: fast(*given, *rest), inputs)


def test_rotation_keeps_lengths_and_depends_on_distance_alone():
    """<R_m q, R_n k> is a function of m - n (arXiv 2104.09864, equation 16)."""
    query, key = numbers(1, 1, 1, 8).detach(), numbers(1, 1, 1, 8).detach() + 1
    cos, sin = rotary(torch.arange(12), 8, 10000.0)

    def turned(x, place):
        return rotated(x, (cos[place : place + 1].double(), sin[place : place + 1].double()))

    torch.testing.assert_close(turned(query, 7).norm(), query.norm())
    first = (turned(query, 5) * turned(key, 2)).sum()
    second = (turned(query, 11) * turned(key, 8)).sum()
    torch.testing.assert_close(first, second, atol=1e-6, rtol=0)
