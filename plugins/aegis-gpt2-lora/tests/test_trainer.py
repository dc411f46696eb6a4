"""Training: it learns what it is shown, tells how it goes, and stops for every reason there is."""

from __future__ import annotations

import math
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from attrs import evolve

import aegis
from aegis.contracts.view import View
from aegis.errors import ContractError, InputError, ModelError
from aegis.neural import TextItem
from aegis_gpt2_lora import plugin
from aegis_gpt2_lora.learner import AdapterLearner
from aegis_gpt2_lora.learning_rate import default_rate
from aegis_gpt2_lora.trainer import LoraTrainer
from aegis_gpt2_lora.trainer_settings import TrainerSettings, describe_trainer


def chosen_probability(engine, data):
    found = []
    for experience in data:
        scores = engine.score(experience.view, experience.decision.candidates)
        found.append(math.exp(scores[experience.decision.chosen]))
    return np.array(found)


def texts(engine, data):
    items = [
        TextItem(e.view, e.decision.candidates[e.decision.chosen], e.decision.text)
        for e in data
        if e.decision.text
    ]
    with torch.inference_mode():
        return engine.text_log_probabilities(items).numpy()


# Learning


@pytest.fixture
def alternating(ten, rows, step, candidates):
    """Ten decisions between two candidates, for models that take long."""
    return rows(
        step(e.view, candidates[2:4], i % 2, number=i, text="rank of it" if i % 2 else None)
        for i, e in enumerate(ten)
    )


@pytest.mark.parametrize(
    ("model", "rate", "epochs"),
    [("mini", 5e-3, 80), ("tiny", 1e-2, 100), ("llama", 2e-2, 40), ("qwen", 2e-2, 40)],
)
@pytest.mark.slow
def test_ten_examples_are_learned_and_served_from_the_result(
    model, rate, epochs, engine_of, tiny_folder, llama_folder, qwen_folder, ten, alternating, train
):
    folders = {
        "mini": "builtin:mini",
        "tiny": tiny_folder,
        "llama": llama_folder,
        "qwen": qwen_folder,
    }
    data = ten if model == "mini" else alternating
    engine = engine_of(folders[model])
    written = texts(engine, data)
    result = train(engine, data, batch_size=10, learning_rate=rate, epochs=epochs)
    served = engine_of(folders[model], checkpoint=result.directory)

    assert result.stopped_because == "finished"
    assert (result.examples, result.epochs) == (10, epochs)
    assert chosen_probability(served, data).min() > 0.9
    assert (texts(served, data) > written + 1).all()
    for experience in data:
        shown = (experience.view, experience.decision.candidates)
        np.testing.assert_array_equal(served.score(*shown), engine.score(*shown))
    assert served.capabilities.weights == engine.capabilities.weights


def test_only_adapted_weights_change_and_only_by_the_merge(engine_of, tiny_folder, ten, train):
    engine = engine_of(tiny_folder)
    before = {name: weight.detach().clone() for name, weight in engine.module.named_parameters()}
    train(engine, ten, learning_rate=1e-2)
    changed = {n for n, w in engine.module.named_parameters() if not torch.equal(w, before[n])}

    assert changed == {
        f"transformer.h.{layer}.{name}.weight"
        for layer in (0, 1)
        for name in ("attn.c_attn", "attn.c_proj", "mlp.c_proj")
    }
    assert all(weight.requires_grad for weight in engine.module.parameters())


def test_what_paid_is_preferred_to_what_did_not(engine_of, rows, step, view, candidates, train):
    steps = [step(view, candidates, i % 2, origin="own", number=i) for i in range(8)]
    advantages = [1.0 if i % 2 else -1.0 for i in range(8)]
    engine = engine_of()
    train(engine, rows(steps, advantages), epochs=15, learning_rate=5e-3)

    paid = math.exp(engine.score(view, candidates[:2])[1])
    assert paid == pytest.approx(math.exp(1) / (math.exp(1) + math.exp(-1)), abs=0.1)


def test_imitation_takes_nothing_from_own_steps_that_did_not_pay(
    engine_of, rows, step, view, candidates, train
):
    steps = [step(view, candidates, i % 2, origin="own", number=i) for i in range(8)]
    engine = engine_of()
    result = train(
        engine,
        rows(steps, [1.0 if i % 2 else -1.0 for i in range(8)]),
        objective="imitate",
        epochs=15,
        learning_rate=5e-3,
    )

    assert result.examples == 4
    assert result.metrics["left_out_unpaid"] == 4
    assert math.exp(engine.score(view, candidates[:2])[1]) > 0.95


def test_nothing_to_imitate_is_an_error_that_says_why(
    engine_of, tiny_folder, rows, step, view, candidates, train
):
    data = rows([step(view, candidates, 0, origin="own")], [-1.0])

    with pytest.raises(InputError, match=r'none of 1 steps.*objective = "imitate" \(1 unpaid\)'):
        train(engine_of(tiny_folder), data, objective="imitate")


@pytest.mark.slow
def test_real_decisions_without_candidates_lower_the_text_s_loss(
    shared, tmp_path, engine_of, rows, train
):
    from aegis.learning.exchange import import_file
    from aegis.store.ledger import Ledger

    with Ledger.open(tmp_path / "run") as ledger:
        import_file(ledger, shared / "aegis-v1" / "hrm_training_data.react.json")
        found = list(ledger.experiences(limit=120))
    result = train(
        engine_of(), rows(found[:90]), validation=rows(found[90:]), batch_size=16, epochs=1, learning_rate=5e-3
    )  # fmt: skip

    metrics = result.metrics
    assert result.examples == 90
    assert metrics["held_out_examples"] == 30
    assert metrics["held_out_text_loss"] < metrics["held_out_text_loss_before"] - 0.3
    assert metrics["held_out_loss"] == pytest.approx(0.2 * metrics["held_out_text_loss"])
    assert "held_out_choice_loss" not in metrics


# Going on from an adapter


def test_a_training_goes_on_with_the_adapter_that_is_served(engine_of, tiny_folder, ten, train):
    first = train(engine_of(tiny_folder), ten, learning_rate=1e-2, epochs=10)
    parent = engine_of(tiny_folder, checkpoint=first.directory)
    before = chosen_probability(parent, ten)
    second = train(parent, ten, name="second", learning_rate=1e-2, epochs=10)
    served = engine_of(tiny_folder, checkpoint=second.directory)

    assert second.needs == first.needs
    assert np.log(chosen_probability(served, ten)).mean() > np.log(before).mean() + 0.1
    np.testing.assert_array_equal(chosen_probability(served, ten), chosen_probability(parent, ten))


def test_an_adapter_is_taken_off_exactly_before_it_is_trained_on(
    engine_of, tiny_folder, llama_folder, ten, train
):
    for number, folder in enumerate((tiny_folder, llama_folder)):
        first = train(engine_of(folder), ten, name=f"first {number}", learning_rate=1e-2, epochs=2)
        parent = engine_of(folder, checkpoint=first.directory)
        weights = {
            name: weight.detach().clone() for name, weight in parent.module.named_parameters()
        }
        result = train(parent, ten, name=f"second {number}", deadline=time.monotonic())

        assert result.stopped_because == "deadline"
        for name in ("adapter_model.safetensors", "adapter_config.json", "aegis.json"):
            assert (result.directory / name).read_bytes() == (first.directory / name).read_bytes()
        assert all(torch.equal(w, weights[n]) for n, w in parent.module.named_parameters())


def test_another_rank_than_the_served_adapter_s_is_refused(
    engine_of, tiny_folder, ten, train, view, candidates
):
    first = train(engine_of(tiny_folder), ten, epochs=1)
    parent = engine_of(tiny_folder, checkpoint=first.directory)
    before = parent.score(view, candidates)

    with pytest.raises(ModelError, match=r"adapter of rank 8, alpha 16.*ask for rank 4"):
        train(parent, ten, name="second", rank=4)
    with pytest.raises(ModelError, match="no linear module 'c_atn'"):
        train(parent, ten, name="third", targets=("c_atn",))
    np.testing.assert_array_equal(parent.score(view, candidates), before)


def test_a_whole_model_from_a_checkpoint_is_no_base(engine_of, tiny_folder, ten, train, tmp_path):
    folder = tmp_path / "whole"
    folder.mkdir()
    engine_of(tiny_folder).save(folder)

    with pytest.raises(ModelError, match="adapter-no-base"):
        train(engine_of(tiny_folder, checkpoint=folder), ten)


# The same, and not the same


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(
    engine_of, tiny_folder, ten, train
):
    found = []
    for name, seed, state in (("a", 1, 5), ("b", 1, 6), ("c", 2, 5)):
        torch.manual_seed(state)
        result = train(engine_of(tiny_folder), ten, name=name, seed=seed, epochs=2, dropout=0.2)
        found.append((result.directory / "adapter_model.safetensors").read_bytes())

    assert found[0] == found[1]
    assert found[0] != found[2]


def test_how_a_batch_is_divided_changes_only_rounding(engine_of, tiny_folder, ten, train):
    engines = []
    for name, most in (("a", 10_000), ("b", 1)):
        engines.append(engine_of(tiny_folder))
        train(engines[-1], ten, name=name, tokens_at_once=most, epochs=2)
    one, other = (dict(engine.module.named_parameters()) for engine in engines)

    for name, weight in one.items():
        torch.testing.assert_close(weight, other[name], atol=1e-4, rtol=1e-4)


def test_the_random_state_of_the_process_is_left_alone(engine_of, tiny_folder, ten, train):
    state = torch.get_rng_state()
    train(engine_of(tiny_folder), ten, epochs=1, dropout=0.3)

    assert torch.equal(torch.get_rng_state(), state)


# Measuring and stopping


def test_it_reports_how_it_goes(engine_of, tiny_folder, ten, train):
    reports = []
    result = train(engine_of(tiny_folder), ten, validation=ten, epochs=3, report=reports.append)
    measured = [report for report in reports if "held_out_loss" in report]

    assert [report["step"] for report in measured] == [0, 1, 2, 3, 4, 5, 6]
    assert [report["examples"] for report in measured] == [0, 5, 10, 15, 20, 25, 30]
    last = measured[-1]
    assert (last["examples_total"], last["epoch"], last["seconds_left"]) == (30, 3, 0)
    assert last["examples_per_second"] > 0
    assert last["trainable_parameters"] == result.metrics["trainable_parameters"]
    assert all(math.isfinite(value) for report in reports for value in report.values())
    assert result.metrics["held_out_loss"] == min(report["held_out_loss"] for report in measured)


def test_without_held_out_steps_all_epochs_are_trained_and_it_says_so(
    engine_of, tiny_folder, ten, train
):
    result = train(engine_of(tiny_folder), ten, epochs=4, patience=1)

    assert (result.stopped_because, result.epochs) == ("finished", 4)
    assert result.metrics["held_out_examples"] == 0
    assert "held_out_loss" not in result.metrics


def test_it_stops_early_and_keeps_the_best_weights(engine_of, rows, ten, step, candidates, train):
    """Held-out steps choose otherwise: learning by heart makes them worse."""
    contrary = rows(step(e.view, candidates, (e.decision.chosen + 1) % 5) for e in ten)
    engine = engine_of()
    reports = []
    result = train(engine, ten, validation=contrary, epochs=50, patience=3, evaluations=1,
                   learning_rate=5e-3, report=reports.append)  # fmt: skip
    losses = [report["held_out_loss"] for report in reports if "held_out_loss" in report]

    assert result.stopped_because == "early"
    assert result.epochs < 50
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 3
    assert result.metrics["best_step"] == 2 * best
    held_out = -np.log(chosen_probability(engine, contrary)).mean()
    assert held_out == pytest.approx(losses[best], abs=1e-3)


@pytest.mark.parametrize("rate", [1e5, 1e6])
def test_a_training_that_diverges_leaves_nothing_and_the_old_weights(
    rate, engine_of, ten, train, view, candidates
):
    engine = engine_of()
    before = engine.score(view, candidates)
    result = train(engine, ten, validation=ten, learning_rate=rate, epochs=20, patience=100)

    assert result.stopped_because == "diverged"
    assert list(result.directory.iterdir()) == []
    assert 1 <= result.metrics["diverged_at_step"] <= 40
    np.testing.assert_array_equal(engine.score(view, candidates), before)


def test_a_held_out_loss_far_above_the_start_is_divergence(engine_of, ten, rows, step, train):
    contrary = rows(step(e.view, e.decision.candidates, (e.decision.chosen + 1) % 5) for e in ten)
    reports = []
    result = train(engine_of(score="sum"), ten, validation=contrary, learning_rate=0.05, epochs=30,
                   patience=100, report=reports.append)  # fmt: skip
    losses = [report["held_out_loss"] for report in reports if "held_out_loss" in report]

    assert result.stopped_because == "diverged"
    assert max(losses) <= 2 * losses[0] + 1
    assert list(result.directory.iterdir()) == []


@pytest.mark.parametrize("bad", [1, 3, 6])
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_the_first_number_that_is_none_ends_it_and_is_named(
    bad, what, engine_of, tiny_folder, ten, train, monkeypatch, view, candidates
):
    """At the first, a middle and the last step."""
    steps, real = [], AdapterLearner.losses

    def poisoned(self, examples, *, training):
        losses = real(self, examples, training=training)
        steps.append(1)
        if len(steps) == bad and what == "loss":
            return losses._replace(total=losses.total * math.nan)
        if len(steps) == bad:
            losses.total.register_hook(lambda gradient: gradient * math.inf)
        return losses

    monkeypatch.setattr(AdapterLearner, "losses", poisoned)
    reports = []
    engine = engine_of(tiny_folder)
    before = engine.score(view, candidates)
    result = train(engine, ten, epochs=3, report=reports.append)

    assert result.stopped_because == "diverged"
    assert result.metrics["diverged_at_step"] == bad
    assert reports[-1]["diverged_at_step"] == bad
    assert all(math.isfinite(value) for report in reports for value in report.values())
    assert list(result.directory.iterdir()) == []
    np.testing.assert_array_equal(engine.score(view, candidates), before)


def test_weights_that_are_not_finite_are_told_before_the_first_step(
    engine_of, tiny_folder, ten, train
):
    engine = engine_of(tiny_folder)
    with torch.no_grad():
        engine.module.transformer["ln_f"].weight[0] = math.inf
    result = train(engine, ten, validation=ten)

    assert (result.stopped_because, result.metrics["diverged_at_step"]) == ("diverged", 1)


def test_the_deadline_ends_it_with_what_was_learned(engine_of, tiny_folder, ten, train):
    engine = engine_of(tiny_folder)
    began = time.monotonic()
    result = train(engine, ten, epochs=1000, deadline=began + 3, learning_rate=1e-2)

    assert result.stopped_because == "deadline"
    assert time.monotonic() - began < 4
    assert result.epochs > 1
    assert (result.directory / "adapter_model.safetensors").is_file()
    assert any(result.directory.parent.joinpath("state").iterdir())


def test_asked_to_stop_it_keeps_its_state_and_leaves_the_old_weights(
    engine_of, tiny_folder, ten, train, view, candidates
):
    asked = []
    engine = engine_of(tiny_folder)
    before = engine.score(view, candidates)
    result = train(engine, ten, epochs=1000, should_stop=lambda: len(asked.append(1) or asked) > 7)

    assert result.stopped_because == "interrupted"
    assert result.metrics["steps"] == 7
    assert list(result.directory.iterdir()) == []
    assert any(result.directory.parent.joinpath("state").iterdir())
    np.testing.assert_array_equal(engine.score(view, candidates), before)


# Around it


def test_what_it_needs_is_named(engine_of, tiny_folder, ten, train):
    engine = engine_of(tiny_folder)
    result = train(engine, ten, epochs=1)

    assert result.needs == {
        "base_model": str(tiny_folder),
        "base_weights": engine.base.weights,
        "tokenizer": engine.capabilities.tokenizer_fingerprint,
    }


def test_an_engine_of_another_plugin_is_refused(ten, train):
    from aegis.builtin._engines.uniform import RandomEngine

    with pytest.raises(ContractError, match="trains the engine gpt2, not RandomEngine"):
        train(RandomEngine(), ten)


def test_the_manifest_says_what_the_trainer_is():
    component = plugin.aegis_trainers()[0]
    described = component.describe(TrainerSettings(targets=("c_fc",)))
    built = component.build(TrainerSettings(), {}, aegis.Runtime(".", "."))

    assert (component.kind, component.name) == ("trainer", "gpt2-lora")
    assert described.accepts == frozenset({"causal-lm"}) == built.accepts
    assert described.adapter_targets == frozenset({"c_fc"})
    assert describe_trainer(TrainerSettings()).adapter_targets == frozenset()
    assert not described.needs_candidates
    assert isinstance(built, LoraTrainer)


def test_describing_the_trainer_imports_nothing_heavy():
    code = """
import sys
from aegis_gpt2_lora import plugin
for component in plugin.aegis_trainers():
    component.describe(component.config())
print([name for name in ("torch", "peft", "transformers", "numpy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_default_learning_rate_falls_with_the_width(engine_of, tiny_folder, ten, train):
    assert default_rate(768) == pytest.approx(9.1e-4, rel=0.01)
    assert 3e-3 < default_rate(192) < 4e-3
    assert train(engine_of(tiny_folder), ten, epochs=1).metrics["learning_rate"] == 5e-3
    assert train(engine_of(), ten, name="second", epochs=1).metrics[
        "learning_rate"
    ] == default_rate(192)


def test_settings_of_the_engine_decide_what_is_trained(engine_of, tiny_folder, ten, train):
    mean, total = engine_of(tiny_folder), engine_of(tiny_folder, score="sum")
    losses = [
        train(engine, ten, name=name, validation=ten, epochs=1).metrics[
            "held_out_choice_loss_before"
        ]
        for name, engine in (("mean", mean), ("sum", total))
    ]

    assert losses[1] > losses[0] + 1
    for engine, loss in zip(
        (engine_of(tiny_folder), engine_of(tiny_folder, score="sum")), losses, strict=True
    ):
        assert -np.log(chosen_probability(engine, ten)).mean() == pytest.approx(loss, abs=1e-4)


def test_views_of_one_goal_may_be_held_out(engine_of, tiny_folder, rows, step, candidates, train):
    """The figures before the first step are those of the base model, whatever the weights."""
    held_out = rows(
        [step(View(goal="other"), candidates, 2), step(View(goal="third"), candidates, 0)]
    )
    engine = engine_of(tiny_folder)
    expected = -np.log(chosen_probability(engine, held_out)).mean()
    data = rows(
        [step(View(goal="x"), candidates, i, origin="own") for i in range(5)],
        [0.0, 1.0, 2.0, 3.0, 4.0],
    )
    metrics = train(engine, data, validation=held_out, epochs=1).metrics

    assert metrics["held_out_loss_before"] == pytest.approx(expected, abs=1e-4)
    assert evolve(TrainerSettings()).text_loss == 0.2
