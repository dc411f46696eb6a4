"""Sequences halt apart from one another, begin anew with new data, and explore in training."""

import pytest
import torch

from aegis_hrm.model.halting import Batch, Halting, advance, start
from aegis_hrm.model.losses import IGNORED, figures, losses
from aegis_hrm.model.network import SequenceNetwork
from aegis_hrm.model.shape import ModelShape

SHAPE = ModelShape(vocabulary=7, hidden=16, heads=2, h_layers=1, l_layers=1)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return SequenceNetwork(SHAPE)


def batch(seed, rows=4, length=5):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, 7, (rows, length), generator=generator)
    return Batch(tokens, tokens.roll(1, dims=1))


def q_values(network, halt, proceed):
    with torch.no_grad():
        network.q_head.weight.zero_()
        network.q_head.bias.copy_(torch.tensor([halt, proceed]))


@pytest.mark.parametrize(
    ("q_continue", "halt", "proceed", "stops"),
    [
        (False, 1.0, 9.0, True),
        (False, -1.0, -9.0, False),
        (True, 1.0, 2.0, False),
        (True, -2.0, -3.0, True),
    ],
)
def test_training_halts_as_the_q_values_say(network, q_continue, halt, proceed, stops):
    q_values(network, halt, proceed)
    rule = Halting(segments=4, exploration=0.0, q_continue=q_continue)
    found = advance(network.train(), rule, start(network, batch(0)), batch(0))
    assert found.carry.halted.tolist() == [stops] * 4
    assert (found.target_continue is not None) == q_continue


def test_evaluation_takes_every_segment(network):
    q_values(network, 9.0, -9.0)
    network.eval()
    rule, carry = Halting(segments=3, q_continue=False), start(network, batch(0))
    for number in (1, 2, 3):
        carry = advance(network, rule, carry, batch(0)).carry
        assert carry.steps.tolist() == [number] * 4
        assert carry.halted.tolist() == [number == 3] * 4


def test_what_has_halted_takes_new_data_and_the_first_state(network):
    network.eval()
    rule, carry = Halting(segments=2, q_continue=False), start(network, batch(0))
    first = advance(network, rule, carry, batch(0))
    second = advance(network, rule, first.carry, batch(1))
    assert torch.equal(second.carry.data.tokens, batch(0).tokens)  # not done: keeps its own
    third = advance(network, rule, second.carry, batch(1))
    assert torch.equal(third.carry.data.tokens, batch(1).tokens)
    alone = advance(network, rule, start(network, batch(1)), batch(1))
    torch.testing.assert_close(third.answer.logits, alone.answer.logits)


def test_carried_state_goes_on_into_new_data(network):
    network.eval()
    rule = Halting(segments=1, q_continue=False, carry_state=True)
    first = advance(network, rule, start(network, batch(0)), batch(0))
    found = advance(network, rule, first.carry, batch(1))
    x = network.embedded(batch(1).tokens)
    expected = network(first.carry.state, x, network.geometry(5))
    torch.testing.assert_close(found.answer.logits, expected.logits)
    alone = advance(network, rule, start(network, batch(1)), batch(1))
    assert not torch.allclose(found.answer.logits, alone.answer.logits)


def test_where_no_early_halting_is_trained_every_segment_is(network):
    q_values(network, 9.0, -9.0)
    rule = Halting(segments=3, q_continue=False, early=False)
    carry = start(network.train(), batch(0))
    for number in (1, 2, 3):
        carry = advance(network, rule, carry, batch(0)).carry
        assert carry.halted.tolist() == [number == 3] * 4


def test_exploration_makes_a_share_go_on_for_longer(network):
    """A share of sequences may not halt before a number of segments drawn from 2 to the most."""
    q_values(network, 9.0, -9.0)
    torch.manual_seed(1)
    rule = Halting(segments=6, exploration=0.25, q_continue=False)
    many = batch(0, rows=4000)
    found = advance(network.train(), rule, start(network, many), many)
    share = 1 - found.carry.halted.float().mean().item()
    assert share == pytest.approx(0.25, abs=0.03)


def test_the_target_of_going_on_is_the_better_value_one_segment_later(network):
    q_values(network, -1.5, -0.5)
    rule = Halting(segments=2, exploration=0.0, q_continue=True)
    first = advance(network.train(), rule, start(network, batch(0)), batch(0))
    expected = torch.sigmoid(torch.tensor(-0.5))
    torch.testing.assert_close(first.target_continue, expected.expand(4))
    last = advance(network, rule, first.carry, batch(0))  # no segment is left: the halting one
    torch.testing.assert_close(last.target_continue, torch.sigmoid(torch.tensor(-1.5)).expand(4))


def test_rows_without_labels_have_no_loss_of_tokens_and_no_figures(network):
    given = batch(0)
    given.labels[2] = IGNORED
    rule = Halting(segments=1, q_continue=False)
    found = advance(network.train(), rule, start(network, given), given)
    whole = losses(found, "softmax").tokens
    without = advance(network, rule, start(network, given), given)
    kept = [0, 1, 3]
    logs = torch.log_softmax(without.answer.logits[kept], -1)
    expected = -logs.gather(-1, given.labels[kept].unsqueeze(-1)).mean(1).sum()
    torch.testing.assert_close(whole, expected)
    assert figures(found).number == 3
