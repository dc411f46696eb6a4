"""The trainer ``fitted-q`` on real practice, and where it has nothing to learn from."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from attrs import evolve

from aegis.builtin._engines.uniform import RandomEngine
from aegis.errors import ContractError, InputError
from aegis_reinforce.critic_file import critic_digest, read_critic
from aegis_reinforce.engine import ActionValues
from aegis_reinforce.fitted_q import FittedQ
from aegis_reinforce.settings import EngineSettings, FittedQSettings

FEW = FittedQSettings(iterations=2)


def returns(environment, engine, seeds):
    """Return what each episode brought, drawn from the engine's probabilities."""
    found = []
    for seed in seeds:
        draw, view, total, done = random.Random(seed), environment.reset(seed), 0.0, False
        while not done:
            candidates = environment.candidates(view)
            shares = np.exp(engine.score(view, candidates))
            after = environment.step(draw.choices(candidates, shares)[0])
            view, total, done = after.view, total + after.reward, after.done
        found.append(total)
    return np.array(found)


@pytest.mark.slow
def test_it_gains_from_a_thousand_random_steps(gym, practice, world, context):
    """On validation topics of the sample library; four standard errors above random."""
    engine = ActionValues(EngineSettings())
    cut = next(n for n, s in enumerate(practice) if n > 850 and s.index == 1)
    result = FittedQ(FittedQSettings()).train(
        engine, world.dataset(practice[:cut]), context(validation=practice[cut:])
    )

    assert result.stopped_because == "finished"
    assert result.examples == cut
    assert result.metrics["held_out_reward_explained"] > 0.1
    assert result.metrics["held_out_loss"] < result.metrics["held_out_loss_before"]
    validation, seeds = gym("validation"), range(60)
    gains = returns(validation, engine, seeds) - returns(validation, RandomEngine(), seeds)
    assert gains.mean() > 4 * gains.std() / len(gains) ** 0.5
    assert gains.mean() > 0.4


def test_the_result_is_what_is_served(world, context):
    engine = ActionValues(EngineSettings())
    told = context()
    result = FittedQ(FEW).train(engine, world.dataset(world.corridor(100)), told)

    view, candidates = world.crowded_view(), (world.take(1.0), world.leave)
    again = ActionValues(EngineSettings(), read_critic(told.directory))
    assert again.score(view, candidates).tolist() == engine.score(view, candidates).tolist()
    assert engine.capabilities.weights == critic_digest(told.directory)
    assert result.metrics["trainable_parameters"] == engine.capabilities.parameters
    assert result.metrics["held_out_examples"] == 0
    assert "held_out_loss" not in result.metrics


def test_the_same_seed_gives_the_same_files(world, context):
    digests = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        told = context(name, seed=seed)
        engine = ActionValues(EngineSettings())
        FittedQ(FEW).train(engine, world.dataset(world.corridor(100)), told)
        digests.append(critic_digest(told.directory))

    assert digests[0] == digests[1] != digests[2]


def test_it_reports_how_far_it_is(world, context):
    reports = []
    data = world.dataset(world.corridor(100))
    FittedQ(FEW).train(ActionValues(EngineSettings()), data, context(report=reports.append))

    done = [report["examples"] for report in reports]
    assert done == sorted(done)
    assert done[-1] == reports[-1]["examples_total"] == len(data)


@pytest.mark.parametrize("late", [False, True])
def test_where_it_is_stopped_nothing_is_left_and_nothing_changes(late, world, context):
    engine = ActionValues(EngineSettings())
    asked = iter(range(5))
    changes = (
        {"deadline": time.monotonic() + 0.4} if late else {"should_stop": lambda: next(asked) > 2}
    )
    told = context(**changes)
    result = FittedQ(FEW).train(engine, world.dataset(world.corridor(100)), told)

    assert result.stopped_because == ("deadline" if late else "interrupted")
    assert list(told.directory.iterdir()) == []
    assert engine.critic is None


def test_what_teaches_nothing_is_refused(world, context):
    good = world.corridor(20)
    blind = [evolve(step, decision=evolve(step.decision, chosen=None)) for step in good]
    even = [evolve(step, reward=0.5) for step in good]
    for name, steps, code in (("a", blind, "no-examples"), ("b", even, "rewards-constant")):
        with pytest.raises(InputError) as caught:
            FittedQ(FEW).train(ActionValues(EngineSettings()), world.dataset(steps), context(name))
        (problem,) = caught.value.problems
        assert problem.code == code
        assert problem.where == "[trainer.fitted-q]"
        assert problem.fix


def test_another_engine_is_refused(world, context):
    with pytest.raises(ContractError, match="not RandomEngine"):
        FittedQ(FEW).train(RandomEngine(), world.dataset(world.corridor(20)), context())
