"""Fitted values against those that can be computed."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from attrs import evolve

from aegis.contracts.view import View
from aegis_reinforce.critic import Critic, CriticShape
from aegis_reinforce.features import Columns
from aegis_reinforce.fitting import FitSettings, expectation, fit, fitted, policy
from aegis_reinforce.transitions import Transitions

SETTINGS = FitSettings(discount=0.9, temperature=0.2)


def soft(values, temperature):
    """Return the value of a state under softmax(values / temperature)."""
    shares = np.exp(np.array(values) / temperature)
    return float(shares @ np.array(values) / shares.sum())


def exact(discount, temperature):
    """Return the value of leaving each of the three rooms of `corridor`, by its number."""
    leave = {3: -0.1}
    for room in (2, 1):
        following = [soft([gain, leave[room + 1]], temperature) for gain in (0.0, 0.5, 1.0)]
        leave[room] = -0.1 + discount * float(np.mean(following))
    return leave


def trained(steps, settings=SETTINGS, passed=lambda _: None, seed=0):
    columns = Columns.of(steps)
    torch.manual_seed(seed)
    critic = Critic(CriticShape(columns, 32))
    shown = Transitions.of(steps, columns)
    fit(critic, shown, settings, torch.Generator().manual_seed(seed), passed)
    return critic, shown


def value_of(world, critic, room, gain):
    view = View(goal="take the most", step=room, limit=3)
    rows = torch.from_numpy(critic.shape.columns.rows(view, (world.take(gain), world.leave)))[None]
    with torch.no_grad():
        return critic(rows, torch.ones(1, 2, dtype=torch.bool))[0].tolist()


def test_values_are_those_of_the_world(world):
    """Against dynamic programming over the three rooms, for rewards later worth 0.9."""
    critic, shown = trained(world.corridor(1500))
    leave = exact(SETTINGS.discount, SETTINGS.temperature)

    for room, gain in itertools.product((1, 2, 3), (0.0, 0.5, 1.0)):
        taking, leaving = value_of(world, critic, room, gain)
        assert taking == pytest.approx(gain, abs=0.07)
        assert leaving == pytest.approx(leave[room], abs=0.07)
    found = fitted(critic, shown, SETTINGS)
    assert found.explained > 0.97
    assert found.value_error < 0.06  # what the next room holds is drawn


def test_without_the_next_steps_only_rewards_are_learned(world):
    steps = [step for step in world.corridor(600) if not step.done]
    steps = [evolve(step, index=10 * step.index) for step in steps]  # nothing follows anything
    critic, shown = trained(steps, evolve(SETTINGS, iterations=2))

    found = fitted(critic, shown, SETTINGS)
    assert not shown.known.any()
    assert math.isnan(found.value_error)
    assert found.reward_error < 0.01


def test_the_same_seed_gives_the_same_values(world):
    few = evolve(SETTINGS, iterations=2)
    one, two, other = (trained(world.corridor(100), few, seed=seed)[0] for seed in (1, 1, 2))

    assert value_of(world, one, 1, 0.5) == value_of(world, two, 1, 0.5)
    assert value_of(world, one, 1, 0.5) != value_of(world, other, 1, 0.5)


def test_it_tells_how_far_it_is_and_can_be_left(world):
    shares = []
    trained(world.corridor(100), evolve(SETTINGS, reward_epochs=2, iterations=3), shares.append)

    assert shares == pytest.approx([k / 8 for k in range(1, 9)])

    def leave(share):
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(world.corridor(100), SETTINGS, leave)


def test_a_policy_follows_from_values():
    values = torch.tensor([[0.0, 0.1, -torch.inf]])
    shares = policy(values, 0.1).exp()[0]

    assert shares.tolist() == pytest.approx([1 / (1 + math.e), math.e / (1 + math.e), 0.0])
    worth = expectation(values, torch.tensor([[True, True, False]]), 0.1)
    assert worth.tolist() == pytest.approx([0.1 * math.e / (1 + math.e)])
