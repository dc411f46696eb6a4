"""A training that was interrupted goes on as if nothing had happened, or says why it cannot."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file

from aegis.errors import ModelError
from aegis.neural import training_run

SETTINGS = {
    "epochs": 4,
    "dropout": 0.2,
    "learning_rate": 1e-2,
    "evaluations": 1,
    "weight_decay": 0.01,
}


@pytest.fixture
def held_out(rows, ten):
    return rows(ten[i] for i in range(3))


@pytest.fixture
def interrupted(engine_of, tiny_folder, ten, held_out, train, tmp_path):
    """Return the function that trains until it was asked so many times whether to stop."""

    def run(asked, name="interrupted", **changes):
        left = [asked]

        def stop():
            left[0] -= 1
            return left[0] < 0

        engine = engine_of(tiny_folder)
        result = train(
            engine, ten, name=name, validation=held_out, should_stop=stop, **{**SETTINGS, **changes}
        )
        return result, tmp_path / name / "state"

    return run


def adapter(result):
    return (result.directory / "adapter_model.safetensors").read_bytes()


def figures(result):
    return {key: value for key, value in result.metrics.items() if "seconds" not in key}


@pytest.mark.parametrize("asked", [0, 1, 2, 4, 5, 7, 10, 12])
def test_stopped_anywhere_it_ends_bitwise_as_if_it_had_not(
    asked, interrupted, engine_of, tiny_folder, ten, held_out, train
):
    """In the first measurement, before the first step, in, before and after others."""
    torch.set_num_threads(1)
    whole = train(engine_of(tiny_folder), ten, name="whole", validation=held_out, **SETTINGS)
    first, state = interrupted(asked)
    engine = engine_of(tiny_folder)
    second = train(engine, ten, name="second", validation=held_out, resume_from=state, **SETTINGS)

    assert (whole.stopped_because, first.stopped_because) == ("finished", "interrupted")
    assert second.stopped_because == "finished"
    assert adapter(second) == adapter(whole)
    assert figures(second) == figures(whole)
    assert (second.examples, second.epochs) == (whole.examples, whole.epochs)


def test_stopped_again_and_again_it_ends_the_same(
    interrupted, engine_of, tiny_folder, ten, held_out, train, tmp_path
):
    whole = train(engine_of(tiny_folder), ten, name="whole", validation=held_out, **SETTINGS)
    _, state = interrupted(3)
    for _ in range(20):
        left = [2]
        result = train(
            engine_of(tiny_folder), ten, name="interrupted", validation=held_out, resume_from=state,
            should_stop=lambda left=left: left.append(1) or len(left) > 3, **SETTINGS,
        )  # fmt: skip
        if result.stopped_because == "finished":
            break

    assert result.stopped_because == "finished"
    assert adapter(result) == adapter(whole)


class Ticking:
    """Time that passes whenever it is asked for."""

    now = 0.0

    def monotonic(self):
        self.now += 0.05
        return self.now


def test_the_deadline_s_state_can_be_gone_on_with(
    engine_of, tiny_folder, ten, held_out, train, tmp_path, monkeypatch
):
    settings = {**SETTINGS, "epochs": 40, "patience": 1000}
    whole = train(engine_of(tiny_folder), ten, name="whole", validation=held_out, **settings)
    with monkeypatch.context() as patched:
        patched.setattr(training_run, "time", Ticking())
        first = train(engine_of(tiny_folder), ten, validation=held_out, deadline=3.0, **settings)
    second = train(
        engine_of(tiny_folder), ten, name="second", validation=held_out,
        resume_from=tmp_path / "first" / "state", **settings,
    )  # fmt: skip

    assert first.stopped_because == "deadline"
    assert 0 < first.metrics["steps"] < second.metrics["steps"]
    assert adapter(second) == adapter(whole)


def test_an_adapter_that_is_trained_on_goes_on_too(
    engine_of, tiny_folder, ten, held_out, train, tmp_path
):
    parent = train(engine_of(tiny_folder), ten, name="parent", epochs=2).directory
    whole = train(
        engine_of(tiny_folder, checkpoint=parent),
        ten,
        name="whole",
        validation=held_out,
        **SETTINGS,
    )
    left = [2]
    train(
        engine_of(tiny_folder, checkpoint=parent), ten, validation=held_out,
        should_stop=lambda: left.append(1) or len(left) > 5, **SETTINGS,
    )  # fmt: skip
    second = train(
        engine_of(tiny_folder, checkpoint=parent), ten, name="second", validation=held_out,
        resume_from=tmp_path / "first" / "state", **SETTINGS,
    )  # fmt: skip

    assert adapter(second) == adapter(whole)
    with pytest.raises(ModelError, match="training-state-other"):
        train(
            engine_of(tiny_folder), ten, name="third", validation=held_out,
            resume_from=tmp_path / "first" / "state", **SETTINGS,
        )  # fmt: skip


def test_a_state_is_kept_now_and_then(engine_of, tiny_folder, ten, train, monkeypatch, tmp_path):
    from aegis.neural import training_run

    monkeypatch.setattr(training_run, "_SAVED_EVERY", 0.0)
    seen = []

    def look(_):
        seen.append(sorted(path.name for path in (tmp_path / "first" / "state").iterdir()))

    monkeypatch.setattr(training_run, "_REPORTED_EVERY", 0.0)
    train(engine_of(tiny_folder), ten, epochs=2, report=look)

    assert seen[0] == []
    assert seen[-1] == ["training.safetensors"]


def test_an_empty_state_begins_at_the_start(engine_of, tiny_folder, ten, train, tmp_path):
    whole = train(engine_of(tiny_folder), ten, name="whole", epochs=1)
    again = train(engine_of(tiny_folder), ten, name="again", epochs=1, resume_from=tmp_path)

    assert adapter(again) == adapter(whole)


@pytest.mark.parametrize(
    "change", [{"epochs": 5}, {"learning_rate": 1e-3}, {"seed": 1}, {"objective": "imitate"}]
)
def test_a_state_of_other_settings_is_refused(
    change, interrupted, engine_of, tiny_folder, ten, held_out, train, view, candidates
):
    _, state = interrupted(4)
    engine = engine_of(tiny_folder)
    before = engine.score(view, candidates).tolist()

    with pytest.raises(ModelError, match="training-state-other"):
        train(
            engine,
            ten,
            name="second",
            validation=held_out,
            resume_from=state,
            **{**SETTINGS, **change},
        )
    assert engine.score(view, candidates).tolist() == before


def test_a_state_of_other_data_is_refused(
    interrupted, engine_of, tiny_folder, ten, rows, held_out, train
):
    _, state = interrupted(4)
    for data, validation in ((rows(list(ten)[:9]), held_out), (ten, rows(list(ten)[:2]))):
        with pytest.raises(ModelError, match="training-state-other"):
            train(
                engine_of(tiny_folder),
                data,
                name="second",
                validation=validation,
                resume_from=state,
                **SETTINGS,
            )


def test_a_damaged_state_is_refused_wherever_the_damage_is(
    interrupted, engine_of, tiny_folder, ten, held_out, train, tmp_path
):
    _, state = interrupted(4)
    whole = (state / "training.safetensors").read_bytes()
    engine = engine_of(tiny_folder)
    places = range(10, len(whole), len(whole) // 12)
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1
        for content in (bytes(damaged), whole[:place]):
            (state / "training.safetensors").write_bytes(content)
            with pytest.raises(ModelError, match="training-state-"):
                train(
                    engine, ten, name="second", validation=held_out, resume_from=state, **SETTINGS
                )


def test_a_tensor_that_is_missing_is_damage(
    interrupted, engine_of, tiny_folder, ten, held_out, train
):
    _, state = interrupted(4)
    path = state / "training.safetensors"
    tensors = load_file(path)
    tensors.pop(min(tensors))
    save_file(tensors, path)

    with pytest.raises(ModelError, match="training-state-damaged"):
        train(
            engine_of(tiny_folder),
            ten,
            name="second",
            validation=held_out,
            resume_from=state,
            **SETTINGS,
        )
