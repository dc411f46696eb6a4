"""The critic's arithmetic."""

from __future__ import annotations

import pytest
import torch

from aegis_reinforce.critic import MEMBERS, TOP, Critic, CriticShape, Members
from aegis_reinforce.features import Columns
from aegis_reinforce.transitions import Transitions


@pytest.fixture
def steps(world):
    return world.corridor(30)


@pytest.fixture
def shown(steps):
    return Transitions.of(steps, Columns.of(steps))


@pytest.fixture
def critic(steps):
    torch.manual_seed(3)
    return Critic(CriticShape(Columns.of(steps), 8))


def test_members_are_networks_side_by_side():
    torch.manual_seed(0)
    members, inputs = Members(4, 6), torch.randn(5, 4)
    members.standardise(inputs)

    x = (inputs - inputs.mean(0)) / inputs.std(0, correction=0)
    for number in range(MEMBERS):
        y = x
        for layer in range(3):
            y = y @ members.weights[layer][number] + members.biases[layer][number]
            y = torch.nn.functional.silu(y) if layer < 2 else y
        torch.testing.assert_close(members(inputs)[number], y[:, 0])


def test_a_number_that_is_always_the_same_is_no_division_by_zero():
    members = Members(2, 3)
    members.standardise(torch.tensor([[1.0, 5.0], [2.0, 5.0]]))

    assert members(torch.tensor([[1.0, 5.0]])).isfinite().all()


def test_the_second_networks_see_what_the_first_expect_of_everything(critic, shown):
    seen = critic.seen(shown.rows, shown.present)

    assert seen.shape[-1] == critic.shape.seen
    own = critic.shape.columns.own + 1
    torch.testing.assert_close(seen[..., :own], shown.rows[..., :own])
    for step in range(len(shown)):
        expected = critic.rewards(shown.rows)[step].detach()
        gains = sorted((max(0.0, float(value)) for value in expected), reverse=True)
        for candidate in range(2):
            row = seen[step, candidate, own:].detach().tolist()
            mine = max(0.0, float(expected[candidate]))
            wanted = [float(expected[candidate]), sum(gains) - mine]
            wanted += [sum(gains[:k]) for k in TOP] + [sum(gains)]
            torch.testing.assert_close(torch.tensor(row), torch.tensor(wanted))


def test_a_value_is_the_reward_and_what_comes_later(critic, shown):
    values = critic(shown.rows, shown.present)

    later = critic.later(critic.seen(shown.rows, shown.present))
    torch.testing.assert_close(values, critic.rewards(shown.rows) + later)


def test_room_for_more_candidates_changes_nothing(critic, shown):
    wide = torch.nn.functional.pad(shown.rows, (0, 0, 0, 3))
    present = torch.nn.functional.pad(shown.present, (0, 3))

    values = critic(wide, present)
    torch.testing.assert_close(values[:, :2], critic(shown.rows, shown.present))
    assert (values[:, 2:] == -torch.inf).all()
