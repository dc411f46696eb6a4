"""Changes of weights are noticed, once each."""

from __future__ import annotations

import torch
from torch import nn

from aegis_gpt2_lora.weight_versions import WeightVersions


def noticed(change):
    module = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2)))
    versions = WeightVersions(module)
    assert not versions.changed()
    change(module)
    found = versions.changed()
    assert not versions.changed()
    return found


def test_nothing_is_noticed_where_nothing_changed():
    def compute(module):
        module(torch.ones(1, 2)).sum().backward()

    assert not noticed(compute)


def test_a_change_in_place_is_noticed():
    def train(module):
        optimiser = torch.optim.AdamW(module[1].parameters(), lr=0.1)
        module(torch.ones(1, 2)).sum().backward()
        optimiser.step()

    assert noticed(train)


def test_an_exchanged_weight_is_noticed():
    def exchange(module):
        module.load_state_dict({k: v.clone() for k, v in module.state_dict().items()}, assign=True)

    assert noticed(exchange)


def test_a_wrapped_layer_is_noticed():
    def wrap(module):
        module[1][0] = nn.Sequential(module[1][0])

    assert noticed(wrap)


def test_an_added_layer_is_noticed():
    assert noticed(lambda module: module[1].append(nn.Linear(2, 2)))
