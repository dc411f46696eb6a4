"""Segments against accuracy: counted over decisions, however they are batched."""

import numpy as np
import pytest

from aegis_hrm.decision.packing import pack
from aegis_hrm.segments import drawn, measure


@pytest.fixture
def thinking(engine_of, practised):
    """An engine that makes about half of its decisions after one segment."""
    import torch

    engine = engine_of(segments=3)
    network = engine.module
    rows = [engine.layout.row(choice.view, choice.candidates) for choice in practised[:20]]
    with torch.no_grad():
        network.q_head.weight.copy_(torch.randn(2, 16, generator=torch.Generator().manual_seed(3)))
        prepared = network.prepare(pack(rows))
        ordered = network(network.begin(prepared), prepared).q_halt.sort().values
        network.q_head.bias[0] -= (ordered[9] + ordered[10]) / 2
    return engine


def chosen_by(engine, step):
    return int(np.argmax(engine.score(step.view, step.decision.candidates)))


def test_decisions_are_counted_by_the_segments_that_they_take(thinking, practised, step):
    steps = [
        step(choice.view, choice.candidates, number % len(choice.candidates), number=number)
        for number, choice in enumerate(practised[:20])
    ]
    said = []
    found = measure(thinking, steps, lambda done, total: said.append((done, total)))
    assert said == [(16, 20), (20, 20)]
    taken, agrees = [], []
    for one in steps:
        agrees.append(chosen_by(thinking, one) == one.decision.chosen)
        taken.append(thinking.remarks["segments"])
    assert found.mean == pytest.approx(np.mean(taken))
    assert found.right == pytest.approx(np.mean(agrees))
    assert len({bar.segments for bar in found.used}) > 1
    for bar in found.used:
        some = [
            right for right, number in zip(agrees, taken, strict=True) if number == bar.segments
        ]
        assert (bar.decisions, bar.right) == (len(some), pytest.approx(np.mean(some)))


def test_the_same_decisions_are_made_after_every_number_of_segments(
    thinking, engine_of, practised, step
):
    steps = [step(c.view, c.candidates, 0, number=n) for n, c in enumerate(practised[:6])]
    found = measure(thinking, steps, lambda *_: None)
    for bar in found.forced:
        never = engine_of(segments=bar.segments, confidence=0.99)
        never.module.load_state_dict(thinking.module.state_dict())
        with_bias = never.module.q_head.bias.data
        with_bias[0] = -1e6  # stops at the last segment alone
        right = [chosen_by(never, one) == 0 for one in steps]
        assert bar.right == pytest.approx(np.mean(right))
        assert bar.decisions == 6


def test_the_plot_has_a_bar_for_each(thinking, practised, step):
    steps = [step(c.view, c.candidates, 0, number=n) for n, c in enumerate(practised[:8])]
    found = measure(thinking, steps, lambda *_: None)
    lines = drawn(found).splitlines()
    assert len(lines) == 3 + len(found.used) + len(found.forced)
    assert lines[-1].startswith(f"as it decides: {found.right:.1%} of 8 decisions")
