"""Training: it learns what is served, tells how it goes, and stops for every reason there is."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from attrs import evolve

import aegis
from aegis.contracts.view import View
from aegis.errors import ContractError, InputError
from aegis.neural import Average
from aegis_hrm import plugin
from aegis_hrm.decision.network import DecisionNetwork, Judgement
from aegis_hrm.examples import examples_of
from aegis_hrm.learner import DeepSupervision, Labels
from aegis_hrm.model.optimisers import AdamATan2
from aegis_hrm.model.recursion import State
from aegis_hrm.settings import DESIGNS
from aegis_hrm.trainer import HrmTrainer, default_rate
from aegis_hrm.trainer_settings import TrainerSettings, describe_trainer


def probabilities(engine, data):
    """Return what the engine gives to the candidates that were taken, (n,)."""
    found = []
    for experience in data:
        scores = engine.score(experience.view, experience.decision.candidates)
        found.append(math.exp(scores[experience.decision.chosen]))
    return np.array(found)


def agreement(engine, data):
    """Return the share of decisions in which the engine's first choice is the one taken."""
    return np.mean(
        [engine.score(e.view, e.decision.candidates).argmax() == e.decision.chosen for e in data]
    )


def cross_entropies(engine, data, targets):
    """Return -sum target * log p of every decision, from the engine's own scores, (n,)."""
    return np.array(
        [
            -np.dot(target, engine.score(e.view, e.decision.candidates))
            for e, target in zip(data, targets, strict=True)
        ]
    )


def weights_of(engine):
    return {name: weight.detach().clone() for name, weight in engine.module.named_parameters()}


@pytest.fixture(scope="module")
def learner_of():
    """Return the function that puts an engine's network in training, as the trainer does."""

    def make(engine, *, segments=2, ema=0.0, halting_loss=0.5):
        return DeepSupervision(
            engine.module, engine.budget, segments=segments, ema=ema, halting_loss=halting_loss,
            learning_rate=1e-3, weight_decay=0.1,
        )  # fmt: skip

    return make


@pytest.fixture
def taught(engine_of, practised, rows, step):
    """Decisions of practice with the probabilities of a teacher, and the teacher's, (n,)."""
    teacher = engine_of(seed=9)
    with torch.no_grad():
        teacher.module.score_head.weight.mul_(12)
    some = [choice for choice in practised if len(choice.candidates) < 14][:7]
    said = [teacher.score(choice.view, choice.candidates) for choice in some]
    data = rows(
        step(c.view, c.candidates, int(scores.argmax()), scores=scores, engine="teacher", number=i)
        for i, (c, scores) in enumerate(zip(some, said, strict=True), start=1)
    )
    return data, [np.exp(scores) for scores in said]


# What is trained is what is scored


@pytest.mark.parametrize("objective", ["imitate", "distill"])
@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("segments", [1, 3])
def test_the_measured_loss_is_the_cross_entropy_of_what_is_served(
    engine_of, learner_of, taught, segments, ema, objective
):
    data, targets = taught
    engine = engine_of(segments=segments)
    if objective == "imitate":
        targets = [np.eye(len(p))[p.argmax()] for p in targets]
    expected = cross_entropies(engine, data, targets)
    settings = TrainerSettings(objective=objective)
    examples = examples_of(data, engine.layout, settings).rows

    found = learner_of(engine, ema=ema).measure(examples)

    np.testing.assert_allclose(found.total.numpy(), expected, atol=1e-5)
    np.testing.assert_array_equal(found.parts["choice_loss"], found.total)
    assert found.parts["segments"].tolist() == [segments] * len(data)
    assert found.parts["accuracy"].mean() == pytest.approx(agreement(engine, data))


@pytest.mark.parametrize("hierarchy", ["hrm", "trm", "plain"])
def test_a_segment_that_is_trained_is_that_which_is_served(
    engine_of, learner_of, taught, hierarchy
):
    """The nth loss of an attempt is that of an engine that decides after n segments."""
    data, targets = taught
    engines = [engine_of(hierarchy=hierarchy, segments=n) for n in (1, 2)]
    settings = TrainerSettings(objective="distill")
    examples = examples_of(data, engines[0].layout, settings).rows
    attempt = learner_of(engines[0]).attempt(examples)

    for engine in engines:
        parts = attempt.losses().parts
        expected = cross_entropies(engine, data, targets)
        np.testing.assert_allclose(parts["choice_loss"], expected, atol=1e-5)
        assert parts["accuracy"].mean() == pytest.approx(agreement(engine, data))


def test_the_figures_before_the_first_step_are_those_of_the_engine(engine_of, taught, train):
    data, targets = taught
    engine = engine_of()
    expected = cross_entropies(engine, data, targets).mean()
    metrics = train(engine, data, validation=data, objective="distill", epochs=1).metrics

    assert metrics["held_out_loss_before"] == pytest.approx(expected, abs=1e-5)
    after = cross_entropies(engine, data, targets).mean()
    assert metrics["held_out_loss"] == pytest.approx(after, abs=1e-5)


def test_the_losses_of_a_segment_are_their_formulas(engine_of, learner_of):
    """Cross entropy, and twice the binary one: of being right, of the better value one later."""
    learner = learner_of(engine_of(q_continue=True), halting_loss=0.7)
    scores = torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.4, 0.0]]).log()
    halt, proceed = torch.tensor([0.3, -2.0]), torch.tensor([1.1, 0.4])
    nothing = State(torch.zeros(2, 1, 16), torch.zeros(2, 1, 16))
    said = Judgement(nothing, scores, halt, proceed)
    later = said._replace(q_halt=torch.tensor([2.0, -1.0]), q_continue=torch.tensor([0.5, 0.9]))
    targets = torch.tensor([[0.1, 0.9, 0.0], [0.0, 1.0, 0.0]])
    labels = Labels(torch.tensor([1, 1]), targets)

    def sigmoid(x):
        return 1 / (1 + math.exp(-x))

    def binary(x, target):
        return -target * math.log(sigmoid(x)) - (1 - target) * math.log(1 - sigmoid(x))

    choice = [-0.1 * math.log(0.2) - 0.9 * math.log(0.5), -math.log(0.4)]
    right = [1.0, 0.0]
    halting = [binary(0.3, 1), binary(-2.0, 0)]
    proceeding = [binary(1.1, sigmoid(2.0)), binary(0.4, sigmoid(0.9))]
    both = learner.judged(said, later, labels, last=False)
    assert both.total.tolist() == pytest.approx(
        [c + 0.7 * (h + p) for c, h, p in zip(choice, halting, proceeding, strict=True)]
    )
    assert both.parts["choice_loss"].tolist() == pytest.approx(choice)
    assert both.parts["accuracy"].tolist() == right
    ending = learner.judged(said, later, labels, last=True)  # then there is only deciding
    proceeding = [binary(1.1, sigmoid(2.0)), binary(0.4, sigmoid(-1.0))]
    assert ending.total.tolist() == pytest.approx(
        [c + 0.7 * (h + p) for c, h, p in zip(choice, halting, proceeding, strict=True)]
    )
    alone = learner.judged(said, None, labels, last=False)
    assert alone.total.tolist() == pytest.approx(
        [c + 0.7 * h for c, h in zip(choice, halting, strict=True)]
    )


# Learning


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ({}, {"ema": 0.0}),
        ({"hierarchy": "trm", "q_continue": True}, {"ema": 0.8}),
        ({"hierarchy": "plain", "positions": "learned"}, {"ema": 0.0}),
    ],
    ids=["hrm", "trm", "plain"],
)
def test_twelve_decisions_are_learned_and_served_from_the_result(
    engine_of, twelve, train, changes, settings
):
    engine = engine_of(**changes)
    before = agreement(engine, twelve)
    result = train(engine, twelve, validation=twelve, epochs=44, patience=99, **settings)
    served = engine_of(checkpoint=result.directory, seed=9, **changes)

    assert before < 0.6
    assert result.stopped_because == "finished"
    assert (result.examples, result.epochs) == (12, 44)
    assert result.metrics["held_out_accuracy"] == 1.0 == agreement(served, twelve)
    assert probabilities(served, twelve).min() > 0.9
    for experience in twelve:
        shown = (experience.view, experience.decision.candidates)
        np.testing.assert_array_equal(served.score(*shown), engine.score(*shown))
    assert served.capabilities.weights == engine.capabilities.weights
    assert not engine.module.training


def test_what_is_surely_right_is_decided_at_once(engine_of, twelve, train):
    """The halting head learns whether the answer is right."""
    engine = engine_of(segments=3)
    metrics = train(engine, twelve, validation=twelve, epochs=50, patience=99, ema=0.0).metrics
    taken = []
    for experience in twelve:
        engine.score(experience.view, experience.decision.candidates)
        taken.append(engine.remarks["segments"])

    assert metrics["held_out_segments_before"] == 3.0
    assert metrics["held_out_segments"] == np.mean(taken) < 1.5


def test_without_a_halting_loss_nothing_is_decided_early(engine_of, twelve, train):
    engine = engine_of(segments=3)
    metrics = train(engine, twelve, validation=twelve, epochs=5, halting_loss=0.0).metrics

    assert metrics["held_out_segments"] == 3.0


def test_what_paid_is_preferred_to_what_did_not(engine_of, rows, step, view, candidates, train):
    """Weights are exp(+1) and exp(-1), hence so are the probabilities in the end."""
    steps = [step(view, candidates[:2], i % 2, origin="own", number=i) for i in range(8)]
    engine = engine_of()
    train(engine, rows(steps, [1.0 if i % 2 else -1.0 for i in range(8)]), epochs=30, batch_size=8)

    paid = math.exp(engine.score(view, candidates[:2])[1])
    assert paid == pytest.approx(math.exp(1) / (math.exp(1) + math.exp(-1)), abs=0.1)


def test_imitation_takes_nothing_from_own_steps_that_did_not_pay(
    engine_of, rows, step, view, candidates, train
):
    steps = [step(view, candidates[:2], i % 2, origin="own", number=i) for i in range(8)]
    engine = engine_of()
    data = rows(steps, [1.0 if i % 2 else -1.0 for i in range(8)])
    result = train(engine, data, objective="imitate", epochs=25)

    assert result.examples == 4
    assert result.metrics["left_out_unpaid"] == 4
    assert math.exp(engine.score(view, candidates[:2])[1]) > 0.9


@pytest.mark.parametrize("settings", [{"objective": "distill"}, {"distillation": 1.0}], ids=str)
def test_a_teacher_s_probabilities_are_learned(engine_of, taught, train, settings):
    data, targets = taught
    entropy = np.array([-np.dot(p, np.log(p)) for p in targets])

    def divergence(engine):
        """Return the mean Kullback-Leibler divergence KL(teacher || engine)."""
        return (cross_entropies(engine, data, targets) - entropy).mean()

    engine = engine_of()
    before = divergence(engine)
    train(engine, data, epochs=26, ema=0.0, teacher="teacher", **settings)

    assert before > 0.05
    assert 0 <= divergence(engine) < before / 3


# Deep supervision


@pytest.fixture
def calls(monkeypatch):
    """Everything that the network computes in training, and the optimiser's steps, in order."""
    seen = []
    forward, step = DecisionNetwork.forward, AdamATan2.step

    def watched(self, state, prepared):
        said = forward(self, state, prepared)
        if self.training:
            seen.append(("segment", state, said.state, torch.is_grad_enabled()))
        return said

    def stepped(self, closure=None):
        seen.append(("step",))
        step(self, closure)

    monkeypatch.setattr(DecisionNetwork, "forward", watched)
    monkeypatch.setattr(AdamATan2, "step", stepped)
    return seen


@pytest.mark.parametrize("segments", [1, 3])
def test_a_batch_takes_a_step_after_every_segment_and_goes_on_from_its_state(
    engine_of, twelve, train, calls, segments
):
    """Two batches, each computed in two pieces whose states are kept apart."""
    engine = engine_of()
    tokens = [engine.layout.row(e.view, e.decision.candidates).tokens for e in twelve]
    result = train(
        engine, twelve, epochs=1, segments=segments, tokens_at_once=3 * max(tokens), ema=0.0
    )

    assert result.metrics["steps"] == 2
    pattern = ["segment", "segment", "step"] * segments * 2
    assert [call[0] for call in calls] == pattern
    computed = [call for call in calls if call[0] == "segment"]
    for number, (_, before, after, _) in enumerate(computed):
        if number % (2 * segments) < 2:  # the first segment of a batch
            expected = (engine.module.H_init, engine.module.L_init)
            assert all(
                torch.equal(part, init.expand_as(part))
                for part, init in zip(before, expected, strict=True)
            )
        else:
            assert before is computed[number - 2][2]
        assert not after.high.requires_grad
        assert not torch.equal(before.high, after.high)


def test_the_value_of_thinking_on_looks_one_segment_ahead_without_a_gradient(
    engine_of, twelve, train, calls
):
    train(engine_of(q_continue=True), twelve, epochs=1, segments=2, batch_size=12)
    kinds = [(call[0], *call[3:]) for call in calls]

    assert kinds == [("segment", True), ("segment", False), ("step",)] * 2
    first, ahead, second, _ = (call for call in calls if call[0] == "segment")
    assert ahead[1] is first[2], "ahead of what was said"
    assert second[1] is first[2], "and not gone on from"


def test_the_value_of_thinking_on_is_not_trained_where_nothing_follows(
    engine_of, twelve, train, calls
):
    train(engine_of(q_continue=True, segments=1), twelve, epochs=1, segments=1, batch_size=12)

    assert [call[0] for call in calls] == ["segment", "step"]


def test_the_value_of_thinking_on_is_trained_wherever_it_decides(engine_of, twelve, train, calls):
    """Also where one segment is supervised and more may be taken: it says when to stop."""
    train(engine_of(q_continue=True, segments=3), twelve, epochs=1, segments=1, batch_size=12)

    assert [call[0] for call in calls] == ["segment", "segment", "step"]


def test_the_halting_head_learns_from_a_teacher_s_best_and_not_from_the_draw(engine_of, learner_of):
    learner = learner_of(engine_of(), halting_loss=1.0)
    scores = torch.tensor([[0.7, 0.3]]).log()
    nothing = State(torch.zeros(1, 1, 16), torch.zeros(1, 1, 16))
    said = Judgement(nothing, scores, torch.tensor([2.0]), torch.tensor([0.0]))
    drawn = Labels(chosen=torch.tensor([1]), targets=torch.tensor([[0.6, 0.4]]))
    found = learner.judged(said, None, drawn, last=False)

    choice = -0.6 * math.log(0.7) - 0.4 * math.log(0.3)
    assert found.total.item() == pytest.approx(choice + math.log(1 + math.exp(-2.0)))
    assert found.parts["accuracy"].item() == 0.0  # agreement is with what was taken


def test_a_plain_transformer_is_trained_in_one_step_a_batch(engine_of, twelve, train, calls):
    train(engine_of(hierarchy="plain"), twelve, epochs=1, segments=7, batch_size=12)

    assert [call[0] for call in calls] == ["segment", "step"]


def test_segments_and_average_are_the_preset_s_where_nothing_is_said(
    engine_of, twelve, train, calls, monkeypatch
):
    kept = []
    real = Average.__init__
    monkeypatch.setattr(
        Average, "__init__", lambda self, module, share: kept.append(share) or real(self, module, share)
    )  # fmt: skip
    for preset, design in DESIGNS.items():
        calls.clear()
        engine = engine_of(preset=preset, q_continue=False)
        train(engine, twelve, name=preset, epochs=1, batch_size=12, segments=None, ema=None)
        assert [call[0] for call in calls] == ["segment", "step"] * design.training_segments
        assert kept.pop() == design.ema


@pytest.mark.parametrize("ema", [0.0, 0.5, 0.9])
def test_the_average_of_the_weights_is_served(engine_of, twelve, train, monkeypatch, ema):
    """Recomputed here from the weights after every step."""
    engine = engine_of()
    name = "L_level.layers.0.mlp.down_proj.weight"
    expected, steps, real = weights_of(engine)[name].double(), [], Average.move

    def moved(self):
        nonlocal expected
        weight = engine.module.get_parameter(name).detach().double()
        steps.append(weight)
        share = min(ema, (1 + len(steps)) / (10 + len(steps)))
        expected = share * expected + (1 - share) * weight
        real(self)

    monkeypatch.setattr(Average, "move", moved)
    train(engine, twelve, epochs=4, ema=ema)

    assert len(steps) == 2 * 2 * 4
    served = weights_of(engine)[name].double()
    torch.testing.assert_close(served, expected, atol=1e-6, rtol=1e-5)
    if ema:
        assert not torch.allclose(served, steps[-1], atol=1e-4)


# What is left alone


def test_the_initial_states_are_not_trained(engine_of, twelve, train):
    engine = engine_of()
    before = {name: value.clone() for name, value in engine.module.named_buffers()}
    weights = weights_of(engine)
    result = train(engine, twelve, epochs=2, ema=0.0)
    served = engine_of(seed=5, checkpoint=result.directory)

    assert before.keys() == {"H_init", "L_init"}
    for name, value in before.items():
        assert torch.equal(engine.module.get_buffer(name), value)
        assert torch.equal(served.module.get_buffer(name), value)
    changed = {n for n, w in engine.module.named_parameters() if not torch.equal(w, weights[n])}
    assert changed == weights.keys()
    assert all(weight.grad is None for weight in engine.module.parameters())


def test_nothing_of_the_process_is_changed(engine_of, twelve, train):
    engine = engine_of()

    def state():
        return (
            torch.get_rng_state().tolist(), torch.get_default_dtype(), torch.get_num_threads(),
            torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled(),
            np.random.get_state()[1].tolist(),
        )  # fmt: skip

    before = state()
    train(engine, twelve, validation=twelve, epochs=1, ema=0.9)

    assert state() == before


def test_the_data_are_not_changed(engine_of, twelve, rows, train):
    copies = [evolve(experience) for experience in twelve]
    before = repr((twelve.steps, twelve.advantages))
    train(engine_of(), twelve, validation=twelve, epochs=2)

    assert list(twelve) == copies
    assert repr((twelve.steps, twelve.advantages)) == before


# The same, and not the same


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(engine_of, twelve, train):
    found = []
    for name, seed, state in (("a", 1, 5), ("b", 1, 6), ("c", 2, 5)):
        torch.manual_seed(state)
        result = train(engine_of(), twelve, name=name, seed=seed, epochs=2)
        found.append((result.directory / "model.safetensors").read_bytes())

    assert found[0] == found[1]
    assert found[0] != found[2]


def test_how_a_batch_is_divided_changes_only_rounding(engine_of, twelve, train):
    engines = []
    for name, most in (("a", 100_000), ("b", 1)):
        engines.append(engine_of())
        train(engines[-1], twelve, name=name, tokens_at_once=most, epochs=1, learning_rate=1e-3)
    one, other = (weights_of(engine) for engine in engines)

    for name, weight in one.items():
        torch.testing.assert_close(weight, other[name], atol=2e-3, rtol=1e-3)
    np.testing.assert_allclose(
        probabilities(engines[0], twelve), probabilities(engines[1], twelve), atol=2e-3
    )


# Measuring and stopping


def test_it_reports_how_it_goes(engine_of, twelve, train):
    reports = []
    result = train(engine_of(), twelve, validation=twelve, epochs=3, report=reports.append)
    measured = [report for report in reports if "held_out_loss" in report]

    assert [report["step"] for report in measured] == [0, 2, 4, 6]
    assert [report["examples"] for report in measured] == [0, 12, 24, 36]
    assert (measured[-1]["examples_total"], measured[-1]["epoch"]) == (36, 3)
    assert all(math.isfinite(value) for report in reports for value in report.values())
    assert result.metrics["held_out_loss"] == min(report["held_out_loss"] for report in measured)


def test_its_metrics_are_these(engine_of, rows, step, twelve, candidates, train):
    engine = engine_of()
    data = rows([*twelve, step(View(goal="x"), candidates[:1], 0)])
    result = train(engine, data, validation=twelve, epochs=2)
    measured = {"held_out_loss", "held_out_choice_loss", "held_out_accuracy", "held_out_segments"}

    assert result.metrics.keys() == {
        *measured, *(f"{name}_before" for name in measured), "best_step", "held_out_examples",
        "left_out_no_choice", "learning_rate", "loss", "steps", "total_parameters",
        "trainable_parameters",
    }  # fmt: skip
    assert result.metrics["held_out_examples"] == 12
    assert result.metrics["left_out_no_choice"] == 1
    assert result.metrics["steps"] == 4
    weights = sum(weight.numel() for weight in engine.module.parameters())
    assert result.metrics["trainable_parameters"] == weights == result.metrics["total_parameters"]
    assert result.needs == {"tokenizer": engine.capabilities.tokenizer_fingerprint}
    assert engine.capabilities.weights is not None
    assert not engine.capabilities.weights.startswith("fresh-")


def test_without_held_out_steps_all_epochs_are_trained(engine_of, twelve, train):
    result = train(engine_of(), twelve, epochs=4, patience=1)

    assert (result.stopped_because, result.epochs) == ("finished", 4)
    assert result.metrics["held_out_examples"] == 0
    assert "held_out_loss" not in result.metrics


def contrary_to(data, rows, step):
    """Return decisions in which something else is right, so that learning makes them worse."""
    return rows(
        step(e.view, e.decision.candidates, (e.decision.chosen + 1) % 5, number=i)
        for i, e in enumerate(data)
    )


def test_it_stops_early_and_keeps_the_best_weights(engine_of, rows, twelve, step, train):
    contrary = contrary_to(twelve, rows, step)
    engine = engine_of()
    reports = []
    result = train(engine, twelve, validation=contrary, epochs=50, patience=2, ema=0.0,
                   learning_rate=2e-3, report=reports.append)  # fmt: skip
    losses = [report["held_out_loss"] for report in reports if "held_out_loss" in report]

    assert result.stopped_because == "early"
    assert result.epochs < 50
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 2
    assert result.metrics["best_step"] == 2 * best
    held_out = -np.log(probabilities(engine, contrary)).mean()
    assert held_out == pytest.approx(losses[best], abs=1e-5)
    served = engine_of(seed=4, checkpoint=result.directory)
    assert -np.log(probabilities(served, contrary)).mean() == pytest.approx(held_out, abs=1e-9)


def test_a_held_out_loss_far_above_the_start_is_divergence(engine_of, rows, twelve, step, train):
    engine = engine_of()
    before = weights_of(engine)
    contrary = contrary_to(twelve, rows, step)
    result = train(engine, twelve, validation=contrary, epochs=60, patience=99, ema=0.0)

    assert result.stopped_because == "diverged"
    assert list(result.directory.iterdir()) == []
    assert all(torch.equal(w, before[n]) for n, w in engine.module.named_parameters())


@pytest.mark.parametrize("bad", [1, 2, 7, 12])
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_the_first_number_that_is_none_ends_it_and_is_named(
    bad, what, engine_of, twelve, train, monkeypatch, view, candidates
):
    """At the first, the second, a middle and the last of 12 steps: 3 epochs, 2 batches, 2 each.

    The second step of a batch comes after the weights have moved in it.
    """
    steps, real = [], DeepSupervision.judged

    def poisoned(self, *given, **more):
        losses = real(self, *given, **more)
        steps.append(1)
        if len(steps) == bad and what == "loss":
            return losses._replace(total=losses.total * math.nan)
        if len(steps) == bad:
            losses.total.register_hook(lambda gradient: gradient * math.inf)
        return losses

    monkeypatch.setattr(DeepSupervision, "judged", poisoned)
    reports = []
    engine = engine_of()
    before, name = weights_of(engine), engine.capabilities.weights
    scores = engine.score(view, candidates)
    result = train(engine, twelve, epochs=3, ema=0.9, report=reports.append)

    assert result.stopped_because == "diverged"
    assert result.metrics["diverged_at_step"] == math.ceil(bad / 2)
    assert reports[-1]["diverged_at_step"] == math.ceil(bad / 2)
    assert all(math.isfinite(value) for report in reports for value in report.values())
    assert list(result.directory.iterdir()) == []
    assert all(torch.equal(w, before[n]) for n, w in engine.module.named_parameters())
    np.testing.assert_array_equal(engine.score(view, candidates), scores)
    assert engine.capabilities.weights == name


def test_a_last_step_to_weights_that_are_no_numbers_is_divergence(
    engine_of, twelve, train, monkeypatch
):
    """No loss is computed after it."""
    steps, real = [], AdamATan2.step

    def broken(self, closure=None):
        real(self, closure)
        steps.append(1)
        if len(steps) == 12:
            with torch.no_grad():
                self.param_groups[0]["params"][0][0] = math.nan

    monkeypatch.setattr(AdamATan2, "step", broken)
    engine = engine_of()
    before = weights_of(engine)
    result = train(engine, twelve, epochs=3)

    assert len(steps) == 12
    assert (result.stopped_because, result.metrics["diverged_at_step"]) == ("diverged", 6)
    assert list(result.directory.iterdir()) == []
    assert all(torch.equal(w, before[n]) for n, w in engine.module.named_parameters())


def test_the_deadline_ends_it_with_what_was_learned(engine_of, twelve, train):
    engine = engine_of()
    began = time.monotonic()
    result = train(engine, twelve, epochs=10_000, deadline=began + 1.3)

    assert result.stopped_because == "deadline"
    assert time.monotonic() - began < 3
    assert result.epochs > 1
    assert any(result.directory.parent.joinpath("state").iterdir())
    served = engine_of(seed=3, checkpoint=result.directory)
    np.testing.assert_array_equal(probabilities(served, twelve), probabilities(engine, twelve))


def test_asked_to_stop_it_keeps_its_state_and_leaves_the_old_weights(
    engine_of, twelve, train, view, candidates
):
    asked = []
    engine = engine_of()
    before, name = engine.score(view, candidates), engine.capabilities.weights
    result = train(
        engine, twelve, epochs=1000, should_stop=lambda: len(asked.append(1) or asked) > 9
    )

    assert result.stopped_because == "interrupted"
    assert result.metrics["steps"] == 4  # it is asked twice in a batch
    assert list(result.directory.iterdir()) == []
    assert any(result.directory.parent.joinpath("state").iterdir())
    np.testing.assert_array_equal(engine.score(view, candidates), before)
    assert engine.capabilities.weights == name
    assert not engine.module.training


# Around it


def test_nothing_to_train_on_is_an_error_that_says_why(
    engine_of, rows, step, view, candidates, train
):
    data = rows([step(view, candidates, 0, origin="own"), step(view, candidates[:1], 0)], [-1.0, 0])

    with pytest.raises(InputError) as caught:
        train(engine_of(), data, objective="imitate")
    (problem,) = caught.value.problems
    assert problem.message == (
        'none of 2 steps trains anything with objective = "imitate" (1 no choice, 1 unpaid)'
    )
    assert problem.where == "[trainer.hrm-imitation].objective"
    with pytest.raises(InputError, match=r"\(2 no teacher\)"):
        train(engine_of(), rows([data[0]] * 2), name="second", objective="distill", teacher="x")


def test_an_engine_of_another_plugin_is_refused(twelve, train):
    from aegis.builtin._engines.uniform import RandomEngine

    with pytest.raises(ContractError, match="trains the engine hrm, not RandomEngine"):
        train(RandomEngine(), twelve)


def test_the_manifest_says_what_the_trainer_is():
    (component,) = plugin.aegis_trainers()
    described = component.describe(TrainerSettings())
    built = component.build(TrainerSettings(), {}, aegis.Runtime(".", "."))

    assert (component.kind, component.name) == ("trainer", "hrm-imitation")
    assert described.accepts == frozenset({"hrm"}) == built.accepts
    assert described == describe_trainer(TrainerSettings(objective="distill"))
    assert described.adapter_targets == frozenset()
    assert described.needs_candidates
    assert isinstance(built, HrmTrainer)


def test_the_default_learning_rate_falls_with_the_width(engine_of, twelve, train):
    assert default_rate(16) == default_rate(128) == 0.002
    assert default_rate(512) == pytest.approx(0.0005)
    result = train(engine_of(), twelve, epochs=1, learning_rate=0.0)
    assert result.metrics["learning_rate"] == 0.002
