"""Whole training: it learns what it is shown, is served from its result, and stops as it should."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from attrs import evolve

import aegis
from aegis.contracts.roles import TrainingContext
from aegis.errors import ContractError, InputError, ModelError
from aegis.neural import ModuleLearner
from aegis_gpt2_lora import plugin
from aegis_gpt2_lora.full_trainer import FullTrainer
from aegis_gpt2_lora.learning_rate import default_full_rate
from aegis_gpt2_lora.trainer_settings import FullTrainerSettings

PLAIN = evolve(FullTrainerSettings(), batch_size=5, warmup=0.0, epochs=3)
STEADY = {"floor": 1.0, "batch_size": 10}  # one step an epoch, at the same rate


@pytest.fixture
def full(tmp_path, rows):
    """Return the function that trains an engine whole and returns the result."""

    def run(engine, data, *, name="first", validation=None, deadline=None, should_stop=lambda: False,
            report=lambda _: None, resume_from=None, seed=0, **settings):  # fmt: skip
        folders = [tmp_path / name / kind for kind in ("result", "state")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        context = TrainingContext(
            seed=seed, directory=folders[0], state=folders[1], resume_from=resume_from,
            deadline=deadline or time.monotonic() + 600, should_stop=should_stop, report=report,
            validation=validation or rows(),
        )  # fmt: skip
        return FullTrainer(evolve(PLAIN, **settings)).train(engine, data, context)

    return run


@pytest.fixture
def three(rows, ten):
    """Three of the ten decisions, for measuring."""
    return rows(ten[i] for i in range(3))


@pytest.fixture
def choices(rows, ten):
    """The ten decisions without the texts that were written."""
    return rows(evolve(e, decision=evolve(e.decision, text=None)) for e in ten)


def weights_of(engine):
    return {name: weight.detach().clone() for name, weight in engine.module.named_parameters()}


def stored(result):
    return (result.directory / "model.safetensors").read_bytes()


def cross_entropy(engine, data):
    """Return -log p of what was chosen by what `score` serves, mean over the steps."""
    each = [
        engine.score(e.view, e.decision.candidates)[e.decision.chosen]
        for e in data
        if len(e.decision.candidates) > 1
    ]
    return -np.mean(each)


# Learning


@pytest.mark.slow
@pytest.mark.parametrize(("model", "rate", "epochs"), [("tiny", 1e-2, 60), ("llama", 1e-2, 20)])
def test_ten_examples_are_learned_and_served_from_the_result(
    model, rate, epochs, engine_of, tiny_folder, llama_folder, choices, full
):
    folder = {"tiny": tiny_folder, "llama": llama_folder}[model]
    engine = engine_of(folder)
    result = full(engine, choices, learning_rate=rate, epochs=epochs)
    served = engine_of(folder, checkpoint=result.directory)
    alone = engine_of(result.directory)

    assert (result.stopped_because, result.examples, result.epochs) == ("finished", 10, epochs)
    assert cross_entropy(served, choices) < 0.3
    for experience in choices:
        shown = (experience.view, experience.decision.candidates)
        np.testing.assert_array_equal(served.score(*shown), engine.score(*shown))
        np.testing.assert_array_equal(alone.score(*shown), engine.score(*shown))
    assert served.capabilities == engine.capabilities == alone.capabilities


def test_all_weights_change(engine_of, tiny_folder, ten, full):
    engine = engine_of(tiny_folder)
    before = weights_of(engine)
    result = full(engine, ten, epochs=1)
    after = weights_of(engine)

    assert not [name for name in before if torch.equal(before[name], after[name])]
    assert result.metrics["trainable_parameters"] == result.metrics["total_parameters"]
    assert result.metrics["total_parameters"] == sum(w.numel() for w in before.values())


@pytest.mark.parametrize("settings", [{}, {"dropout": 0.3}, {"ema": 0.5}])
@pytest.mark.parametrize("score", ["mean", "sum"])
def test_the_loss_is_the_cross_entropy_of_what_is_served(
    settings, score, engine_of, tiny_folder, choices, full
):
    engine = engine_of(tiny_folder, score=score)
    before = cross_entropy(engine, choices)
    metrics = full(engine, choices, validation=choices, learning_rate=3e-3, **settings).metrics

    assert metrics["held_out_loss_before"] == pytest.approx(before, abs=1e-5)
    assert metrics["held_out_loss"] == pytest.approx(cross_entropy(engine, choices), abs=1e-5)
    assert metrics["held_out_loss"] < before


def test_the_first_step_is_adamw_s_by_its_formula(engine_of, tiny_folder, choices, full):
    """w (1 - rate decay) - rate g / (|g| + eps), g scaled to its norm; vectors do not decay."""
    rate, decay, norm = 1e-3, 5.0, 0.5
    engine = engine_of(tiny_folder)
    before = weights_of(engine)
    chances, _ = engine.log_probabilities([(e.view, e.decision.candidates) for e in choices])
    chosen = torch.tensor([e.decision.chosen for e in choices])
    loss = -chances.gather(1, chosen[:, None]).mean()
    names, weights = zip(*engine.module.named_parameters(), strict=True)
    gradients = torch.autograd.grad(loss, weights)
    total = torch.cat([g.flatten() for g in gradients]).norm()
    assert total > norm
    full(engine, choices, epochs=1, learning_rate=rate, weight_decay=decay, max_grad_norm=norm,
         **STEADY)  # fmt: skip
    after = weights_of(engine)

    for name, gradient in zip(names, gradients, strict=True):
        g = gradient * norm / total
        kept = before[name] * (1 - rate * decay * (before[name].dim() > 1))
        expected = kept - rate * g / (g.abs() + 1e-8)
        clear = g.abs() > 1e-4  # where rounding decides no sign
        assert clear.sum() > 5, name
        torch.testing.assert_close(after[name][clear], expected[clear], atol=2e-6, rtol=1e-5)
    places = "transformer.wpe.weight"  # one that nothing reached only decays
    torch.testing.assert_close(after[places][-1], before[places][-1] * (1 - rate * decay))


def test_the_average_of_the_weights_is_served_by_its_formula(engine_of, tiny_folder, choices, full):
    """w_bar <- d w_bar + (1 - d) w with d = min(ema, (1 + t) / (10 + t))."""
    path = [weights_of(engine_of(tiny_folder))]
    for epochs in (1, 2, 3):
        engine = engine_of(tiny_folder)
        full(engine, choices, name=f"{epochs}", epochs=epochs, learning_rate=1e-2, **STEADY)
        path.append(weights_of(engine))
    averaged = engine_of(tiny_folder)
    full(averaged, choices, epochs=3, learning_rate=1e-2, ema=0.3, **STEADY)

    for name, weight in averaged.module.named_parameters():
        expected = path[0][name]
        for step in (1, 2, 3):
            share = min(0.3, (1 + step) / (10 + step))
            expected = share * expected + (1 - share) * path[step][name]
        torch.testing.assert_close(weight.detach(), expected, atol=1e-6, rtol=1e-5)


def test_what_paid_is_preferred_to_what_did_not(
    engine_of, tiny_folder, rows, step, view, candidates, full
):
    steps = [step(view, candidates, i % 2, origin="own", number=i) for i in range(8)]
    advantages = [1.0 if i % 2 else -1.0 for i in range(8)]
    engine = engine_of(tiny_folder)
    full(engine, rows(steps, advantages), epochs=25, learning_rate=1e-2)

    paid = math.exp(engine.score(view, candidates[:2])[1])
    assert paid == pytest.approx(math.exp(1) / (math.exp(1) + math.exp(-1)), abs=0.1)


def test_nothing_to_imitate_is_an_error_that_names_the_section(
    engine_of, tiny_folder, rows, step, view, candidates, full
):
    data = rows([step(view, candidates, 0, origin="own")], [-1.0])

    with pytest.raises(InputError, match=r"trainer\.gpt2-full"):
        full(engine_of(tiny_folder), data, objective="imitate")


# The result


def test_the_result_is_a_model_that_transformers_reads(engine_of, tiny_folder, ten, full):
    from transformers import AutoModelForCausalLM

    engine = engine_of(tiny_folder)
    result = full(engine, ten)
    theirs = AutoModelForCausalLM.from_pretrained(result.directory)
    ids = torch.tensor([engine.encoding.prompt(ten[0].view).ids])
    with torch.inference_mode():
        hidden, _ = engine.module(ids)
        torch.testing.assert_close(
            engine.module.head(hidden), theirs(ids).logits, atol=1e-4, rtol=1e-4
        )
    assert sorted(path.name for path in result.directory.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]


def test_it_needs_nothing_but_its_tokenizer(engine_of, tiny_folder, ten, full):
    engine = engine_of(tiny_folder)
    fingerprint = engine.capabilities.tokenizer_fingerprint
    result = full(engine, ten, epochs=1)

    assert result.needs == {"tokenizer": fingerprint}
    served = engine_of("builtin:mini", checkpoint=result.directory)
    assert served.capabilities.tokenizer_fingerprint == fingerprint
    assert (served.base.model, engine.base.model) == ("", "")


def test_a_training_goes_on_with_the_whole_model_that_is_served(
    engine_of, tiny_folder, choices, full
):
    first = full(engine_of(tiny_folder), choices, learning_rate=1e-2, epochs=10)
    parent = engine_of(tiny_folder, checkpoint=first.directory)
    before = cross_entropy(parent, choices)
    second = full(parent, choices, name="second", validation=choices, learning_rate=3e-3, epochs=10)
    served = engine_of(tiny_folder, checkpoint=second.directory)

    assert second.metrics["held_out_loss_before"] == pytest.approx(before, abs=1e-5)
    assert cross_entropy(served, choices) < before - 0.1
    assert served.capabilities == parent.capabilities


def test_a_training_goes_on_with_the_adapter_that_is_served(
    engine_of, tiny_folder, choices, full, train
):
    adapter = train(engine_of(tiny_folder), choices, name="adapter", learning_rate=1e-2, epochs=10)
    parent = engine_of(tiny_folder, checkpoint=adapter.directory)
    before = cross_entropy(parent, choices)
    result = full(parent, choices, validation=choices, learning_rate=3e-3)

    assert result.metrics["held_out_loss_before"] == pytest.approx(before, abs=1e-5)
    served = engine_of(tiny_folder, checkpoint=result.directory)
    assert served.base.adapter is None
    assert served.capabilities == parent.capabilities
    assert parent.base.adapter is None


def test_an_adapter_is_refused_on_a_whole_model_that_was_just_trained(
    engine_of, tiny_folder, ten, full, train
):
    engine = engine_of(tiny_folder)
    full(engine, ten, epochs=1)

    with pytest.raises(ModelError, match="adapter-no-base") as caught:
        train(engine, ten, name="adapter")
    assert "set model to the folder" in caught.value.problems[0].fix


# The same, and not the same


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(
    engine_of, tiny_folder, ten, full
):
    found = []
    for name, seed, state in (("a", 1, 5), ("b", 1, 6), ("c", 2, 5)):
        torch.manual_seed(state)
        found.append(stored(full(engine_of(tiny_folder), ten, name=name, seed=seed, dropout=0.2)))

    assert found[0] == found[1]
    assert found[0] != found[2]


def test_how_a_batch_is_divided_changes_only_rounding(engine_of, tiny_folder, ten, full):
    engines = []
    for name, most in (("a", 10_000), ("b", 1)):
        engines.append(engine_of(tiny_folder))
        full(engines[-1], ten, name=name, tokens_at_once=most, epochs=2, learning_rate=1e-3)
    one, other = (weights_of(engine) for engine in engines)

    apart = [(one[name] - other[name]).norm() / one[name].norm() for name in one]
    assert max(apart) < 1e-3


def test_the_random_state_of_the_process_is_left_alone(engine_of, tiny_folder, ten, full):
    state = torch.get_rng_state()
    full(engine_of(tiny_folder), ten, epochs=1, dropout=0.3)

    assert torch.equal(torch.get_rng_state(), state)


RESUMED = {"epochs": 4, "dropout": 0.2, "ema": 0.9, "learning_rate": 5e-3, "patience": 100}


@pytest.mark.parametrize("asked", [0, 2, 5, 8])
def test_stopped_anywhere_it_ends_bitwise_as_if_it_had_not(
    asked, engine_of, tiny_folder, ten, three, full, tmp_path
):
    torch.set_num_threads(1)
    left = [asked]

    def stop():
        left[0] -= 1
        return left[0] < 0

    whole = full(engine_of(tiny_folder), ten, name="whole", validation=three, **RESUMED)
    first = full(engine_of(tiny_folder), ten, validation=three, should_stop=stop, **RESUMED)
    engine = engine_of(tiny_folder)
    second = full(
        engine, ten, name="second", validation=three,
        resume_from=tmp_path / "first" / "state", **RESUMED,
    )  # fmt: skip

    assert (whole.stopped_because, first.stopped_because) == ("finished", "interrupted")
    assert stored(second) == stored(whole)
    assert second.metrics == whole.metrics
    assert (second.examples, second.epochs) == (whole.examples, whole.epochs)


@pytest.mark.parametrize("change", [{"ema": 0.0}, {"weight_decay": 0.0}, {"seed": 1}])
def test_a_state_of_other_settings_is_refused(
    change, engine_of, tiny_folder, ten, full, tmp_path, view, candidates
):
    asked = []
    full(engine_of(tiny_folder), ten, should_stop=lambda: len(asked.append(1) or asked) > 3,
         **RESUMED)  # fmt: skip
    engine = engine_of(tiny_folder)
    before = engine.score(view, candidates).tolist()

    with pytest.raises(ModelError, match="training-state-other"):
        full(
            engine, ten, name="second", resume_from=tmp_path / "first" / "state",
            **{**RESUMED, **change},
        )  # fmt: skip
    assert engine.score(view, candidates).tolist() == before


def test_a_state_of_other_weights_is_refused(engine_of, tiny_folder, ten, full, tmp_path):
    asked = []
    full(engine_of(tiny_folder), ten, should_stop=lambda: len(asked.append(1) or asked) > 3,
         **RESUMED)  # fmt: skip
    other = engine_of(tiny_folder)
    with torch.no_grad():
        other.module.embedding[7, 3] += 1e-3

    with pytest.raises(ModelError, match="training-state-other"):
        full(other, ten, name="second", resume_from=tmp_path / "first" / "state", **RESUMED)


# Stopping


@pytest.mark.parametrize("bad", [1, 3, 6])
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_the_first_number_that_is_none_ends_it_and_is_named(
    bad, what, engine_of, tiny_folder, ten, full, monkeypatch, view, candidates
):
    """At the first, a middle and the last step."""
    steps, real = [], ModuleLearner.trained

    def poisoned(self, examples):
        losses = real(self, examples)
        steps.append(1)
        if len(steps) == bad and what == "loss":
            return losses._replace(total=losses.total * math.nan)
        if len(steps) == bad:
            losses.total.register_hook(lambda gradient: gradient * math.inf)
        return losses

    monkeypatch.setattr(ModuleLearner, "trained", poisoned)
    reports = []
    engine = engine_of(tiny_folder)
    before = engine.score(view, candidates)
    result = full(engine, ten, epochs=3, ema=0.9, report=reports.append)

    assert result.stopped_because == "diverged"
    assert result.metrics["diverged_at_step"] == bad == reports[-1]["diverged_at_step"]
    assert all(math.isfinite(value) for report in reports for value in report.values())
    assert list(result.directory.iterdir()) == []
    np.testing.assert_array_equal(engine.score(view, candidates), before)


def test_a_training_that_diverges_leaves_nothing_and_the_old_weights(
    engine_of, tiny_folder, ten, full, view, candidates
):
    engine = engine_of(tiny_folder)
    before, said = engine.score(view, candidates), engine.capabilities
    result = full(engine, ten, validation=ten, learning_rate=1e3, epochs=20, patience=100)

    assert result.stopped_because == "diverged"
    assert list(result.directory.iterdir()) == []
    np.testing.assert_array_equal(engine.score(view, candidates), before)
    assert engine.capabilities == said
    assert engine.base.model == str(tiny_folder)
    assert all(weight.grad is None for weight in engine.module.parameters())


def test_it_stops_early_and_keeps_the_best_weights(
    engine_of, tiny_folder, rows, choices, step, candidates, full
):
    """Held-out steps choose otherwise: learning by heart makes them worse."""
    contrary = rows(step(e.view, candidates, (e.decision.chosen + 1) % 5) for e in choices)
    engine = engine_of(tiny_folder)
    reports = []
    result = full(engine, choices, validation=contrary, epochs=100, patience=3,
                  learning_rate=5e-3, report=reports.append)  # fmt: skip
    losses = [report["held_out_loss"] for report in reports if "held_out_loss" in report]

    assert result.stopped_because == "early"
    assert result.epochs < 100
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 3
    assert cross_entropy(engine, contrary) == pytest.approx(losses[best], abs=1e-5)


def test_the_deadline_ends_it_with_what_was_learned(engine_of, tiny_folder, ten, full):
    began = time.monotonic()
    engine = engine_of(tiny_folder)
    result = full(engine, ten, epochs=10_000, deadline=began + 2)

    assert result.stopped_because == "deadline"
    assert time.monotonic() - began < 3
    assert result.epochs > 1
    assert any((result.directory.parent / "state").iterdir())
    assert engine_of(result.directory).capabilities.weights == engine.capabilities.weights


# Around it


def test_dropout_of_an_architecture_that_has_none_here_is_refused(
    engine_of, llama_folder, ten, full
):
    with pytest.raises(ModelError, match=r"LlamaForCausalLM is trained without dropout, not.*0\.1"):
        full(engine_of(llama_folder), ten, dropout=0.1)


def test_an_engine_of_another_plugin_is_refused(ten, full):
    from aegis.builtin._engines.uniform import RandomEngine

    with pytest.raises(ContractError, match="trainer gpt2-full trains the engine gpt2, not Random"):
        full(RandomEngine(), ten)


def test_the_manifest_says_what_the_trainer_is():
    component = next(c for c in plugin.aegis_trainers() if c.name == "gpt2-full")
    described = component.describe(FullTrainerSettings())
    built = component.build(FullTrainerSettings(), {}, aegis.Runtime(".", "."))

    assert component.kind == "trainer"
    assert component.summary == "Trains all weights of a small GPT-2 on recorded decisions."
    assert described.accepts == frozenset({"causal-lm"}) == built.accepts
    assert described.adapter_targets == frozenset()
    assert not described.needs_candidates
    assert isinstance(built, FullTrainer)


def test_the_default_learning_rate_falls_with_the_width(
    engine_of, tiny_folder, llama_folder, ten, full
):
    assert default_full_rate(96) == default_full_rate(12) == 0.002
    assert default_full_rate(192) == pytest.approx(0.001)
    assert full(engine_of(tiny_folder), ten, epochs=1).metrics["learning_rate"] == 0.002
    other = full(engine_of(llama_folder), ten, name="llama", epochs=1)
    assert other.metrics["learning_rate"] == 0.002
