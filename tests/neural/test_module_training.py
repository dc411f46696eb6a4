"""Training an engine's module in place."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from aegis import AegisError, TrainingContext
from aegis.errors import ModelError
from aegis.neural import (
    Losses,
    ModuleLearner,
    RunSettings,
    Weighting,
    choices,
    train_module,
)
from aegis.testing import toy_experience

SETTINGS = RunSettings(epochs=4, batch_size=4, tokens_at_once=100_000, learning_rate=0.05)


def losses_of(engine):
    def losses(examples, training):
        logs, _ = engine.log_probabilities([(e.view, e.candidates) for e in examples])
        chosen = torch.tensor([example.chosen for example in examples])
        return Losses(-logs.gather(1, chosen[:, None]).squeeze(1), {})

    return losses


@pytest.fixture
def context_of(tmp_path):
    def made(name, *, stop=lambda: False, seconds=600.0, resume=None):
        for part in ("result", "state"):
            (tmp_path / name / part).mkdir(parents=True, exist_ok=True)
        return TrainingContext(
            seed=0,
            directory=tmp_path / name / "result",
            state=tmp_path / name / "state",
            resume_from=resume,
            deadline=time.monotonic() + seconds,
            should_stop=stop,
            report=lambda _: None,
            validation=toy_experience(16, first=500),
        )

    return made


def trained(engine, context, **how):
    train = choices(toy_experience(), Weighting("imitate"))
    held_out = choices(context.validation, Weighting("imitate"), train.scale)
    return train_module(
        engine, losses_of(engine), train=train.examples, held_out=held_out.examples,
        settings=how.pop("settings", SETTINGS), context=context, **how,
    )  # fmt: skip


def scores(engine):
    return [engine.score(s.view, s.decision.candidates) for s in toy_experience(8, first=900)]


def test_what_is_served_after_a_training_is_what_was_written(aegis_engine, context_of):
    engine, context = aegis_engine(), context_of("a")
    before = scores(engine)
    result = trained(engine, context)
    again = aegis_engine(checkpoint=context.directory)

    assert result.stopped_because == "finished"
    assert result.examples == 16  # a third of 48 paid
    assert np.abs(np.array(scores(engine)) - before).max() > 0.1
    np.testing.assert_array_equal(scores(again), scores(engine))
    assert result.needs == {"tokenizer": "bytes"}
    assert result.metrics["held_out_loss"] < result.metrics["held_out_loss_before"]


def test_an_interrupted_training_ends_as_one_that_was_not(aegis_engine, context_of):
    whole, halves = aegis_engine(), aegis_engine()
    trained(whole, context_of("whole"))
    asked = iter(range(1000))
    first = context_of("halves", stop=lambda: next(asked) > 6)
    before = scores(halves)
    assert trained(halves, first).stopped_because == "interrupted"
    np.testing.assert_array_equal(scores(halves), before)
    assert not list(first.directory.iterdir())
    trained(halves, context_of("halves", resume=first.state))

    np.testing.assert_array_equal(scores(halves), scores(whole))


def test_a_state_of_another_training_is_refused(aegis_engine, context_of):
    first = context_of("a", stop=iter([False] * 6 + [True] * 99).__next__)
    trained(aegis_engine(), first)

    with pytest.raises(ModelError):
        trained(aegis_engine(), context_of("a", resume=first.state), identity={"other": 1})


def test_frozen_weights_stay_and_are_not_counted(aegis_engine, context_of):
    engine = aegis_engine()
    engine.module.views.requires_grad_(False)
    before = engine.module.views.clone()
    result = trained(engine, context_of("a"), ema=0.9)

    assert torch.equal(engine.module.views, before)
    assert result.metrics["trainable_parameters"] == 256 * 16 + 256
    assert result.metrics["total_parameters"] == 2 * 256 * 16 + 256


def test_nan_leaves_the_engine_as_it_was(aegis_engine, context_of):
    engine, context = aegis_engine(), context_of("a")
    with torch.no_grad():
        engine.module.bias[:] = float("nan")
    result = trained(engine, context)

    assert result.stopped_because == "diverged"
    assert not list(context.directory.iterdir())


def test_weight_decay_pulls_at_matrices_alone(aegis_engine):
    module = aegis_engine().module
    learner = ModuleLearner(module, lambda examples, training: None, weight_decay=0.3)
    decay = {id(w): g["weight_decay"] for g in learner.optimiser.param_groups for w in g["params"]}

    assert decay == {id(module.views): 0.3, id(module.candidates): 0.3, id(module.bias): 0.0}


def test_the_average_of_the_weights_is_measured_and_served(aegis_engine):
    engine = aegis_engine()
    seen = []
    learner = ModuleLearner(
        engine.module,
        lambda examples, training: seen.append((training, float(engine.module.bias.detach()[0]))),
        ema=0.5,
    )
    with torch.no_grad():
        engine.module.bias.fill_(1.0)
    learner.after_step()  # d = min(0.5, 2 / 11): 0 * d + 1 * (1 - d)
    learner.measure([])
    learner.trained([])

    assert seen == [(False, pytest.approx(9 / 11)), (True, 1.0)]
    assert learner.served()["bias"][0].item() == pytest.approx(9 / 11)


def test_choices_leave_out_what_teaches_nothing():
    found = choices(toy_experience(), Weighting("imitate"))

    assert len(found.examples) == 16
    assert found.left_out == {"unpaid": 32}
    assert {e.candidates[e.chosen].tool for e in found.examples} == {"take"}


def test_an_engine_without_a_module_is_refused(context_of):
    with pytest.raises(AegisError, match="trains engines of torch"):
        train_module(
            object(), lambda examples, training: None, train=(), held_out=(),
            settings=SETTINGS, context=context_of("a"),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (lambda loss: Losses(loss[:1], {}), 'have "total" of shape (1,), not (4,)'),
        (lambda loss: Losses(loss.mean(), {}), 'have "total" of shape (), not (4,)'),
        (lambda loss: Losses(loss, {"accuracy": loss[None]}), 'have "accuracy" of shape (1, 4)'),
    ],
)
def test_losses_of_another_shape_are_refused_and_not_spread(aegis_engine, context_of, bad, said):
    engine = aegis_engine()
    right = losses_of(engine)
    examples = choices(toy_experience(), Weighting("imitate")).examples
    with pytest.raises(ValueError, match="one number for each example") as caught:
        train_module(
            engine,
            lambda examples, training: bad(right(examples, training).total),
            train=examples,
            held_out=(),
            settings=SETTINGS,
            context=context_of("a"),
        )
    assert said in str(caught.value)
