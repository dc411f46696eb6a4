"""A decision takes as many segments as the halting head says, and never more than it may."""

import math

import pytest
import torch

from aegis_hrm.decision.packing import pack
from aegis_hrm.decision.thinking import Budget, think


def say(network, halt, proceed=0.0):
    """Let the halting head always say the same."""
    with torch.no_grad():
        network.q_head.weight.zero_()
        network.q_head.bias.copy_(torch.tensor([halt, proceed]))


def one_by_one(network, row, budget):
    """Return scores and segments of one decision, segment by segment."""
    prepared = network.prepare(pack([row]))
    state = network.begin(prepared)
    number, stop = 0, False
    while not stop and number < budget.segments:
        said = network(state, prepared)
        state, number = said.state, number + 1
        halt, proceed = float(said.q_halt), float(said.q_continue)
        if budget.q_continue:
            stop = halt > proceed
        else:
            stop = 1 / (1 + math.exp(-halt)) >= budget.confidence
    return said.scores[0], number


@pytest.fixture
def undecided(network_of, rows_of):
    """A network whose decisions stop after different numbers of segments, and their budget.

    Its halting head tells the decisions apart; what it says at the second and the third segment
    is raised so that each lets some go.
    """
    network = network_of(seed=3)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(5)
        network.q_head.weight.copy_(torch.randn(2, 16, generator=generator) * 2)
        network.q_head.bias.zero_()
        prepared = network.prepare(pack(rows_of))
        first = network(network.begin(prepared), prepared)
        network.q_head.bias[0] = -first.q_halt.sort().values[-2:].mean()
    return network


@pytest.mark.parametrize(
    ("confidence", "halt", "segments"),
    [(0.5, 0.001, 1), (0.5, -0.001, 4), (0.8, 1.38, 4), (0.8, 1.39, 1), (0.1, -2.19, 1), (0.1, -2.2, 4)],
)  # fmt: skip
def test_a_decision_is_made_once_its_probability_of_being_right_is_high_enough(
    network_of, rows_of, confidence, halt, segments
):
    """log(0.8 / 0.2) = 1.386, log(0.1 / 0.9) = -2.197; what going on is worth does not count."""
    network = network_of()
    for proceed in (-9.0, 9.0):
        say(network, halt, proceed)
        with torch.inference_mode():
            found = think(network, pack(rows_of), Budget(segments=4, confidence=confidence))
        assert found.segments.tolist() == [segments] * 5


@pytest.mark.parametrize(
    ("halt", "proceed", "segments"), [(-2.0, -3.0, 1), (2.0, 3.0, 4), (1.0, 1.0, 4)]
)
def test_where_going_on_has_a_value_stopping_must_be_worth_more(
    network_of, rows_of, halt, proceed, segments
):
    network = network_of()
    say(network, halt, proceed)
    with torch.inference_mode():
        found = think(network, pack(rows_of), Budget(segments=4, confidence=0.5, q_continue=True))

    assert found.segments.tolist() == [segments] * 5


@pytest.mark.parametrize("most", [1, 2, 5])
def test_the_budget_ends_it(network_of, rows_of, most):
    network, taken = network_of(), []
    say(network, -9.0)
    network.register_forward_hook(lambda *_: taken.append(1))
    with torch.inference_mode():
        found = think(network, pack(rows_of), Budget(segments=most))

    assert found.segments.tolist() == [most] * 5
    assert len(taken) == most


def test_no_segment_is_computed_for_what_is_decided(network_of, rows_of):
    network, taken = network_of(), []
    say(network, 9.0)
    network.register_forward_hook(lambda *_: taken.append(1))
    with torch.inference_mode():
        think(network, pack(rows_of), Budget(segments=6))

    assert taken == [1]


@pytest.mark.parametrize("q_continue", [False, True])
def test_a_batch_is_decided_as_its_decisions_are_one_by_one(undecided, rows_of, q_continue):
    budget = Budget(segments=4, q_continue=q_continue)
    sizes = []
    undecided.register_forward_hook(lambda _, __, said: sizes.append(len(said.q_halt)))
    with torch.inference_mode():
        found = think(undecided, pack(rows_of), budget)
        in_batch, alone = sizes[:], [one_by_one(undecided, row, budget) for row in rows_of]

    assert found.segments.tolist() == [number for _, number in alone]
    assert len(set(found.segments.tolist())) > 1, "else nothing left the batch early"
    assert in_batch == [
        sum(n >= k for _, n in alone) for k in range(1, max(n for _, n in alone) + 1)
    ]
    for number, (scores, _) in enumerate(alone):
        count = len(rows_of[number].markers)
        torch.testing.assert_close(found.scores[number, :count], scores, atol=1e-5, rtol=0)
        assert torch.isneginf(found.scores[number, count:]).all()


def test_the_order_of_the_decisions_is_kept(undecided, rows_of):
    budget = Budget(segments=4)
    with torch.inference_mode():
        straight = think(undecided, pack(rows_of), budget)
        turned = think(undecided, pack(rows_of[::-1]), budget)

    assert turned.segments.flip(0).tolist() == straight.segments.tolist()
    torch.testing.assert_close(turned.scores.flip(0), straight.scores, atol=1e-5, rtol=0)


def test_what_is_decided_early_keeps_the_scores_that_it_was_decided_by(undecided, rows_of):
    few, many = Budget(segments=1), Budget(segments=6)
    with torch.inference_mode():
        first, last = (think(undecided, pack(rows_of), budget) for budget in (few, many))
    early = last.segments == 1

    assert early.any()
    assert not early.all()
    assert torch.equal(last.scores[early], first.scores[early])
    assert (last.scores - first.scores)[~early][:, 0].abs().min() > 1e-6


def test_a_gradient_reaches_every_decision_s_last_segment(undecided, rows_of):
    found = think(undecided, pack(rows_of), Budget(segments=4))
    assert len(set(found.segments.tolist())) > 1
    weight = undecided.L_level.layers[0].mlp.down_proj.weight
    for number in range(5):
        (gradient,) = torch.autograd.grad(found.scores[number, 0], weight, retain_graph=True)
        assert gradient.abs().max() > 0 or len(rows_of[number].markers) == 1
