"""Rows and networks that the tests of deciding share."""

import pytest
import torch

from aegis_hrm.decision.layout import Layout
from aegis_hrm.decision.network import DecisionNetwork
from aegis_hrm.model.shape import ModelShape


@pytest.fixture(scope="session")
def layout(tokenizer):
    return Layout(tokenizer, 1024, 96)


@pytest.fixture(scope="session")
def rows_of(layout, practised):
    """Five decisions of practice, of 2 to 15 candidates, the shortest first."""
    chosen = [choice for choice in practised if len(choice.candidates) <= 15]
    step = len(chosen) // 5
    rows = [layout.row(choice.view, choice.candidates) for choice in chosen]
    rows.sort(key=lambda row: row.tokens)
    return rows[::step][:5]


@pytest.fixture(scope="session")
def network_of(layout):
    """Return the function that makes a small random network that tells decisions apart."""

    def make(*, seed=0, fingerprint=layout.fingerprint, **changes):
        torch.set_num_threads(1)
        sizes = {
            "hidden": 16,
            "heads": 2,
            "h_layers": 1,
            "l_layers": 1,
            "h_cycles": 1,
            "l_cycles": 1,
        }
        if changes.get("hierarchy") == "trm":
            sizes["h_layers"] = 0
        shape = ModelShape(vocabulary=1000, outputs=1, sequence=1024, **{**sizes, **changes})
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = DecisionNetwork(shape, fingerprint).eval()
            with torch.no_grad():
                network.score_head.weight.mul_(4)
                network.q_head.weight.normal_()
        return network

    return make
