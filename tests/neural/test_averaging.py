"""The moving average of the weights: its formula, what computes with it, what is kept of it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from aegis.neural.averaging import Average


@pytest.fixture
def module():
    """A layer whose weights move, and one that is frozen, with a buffer."""
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    made[1].weight.requires_grad_(requires_grad=False)
    return made


def move(module, number):
    """Let training take a step."""
    with torch.no_grad():
        for place, weight in enumerate(module.parameters()):
            weight.copy_(torch.full_like(weight, number * 10.0 + place))


@pytest.mark.parametrize("kept", [0.3, 0.999])
def test_it_is_its_formula_step_by_step(module, kept):
    """w_bar <- d w_bar + (1 - d) w with d = min(kept, (1 + t) / (10 + t)), t from 1."""
    average = Average(module, kept)
    expected = {name: w.detach().double() for name, w in module.named_parameters()}
    for step in range(1, 41):
        move(module, step)
        average.move()
        share = min(kept, (1 + step) / (10 + step))
        for name, weight in module.named_parameters():
            expected[name] = share * expected[name] + (1 - share) * weight.detach().double()
        if step in {1, 2, 7, 40}:
            for name, value in average.served().items():
                torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-5)


def test_the_first_steps_leave_little_of_what_it_began_with(module):
    """After one step 2/11 of it are left, whatever is to be kept later."""
    before = module[0].bias.detach().clone()
    average = Average(module, 0.99999)
    move(module, 1)
    average.move()

    expected = before * 2 / 11 + module[0].bias.detach() * 9 / 11
    torch.testing.assert_close(average.served()["0.bias"], expected)


def test_the_module_computes_with_it_and_has_its_own_weights_again_after(module):
    average = Average(module.eval(), 0.5)
    move(module, 3)
    average.move()
    inputs = torch.ones(1, 3)
    own = {name: weight.detach().clone() for name, weight in module.named_parameters()}
    objects = [id(weight) for weight in module.parameters()]
    before = module(inputs)

    with torch.inference_mode(), average.in_force():
        during = module(inputs)
        served = average.served()
        assert all(torch.equal(w, served[n]) for n, w in module.named_parameters())

    assert not torch.allclose(before, during)
    assert torch.equal(module(inputs), before)
    assert [id(weight) for weight in module.parameters()] == objects
    assert all(torch.equal(w, own[n]) for n, w in module.named_parameters())
    module(inputs).sum().backward()  # they can be trained on
    assert module[0].weight.grad is not None


def test_its_weights_are_restored_whatever_happens(module):
    average = Average(module, 0.5)
    move(module, 3)
    before = module[0].weight.detach().clone()

    with pytest.raises(RuntimeError, match="on the way"), average.in_force():
        raise RuntimeError("on the way")

    assert torch.equal(module[0].weight, before)


def test_what_it_serves_is_a_copy(module):
    average = Average(module, 0.5)
    before = average.served()
    average.served()["0.weight"].zero_()

    assert torch.equal(average.served()["0.weight"], before["0.weight"])
    assert before["0.weight"].any()


def test_without_an_average_the_weights_themselves_are_served(module):
    average = Average(module, 0.0)
    move(module, 4)
    average.move()
    with average.in_force():
        assert module[0].weight.tolist()[0][0] == 40.0

    assert all(torch.equal(average.served()[n], w) for n, w in module.named_parameters())
    assert average.served()["0.weight"].data_ptr() != module[0].weight.data_ptr()


def test_it_begins_with_the_weights_as_they_are(module):
    average = Average(module, 0.9)

    assert all(torch.equal(average.served()[n], w) for n, w in module.named_parameters())


@pytest.mark.parametrize("kept", [0.0, 0.6])
def test_it_goes_on_from_its_state_bitwise(module, kept):
    average = Average(module, kept)
    for step in range(1, 6):
        move(module, step)
        average.move()
    state = {name: value.clone() for name, value in average.state().items()}
    move(module, 1)  # what the new one begins with does not matter
    again = Average(module, kept)
    again.load_state(state)

    for step in range(6, 9):
        move(module, step)
        average.move()
        again.move()
        served = again.served()
        assert all(torch.equal(v, served[name]) for name, v in average.served().items())
    assert state.keys() == again.state().keys()
    assert int(again.state()["average_steps"]) == 8


def test_its_state_is_a_copy(module):
    average = Average(module, 0.6)
    state = average.state()
    move(module, 1)
    average.move()

    assert int(state["average_steps"]) == 0
    assert not torch.equal(state["average.0"], average.state()["average.0"])
