"""Fitting a critic: expected rewards by regression, then what comes later by fitted Q iteration.

Fitted Q iteration (Ernst, Geurts & Wehenkel 2005, JMLR 6; with networks Riedmiller 2005) regresses
what comes later on discount x value of the next state, again and again. Two things are unlike the
textbook. The reward itself is no part of what is regressed there: the critic knows an expectation
of it, which has less noise than one drawing. And the value of a state is what the policy that
follows from the values expects, softmax(values / temperature), not the largest value: the largest
of many estimates is mostly the largest error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from attrs import frozen
from torch.nn import functional as F  # noqa: N812 - the usual name

from aegis.neural import Average

if TYPE_CHECKING:
    from collections.abc import Callable

    from aegis_reinforce.critic import Critic, Members
    from aegis_reinforce.transitions import Transitions


@frozen(kw_only=True)
class FitSettings:
    """How a critic is fitted.

    Attributes:
        discount: What a reward one step later is worth.
        temperature: Temperature of the policy that follows from the values.
        reward_epochs: Passes over the steps for the rewards.
        iterations: Iterations for what comes later.
        epochs: Passes over the steps in each.
        batch_size: Steps of one optimiser step.
        learning_rate: AdamW's.
        weight_decay: AdamW's.
        kept: How much of the moving average of the weights for what comes later is kept at a step;
            the average is what states are valued by, and what is left in the end.
    """

    discount: float = 0.95
    temperature: float = 0.1
    reward_epochs: int = 8
    iterations: int = 25
    epochs: int = 2
    batch_size: int = 64
    learning_rate: float = 0.003
    weight_decay: float = 0.3
    kept: float = 0.99


class Fit(NamedTuple):
    """How well a critic fits.

    Attributes:
        reward_error: Mean squared error of expected rewards.
        reward_variance: Variance of the rewards.
        value_error: Mean squared error of action values against reward + discount x value of the
            next state; NaN where no step says what came next.
    """

    reward_error: float
    reward_variance: float
    value_error: float

    @property
    def explained(self) -> float:
        """Share of the variance of rewards that is explained; 0 where they are all the same."""
        if self.reward_variance == 0:
            return 0.0
        return 1 - self.reward_error / self.reward_variance


def fit(
    critic: Critic,
    steps: Transitions,
    settings: FitSettings,
    generator: torch.Generator,
    passed: Callable[[float], None],
) -> None:
    """Fit a critic with fresh weights to transitions, in place.

    Args:
        critic: The critic.
        steps: At least one.
        settings: How.
        generator: Where the order of steps comes from.
        passed: Called after every pass over the steps with the share that is done, 0 to 1; what it
            raises ends the fit.
    """
    number, chosen = torch.arange(len(steps)), steps.chosen
    every = settings.reward_epochs + settings.iterations * settings.epochs
    taken = steps.rows[number, chosen]
    critic.reward.standardise(taken)
    regression = _Regression(critic.reward, settings, generator)
    for done in range(settings.reward_epochs):
        regression.go_over(taken, steps.rewards)
        passed((done + 1) / every)

    with torch.no_grad():
        seen = critic.seen(steps.rows, steps.present)  # (S, C, seen)
    mine = seen[number, chosen][steps.known]
    critic.value.standardise(seen[steps.present])
    regression = _Regression(critic.value, settings, generator, settings.kept)
    for iteration in range(settings.iterations):
        with regression.average.in_force():
            later = settings.discount * _next(critic, steps, settings.temperature, seen, iteration)
        for epoch in range(settings.epochs if len(mine) else 0):
            regression.go_over(mine, later[steps.known])
            done = settings.reward_epochs + iteration * settings.epochs + epoch
            passed((done + 1) / every)
    regression.keep_average()


@torch.no_grad()
def fitted(critic: Critic, steps: Transitions, settings: FitSettings) -> Fit:
    """Return how well a critic fits transitions, at least one."""
    number = torch.arange(len(steps))
    expected = critic.rewards(steps.rows)[number, steps.chosen]
    values = critic(steps.rows, steps.present)
    worth = _following(expectation(values, steps.present, settings.temperature), steps)
    errors = values[number, steps.chosen] - steps.rewards - settings.discount * worth
    return Fit(
        float(((expected - steps.rewards) ** 2).mean()),
        float(steps.rewards.var(correction=0)),
        float((errors[steps.known] ** 2).mean()),
    )


def policy(values: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return log-probabilities (S, C) of the policy that follows from action values (S, C)."""
    return (values / temperature).log_softmax(-1)


def expectation(values: torch.Tensor, present: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the value of states, (S,), under the policy that follows from action values (S, C)."""
    shares = policy(values, temperature).exp()
    return (shares * values.masked_fill(~present, 0)).sum(-1)


@torch.no_grad()
def _next(
    critic: Critic,
    steps: Transitions,
    temperature: float,
    seen: torch.Tensor,
    iteration: int,
) -> torch.Tensor:
    """Return the value of the state after each step, (S,), as far as an iteration knows it.

    Before the first one nothing is known but what is expected at once.
    """
    values = critic.rewards(steps.rows)
    if iteration:
        values = values + critic.later(seen)
    values = values.masked_fill(~steps.present, -torch.inf)
    return _following(expectation(values, steps.present, temperature), steps)


def _following(worth: torch.Tensor, steps: Transitions) -> torch.Tensor:
    """Return for each step the value (S,) of the state after it, 0 where the episode ended."""
    return torch.where(steps.following >= 0, worth[steps.following.clamp(min=0)], 0.0)


class _Regression:
    """Networks in training by least squares.

    Args:
        network: The networks.
        settings: Size of batches, rate, decay.
        generator: Where the order of the rows comes from.
        kept: How much of the average of the weights is kept at a step; 0: there is none.

    Attributes:
        average: The average.
    """

    def __init__(
        self,
        network: Members,
        settings: FitSettings,
        generator: torch.Generator,
        kept: float = 0.0,
    ) -> None:
        self._network, self._generator = network, generator
        self._batch_size = settings.batch_size
        self._optimiser = torch.optim.AdamW(
            network.parameters(),
            settings.learning_rate,
            weight_decay=settings.weight_decay,
            foreach=True,
        )
        self.average = Average(network, kept)

    def go_over(self, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Regress targets (N,) on inputs (N, width), once over all of them."""
        order = torch.randperm(len(inputs), generator=self._generator)
        for start in range(0, len(order), self._batch_size):
            batch = order[start : start + self._batch_size]
            said = self._network(inputs[batch])  # (members, B)
            errors = F.mse_loss(said, targets[batch].expand_as(said), reduction="none")
            self._optimiser.zero_grad(set_to_none=True)
            errors.mean(1).sum().backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
            self._optimiser.step()
            self.average.move()

    @torch.no_grad()
    def keep_average(self) -> None:
        """Put the average in the place of the weights."""
        served = self.average.served()
        for name, weight in self._network.named_parameters():
            weight.copy_(served[name])
