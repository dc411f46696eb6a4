"""The trainer ``policy-distillation``: its loss against the formula, and engines that learn by it."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from attrs import evolve

import aegis
from aegis.builtin._engines.uniform import RandomEngine
from aegis.errors import ContractError
from aegis.neural import save_tensors
from aegis_reinforce.distillation_losses import Decision, DistillationLosses
from aegis_reinforce.policy_distillation import PolicyDistillation
from aegis_reinforce.settings import PolicyDistillationSettings

SETTINGS = PolicyDistillationSettings(
    temperature=0.2, backup_temperature=0.2, epochs=20, learning_rate=0.05, iterations=10
)


class Linear:
    """An engine of torch: scores are linear in the gain of a candidate and in the step."""

    capabilities = aegis.EngineCapabilities(kind="hrm", trainable=True)
    tokenizer = SimpleNamespace(capabilities=aegis.TokenizerCapabilities(9, fingerprint="f" * 8))

    def __init__(self):
        torch.manual_seed(1)
        self.module = torch.nn.Sequential(
            torch.nn.Linear(3, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)
        )

    def log_probabilities(self, items):
        rows = [
            torch.tensor(
                [
                    [action.signals.get("gain", 0.0), action.tool == "take", view.step / 3]
                    for action in candidates
                ]
            )
            for view, candidates in items
        ]
        scores = torch.nn.utils.rnn.pad_sequence(
            [self.module(row)[:, 0] for row in rows], batch_first=True
        )
        lengths = torch.tensor([len(row) for row in rows])
        mask = torch.arange(scores.shape[1]) < lengths[:, None]
        return scores.masked_fill(~mask, -math.inf).log_softmax(-1), mask

    def score(self, view, candidates):
        with torch.no_grad():
            return self.log_probabilities([(view, candidates)])[0][0].double().numpy()

    def save(self, directory):
        save_tensors(directory / "linear.safetensors", self.module.state_dict())


def decision(world, values, **view):
    candidates = (world.take(0.5), world.leave, world.take(1.0))[: len(values)]
    return Decision.of(world.crowded_view(**view), candidates, torch.tensor(values))


def test_the_loss_is_the_divergence_from_the_policy_of_the_values(world):
    engine = Linear()
    rows = [decision(world, [0.3, 0.1, -0.2]), decision(world, [1.0, 0.4], step=2)]
    found = DistillationLosses(engine, SETTINGS.temperature)(rows, True)

    for number, row in enumerate(rows):
        shares = np.exp(engine.score(row.view, row.candidates))
        wanted = np.exp(row.values.numpy() / 0.2)
        wanted /= wanted.sum()
        assert found.total[number].item() == pytest.approx(
            float(wanted @ np.log(wanted / shares)), rel=1e-4
        )
        assert found.parts["value"][number].item() == pytest.approx(
            float(shares @ row.values.numpy()), rel=1e-5
        )
        assert found.parts["accuracy"][number] == (shares.argmax() == row.values.argmax().item())


def test_its_gradient_reaches_a_candidate_that_the_engine_thinks_impossible(world):
    """With respect to scores before softmax it is pi less the policy of the values."""
    scores = torch.tensor([[0.0, -40.0]], requires_grad=True)
    said = SimpleNamespace(
        log_probabilities=lambda _: (scores.log_softmax(-1), torch.ones(1, 2, dtype=torch.bool))
    )
    row = decision(world, [0.0, 0.2])
    DistillationLosses(said, 0.2)([row], True).total.sum().backward()
    wanted = np.exp([0.0, 1.0]) / np.exp([0.0, 1.0]).sum()
    assert scores.grad[0].numpy() == pytest.approx(np.array([1.0, 0.0]) - wanted, abs=1e-6)


def test_where_it_agrees_nothing_is_lost(world):
    engine = Linear()
    row = decision(world, [0.0, 0.0, 0.0])
    scores = torch.from_numpy(engine.score(row.view, row.candidates)).float()
    same = Decision.of(row.view, row.candidates, 0.2 * scores + 3.0)

    assert DistillationLosses(engine, SETTINGS.temperature)(
        [same], True
    ).total.item() == pytest.approx(0, abs=1e-6)


def test_an_engine_comes_to_choose_what_pays(world, context):
    """In `corridor`: 1 is taken at once, 0 is left for the next room, but for the last."""
    engine, steps = Linear(), world.corridor(350)
    told = context(validation=world.corridor(60, seed=1))
    result = PolicyDistillation(SETTINGS).train(engine, world.dataset(steps), told)

    def leaves(gain, room):
        view = evolve(steps[0].view, step=room)
        return math.exp(engine.score(view, (world.take(gain), world.leave))[1])

    assert leaves(1.0, 1) < 0.2
    assert leaves(0.0, 1) > 0.8
    assert result.stopped_because in {"finished", "early"}
    assert result.metrics["held_out_loss"] < 0.1 < result.metrics["held_out_loss_before"]
    assert result.metrics["held_out_reward_explained"] > 0.9
    assert result.needs == {"tokenizer": "f" * 8}
    assert [path.name for path in told.directory.iterdir()] == ["linear.safetensors"]


def test_the_newest_steps_are_trained_on(world, context):
    steps = world.corridor(200)
    few = evolve(SETTINGS, newest=50, composed=0, epochs=1, iterations=1)
    result = PolicyDistillation(few).train(Linear(), world.dataset(steps), context())

    assert result.examples == 50
    more = PolicyDistillation(evolve(few, composed=3))
    result = more.train(Linear(), world.dataset(steps), context("more"))
    assert (result.examples, result.metrics["composed"]) == (50, 150)


def test_one_that_was_interrupted_goes_on_as_if_it_had_not(world, context):
    data, few = world.dataset(world.corridor(60)), evolve(SETTINGS, epochs=3, iterations=2)
    whole, broken = Linear(), Linear()
    PolicyDistillation(few).train(whole, data, context("whole"))

    asked = iter(range(1000))
    told = context("broken", should_stop=lambda: next(asked) > 20)
    before = [weight.clone() for weight in broken.module.parameters()]
    result = PolicyDistillation(few).train(broken, data, told)
    assert result.stopped_because == "interrupted"
    assert list(told.directory.iterdir()) == []
    assert all(map(torch.equal, before, broken.module.parameters()))
    assert list(told.state.iterdir())

    PolicyDistillation(few).train(broken, data, context("second", resume_from=told.state))
    for one, other in zip(whole.module.parameters(), broken.module.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_one_that_is_stopped_while_it_fits_leaves_nothing(world, context):
    told = context(should_stop=lambda: True)
    engine = Linear()
    result = PolicyDistillation(SETTINGS).train(engine, world.dataset(world.corridor(60)), told)

    assert result.stopped_because == "interrupted"
    assert list(told.directory.iterdir()) == []


def test_an_engine_without_a_gradient_is_refused(world, context):
    with pytest.raises(ContractError, match="RandomEngine is not"):
        PolicyDistillation(SETTINGS).train(
            RandomEngine(), world.dataset(world.corridor(20)), context()
        )
