"""A shape's numbers are those of the network that is built from it."""

import pytest
from attrs import evolve

from aegis_hrm.model.network import SequenceNetwork
from aegis_hrm.model.shape import ModelShape

BASE = ModelShape(vocabulary=11, hidden=16, heads=2, sequence=6)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"hierarchy": "trm", "h_layers": 0},
        {"hierarchy": "plain", "h_layers": 3},
        {"positions": "learned", "outputs": 5},
        {"mixer": "mlp", "positions": "none"},
        {"prefix_ids": 4, "prefix_width": 20},
        {"prefix_ids": 4, "prefix_width": 20, "prefix_positions": 3, "positions": "learned"},
    ],
)
def test_parameters_are_counted_as_they_are(changes):
    shape = evolve(BASE, **changes)
    network = SequenceNetwork(shape)
    assert shape.parameters == sum(weight.numel() for weight in network.parameters())


def test_the_official_size_is_the_published_one():
    """27,275,266 weights (README of sapientinc/HRM), the prefix embedding left out."""
    official = ModelShape(
        vocabulary=11, hidden=512, heads=8, h_layers=4, l_layers=4, prefix_width=512
    )
    assert official.parameters == 27_275_266


def test_layers_that_a_segment_computes():
    assert evolve(BASE, h_cycles=2, l_cycles=3).passes == 2 * (3 * 2 + 2)
    assert evolve(BASE, hierarchy="trm", h_layers=0, h_cycles=3, l_cycles=2).passes == 3 * 3 * 2
    assert evolve(BASE, hierarchy="plain", h_layers=3).passes == 5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"heads": 3}, "3 heads do not divide"),
        ({"hidden": 18, "heads": 6}, "6 heads do not divide"),
        ({"h_layers": 0}, "needs high-level layers"),
        ({"positions": "learned", "sequence": 0}, "need a fixed sequence"),
    ],
)
def test_what_cannot_be_built_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        evolve(BASE, **changes)
