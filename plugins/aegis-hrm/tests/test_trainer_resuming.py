"""A training that was interrupted goes on as if nothing had happened, or says why it cannot."""

from __future__ import annotations

import pytest
import torch
from attrs import evolve

from aegis.errors import ModelError
from aegis_hrm import trainer

SETTINGS = {"epochs": 3, "segments": 3, "ema": 0.9, "evaluations": 1, "patience": 99}


@pytest.fixture
def held_out(rows, twelve):
    return rows(twelve[i] for i in range(3))


@pytest.fixture
def interrupted(engine_of, twelve, held_out, train, tmp_path):
    """Return the function that trains until it was asked so many times whether to stop."""

    def run(asked, name="interrupted", **changes):
        left = [asked]

        def stop():
            left[0] -= 1
            return left[0] < 0

        told = {"name": name, "validation": held_out, "should_stop": stop}
        result = train(engine_of(), twelve, **{**told, **SETTINGS, **changes})
        assert result.stopped_because == "interrupted"
        return tmp_path / name / "state"

    return run


@pytest.fixture
def resumed(engine_of, twelve, held_out, train):
    """Return the function that trains to the end from a state, or from the start."""

    def run(state, name="second", **changes):
        told = {"name": name, "validation": held_out, "resume_from": state}
        return train(engine_of(), twelve, **{**told, **SETTINGS, **changes})

    return run


def weights(result):
    return (result.directory / "model.safetensors").read_bytes()


def figures(result):
    return {key: value for key, value in result.metrics.items() if "seconds" not in key}


@pytest.mark.parametrize("asked", [0, 1, 2, 3, 4, 8, 14])
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_stopped_anywhere_it_ends_bitwise_as_if_it_had_not(interrupted, resumed, asked, ema):
    """In the first measurement, before the first step, in, before and after others."""
    whole = resumed(None, "whole", ema=ema)
    second = resumed(interrupted(asked, ema=ema), ema=ema)

    assert (whole.stopped_because, second.stopped_because) == ("finished", "finished")
    assert weights(second) == weights(whole)
    assert figures(second) == figures(whole)
    assert (second.examples, second.epochs) == (whole.examples, whole.epochs)
    assert torch.get_num_threads() == 1


def test_stopped_again_and_again_it_ends_the_same(interrupted, resumed):
    whole = resumed(None, "whole")
    state, result, rounds = interrupted(3), None, 0
    while result is None or result.stopped_because == "interrupted":
        left = [3]
        result = resumed(
            state,
            "interrupted",
            should_stop=lambda left=left: left.append(1) or len(left) > 5,
        )
        rounds += 1

    assert rounds > 2
    assert result.stopped_because == "finished"
    assert weights(result) == weights(whole)
    assert figures(result) == figures(whole)


def test_a_new_process_may_go_on(interrupted, resumed):
    """Whatever state its random numbers are in."""
    whole = resumed(None, "whole")
    torch.manual_seed(99)

    assert weights(resumed(interrupted(6))) == weights(whole)


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 4},
        {"segments": 2},
        {"ema": 0.5},
        {"seed": 1},
        {"halting_loss": 0.1},
        {"objective": "imitate"},
    ],
    ids=str,
)
def test_a_state_of_other_settings_is_refused(interrupted, resumed, change):
    with pytest.raises(ModelError, match="training-state-other"):
        resumed(interrupted(4), **change)


@pytest.mark.parametrize("change", [{"ema": 0.3}, {"training_segments": 5}], ids=str)
def test_a_state_of_another_preset_is_refused(interrupted, resumed, monkeypatch, change):
    """Where the trainer's own settings say nothing, those of the preset decide."""
    free = {"ema": None, "segments": None}
    state = interrupted(4, **free)
    other = {name: evolve(design, **change) for name, design in trainer.DESIGNS.items()}
    monkeypatch.setattr(trainer, "DESIGNS", other)

    with pytest.raises(ModelError, match="training-state-other"):
        resumed(state, **free)


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"segments": 2}, {"layers": 2}, {"confidence": 0.9}], ids=str
)
def test_a_state_of_another_engine_is_refused(
    interrupted, engine_of, twelve, held_out, train, change
):
    engine = engine_of(**change)
    before = {name: w.detach().clone() for name, w in engine.module.named_parameters()}
    told = {"name": "second", "validation": held_out, "resume_from": interrupted(4)}

    with pytest.raises(ModelError, match="training-state-other"):
        train(engine, twelve, **told, **SETTINGS)
    assert all(torch.equal(w, before[n]) for n, w in engine.module.named_parameters())
    assert not engine.module.training


def test_a_state_of_other_data_is_refused(interrupted, engine_of, twelve, rows, held_out, train):
    told = {"name": "second", "resume_from": interrupted(4), **SETTINGS}
    for data, validation in (
        (rows(list(twelve)[:11]), held_out),
        (twelve, rows(list(twelve)[:2])),
    ):
        with pytest.raises(ModelError, match="training-state-other"):
            train(engine_of(), data, validation=validation, **told)


def test_a_damaged_state_is_refused_and_the_engine_left_as_it_was(
    interrupted, engine_of, twelve, held_out, train, view, candidates
):
    state = interrupted(4) / "training.safetensors"
    whole, engine = state.read_bytes(), engine_of()
    before = engine.score(view, candidates).tolist()
    for place in range(10, len(whole), len(whole) // 5):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        for content in (bytes(damaged), whole[:place]):
            state.write_bytes(content)
            with pytest.raises(ModelError, match="training-state-"):
                train(
                    engine, twelve, name="second", validation=held_out, resume_from=state.parent,
                    **SETTINGS,
                )  # fmt: skip
    assert engine.score(view, candidates).tolist() == before
