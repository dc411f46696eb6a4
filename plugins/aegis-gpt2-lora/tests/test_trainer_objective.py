"""What is trained is what is served: choices, texts, and the weights of steps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from attrs import evolve

import aegis
from aegis.contracts.view import View
from aegis.neural import TextItem
from aegis_gpt2_lora.adapter import put_on
from aegis_gpt2_lora.examples import examples_of
from aegis_gpt2_lora.full_trainer import full_objective
from aegis_gpt2_lora.learner import AdapterLearner
from aegis_gpt2_lora.trainer import objective_of
from aegis_gpt2_lora.trainer_settings import FullTrainerSettings, TrainerSettings

NOTE = 3
SETTINGS = TrainerSettings()


@pytest.fixture
def adapted():
    """Return the function that puts adapters with numbers of their own on an engine."""
    put = []

    def make(engine):
        adapter = put_on(engine.module, (), rank=3, alpha=6, dropout=0.0, seed=1)
        generator = torch.Generator().manual_seed(2)
        with torch.no_grad():
            for weight in adapter.parameters:
                weight.normal_(0, 0.05, generator=generator)
        put.append(adapter)
        return adapter

    yield make
    for adapter in put:
        adapter.take_off()


@pytest.fixture
def data(rows, step, view, candidates):
    long = View(goal="Understand attention", facts=tuple(f"fact number {i}" for i in range(200)))
    return rows(
        [
            step(view, candidates, 1),
            step(view, candidates, NOTE, text="rank of the adapter"),
            step(long, candidates[:3], 2),
            step(
                View(goal="x"),
                candidates,
                NOTE,
                text="a text that is longer than the limit of the engine is",
            ),
            step(View(goal="x"), candidates[3:4], 0, text="a = | b"),  # refused when it is sampled
        ]
    )


def served(engine, data):
    """Return (choice, text) losses by row from the engine's own differentiable methods."""
    losses = []
    for experience in data:
        decision = experience.decision
        choice = text = torch.zeros(())
        if len(decision.candidates) > 1:
            rows, _ = engine.log_probabilities([(experience.view, decision.candidates)])
            choice = -rows[0, decision.chosen]
        if decision.text:
            ids = engine.encoding.text(decision.text)
            tokens = min(len(ids) + 1, engine.settings.max_text_tokens)
            shown = engine.tokenizer.decode(ids[: engine.settings.max_text_tokens]).strip()
            item = TextItem(experience.view, decision.candidates[decision.chosen], shown)
            text = -engine.text_log_probabilities([item])[0] / tokens
        losses.append((choice, text))
    return [torch.stack(column) for column in zip(*losses, strict=True)]


def gradients(losses, parameters):
    weights = torch.tensor([1.0, 0.3, 2.0, 0.7, 1.5])
    total = (weights * (losses[0] + 0.4 * losses[1])).sum()
    found = torch.autograd.grad(total, parameters)
    return torch.cat([gradient.flatten() for gradient in found])


@pytest.mark.parametrize("model", ["mini", "tiny", "llama", "qwen"])
@pytest.mark.parametrize("score", ["mean", "sum"])
def test_losses_and_gradients_are_those_of_the_served_probabilities(
    model, score, engine_of, tiny_folder, llama_folder, qwen_folder, data, adapted
):
    folders = {
        "mini": "builtin:mini",
        "tiny": tiny_folder,
        "llama": llama_folder,
        "qwen": qwen_folder,
    }
    told = "Choose what pays." if score == "sum" else ""
    engine = engine_of(
        folders[model], score=score, max_text_tokens=8, temperature=0.6, instructions=told
    )
    adapter = adapted(engine)
    examples = examples_of(data, engine, SETTINGS).rows
    assert (examples[0].trees[0].prompt[: len(engine.encoding.shared)]) == engine.encoding.shared

    losses = objective_of(engine).losses(examples, training=False)
    expected = served(engine, data)

    assert (expected[0] > 0.05).sum() >= 3
    torch.testing.assert_close(losses.choice, expected[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(losses.text, expected[1], atol=1e-5, rtol=1e-5)
    ours, theirs = (gradients(each, adapter.parameters) for each in (losses, expected))
    assert float((ours - theirs).norm() / theirs.norm()) < 1e-5


@pytest.mark.parametrize("model", ["tiny", "llama"])
@pytest.mark.parametrize("score", ["mean", "sum"])
def test_so_they_are_where_all_weights_are_trained(
    model, score, engine_of, tiny_folder, llama_folder, data
):
    folders = {"tiny": tiny_folder, "llama": llama_folder}
    told = "Choose what pays." if score == "sum" else ""
    engine = engine_of(
        folders[model], score=score, max_text_tokens=8, temperature=0.6, instructions=told
    )
    examples = examples_of(data, engine, FullTrainerSettings()).rows
    losses = full_objective(engine).losses(examples, training=False)
    in_training = full_objective(engine).losses(examples, training=True)
    expected = served(engine, data)

    torch.testing.assert_close(losses.choice, expected[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(losses.text, expected[1], atol=1e-5, rtol=1e-5)
    assert torch.equal(in_training.choice, losses.choice)  # without dropout
    parameters = list(engine.module.parameters())
    ours, theirs = (gradients(each, parameters) for each in (losses, expected))
    assert float((ours - theirs).norm() / theirs.norm()) < 1e-5


def test_a_view_that_was_cut_is_trained_as_it_is_served(engine_of, tiny_folder, data):
    engine = engine_of(tiny_folder)
    example = examples_of(data, engine, SETTINGS).rows[2]

    assert engine.encoding.prompt(data[2].view).cut > 0
    assert example.choice.tree.prompt == engine.encoding.prompt(data[2].view).ids


def test_a_step_without_candidates_trains_the_line_of_its_action(mini, rows, step, view):
    action = aegis.Action("web_search", {"query": "who wrote it"})
    data = rows([step(view, (), None, origin="import", action=action, text="who wrote it")])
    example = examples_of(data, mini, SETTINGS).rows[0]
    losses = objective_of(mini).losses([example], training=False)

    prompt = list(mini.encoding.prompt(view).ids)
    line = mini.tokenizer.encode(" web_search who wrote it\n")
    with torch.inference_mode():
        hidden, _ = mini.module(torch.tensor([prompt + line]))
        values = mini.module.head(hidden[0]).double().log_softmax(-1)
    each = [float(values[len(prompt) + i - 1, token]) for i, token in enumerate(line)]
    assert example.choice is None
    assert losses.text.item() == pytest.approx(-sum(each) / len(each), abs=1e-5)


def test_steps_that_train_nothing_are_left_out_and_counted(mini, rows, step, view, candidates):
    data = rows([
        step(view, candidates[4:], 0),  # nothing to choose among
        step(view, candidates, None, action=candidates[0]),
        step(view, (), None, origin="import"),
        step(view, candidates, 2),
    ])  # fmt: skip
    examples = examples_of(data, mini, SETTINGS)

    assert len(examples.rows) == 1
    assert examples.left_out == {"nothing to train": 3}


def test_weights_are_exp_of_the_advantage_clipped_and_of_mean_one(
    mini, rows, step, view, candidates
):
    settings = evolve(SETTINGS, beta=0.5, weight_limit=10.0)
    own = [
        step(view, candidates, 0, origin=origin) for origin in ("own", "practice", "own", "import")
    ]
    data = rows([*own, step(view, candidates, 1)], [-1.0, 0.0, 0.5, 50.0, 9.0])
    examples = examples_of(data, mini, settings)

    raw = np.array([math.exp(-2), 1.0, math.e, 10.0])
    assert [row.weight for row in examples.rows] == pytest.approx([*(raw / raw.mean()), 1.0])
    held_out = examples_of(rows(own[:1], [0.5]), mini, settings, examples.scale)
    assert held_out.rows[0].weight == pytest.approx(math.e / raw.mean())


def test_imitating_takes_demonstrations_and_what_paid_alike(mini, rows, step, view, candidates):
    data = rows(
        [
            step(view, candidates, i, origin=o)
            for i, o in enumerate(("own", "own", "practice", "teacher"))
        ],
        [-0.5, 2.0, 0.0, -3.0],
    )
    examples = examples_of(data, mini, evolve(SETTINGS, objective="imitate"))

    assert [(row.choice.chosen, row.weight) for row in examples.rows] == [(1, 1.0), (3, 1.0)]
    assert examples.left_out == {"unpaid": 2}


def test_an_example_s_loss_is_the_weighted_sum_of_its_parts(
    engine_of, rows, data, step, view, adapted
):
    engine = engine_of()
    line = rows([step(view, (), None, origin="import", action=aegis.Action("read", {"ref": "1"}))])
    examples = [e for d in (data, line) for e in examples_of(d, engine, SETTINGS).rows]
    settings = evolve(SETTINGS, choice_loss=0.8, text_loss=0.1)
    objective = objective_of(engine)
    learner = AdapterLearner(objective, adapted(engine), settings)
    with torch.no_grad():
        parts = objective.losses(examples, training=False)
        losses = learner.measure(examples)

    none = math.nan
    choices = [
        none if row.choice is None else float(c)
        for row, c in zip(examples, parts.choice, strict=True)
    ]
    texts = [
        none if row.text is None else float(t) for row, t in zip(examples, parts.text, strict=True)
    ]
    assert [math.isnan(c) for c in choices] == [False, False, False, False, True, True]
    assert [math.isnan(t) for t in texts] == [True, False, True, False, False, False]
    expected = 0.8 * np.nan_to_num(choices) + 0.1 * np.nan_to_num(texts)
    np.testing.assert_allclose(losses.total.numpy(), expected, rtol=1e-6)
    np.testing.assert_array_equal(losses.parts["choice_loss"].numpy(), np.float32(choices))
    np.testing.assert_array_equal(losses.parts["text_loss"].numpy(), np.float32(texts))
    assert losses.parts["accuracy"].isnan().tolist() == [math.isnan(c) for c in choices]


def test_dropout_is_applied_in_training_only(engine_of, llama_folder, tiny_folder, data):
    for folder in (tiny_folder, llama_folder):
        engine = engine_of(folder)
        adapter = put_on(engine.module, (), rank=2, alpha=4, dropout=0.5, seed=1)
        with torch.no_grad():
            for weight in adapter.parameters:
                weight.fill_(0.1)
        examples = examples_of(data, engine, SETTINGS).rows[:2]
        torch.manual_seed(0)
        losses = [
            objective_of(engine).losses(examples, training=t).choice.tolist()
            for t in (True, False, False, True)
        ]

        assert losses[1] == losses[2]
        assert losses[0] != losses[1]
        assert losses[0] != losses[3]
