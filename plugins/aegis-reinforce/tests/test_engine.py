"""The engine, as it serves and as it is kept."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import aegis
from aegis.errors import InputError, ModelError
from aegis_reinforce.critic import Critic, CriticShape
from aegis_reinforce.critic_file import FACTS, WEIGHTS, critic_digest, read_critic, save_critic
from aegis_reinforce.engine import ActionValues, build_engine
from aegis_reinforce.features import Columns
from aegis_reinforce.settings import EngineSettings


@pytest.fixture
def critic(world):
    torch.manual_seed(5)
    return Critic(CriticShape(Columns.of(world.corridor(30)), 8))


@pytest.fixture
def folder(critic, tmp_path):
    place = tmp_path / "critic"
    place.mkdir()
    save_critic(place, critic)
    return place


def built(folder=None, **settings):
    runtime = aegis.Runtime(Path(), Path(), checkpoint=folder, threads=1)
    return build_engine(EngineSettings(**settings), {}, runtime)


def test_as_long_as_nothing_was_learned_all_are_equally_probable(world):
    engine = built()

    scores = engine.score(world.crowded_view(), (world.take(1.0), world.leave))
    assert scores.tolist() == [-math.log(2)] * 2
    assert engine.score(world.crowded_view(), ()).shape == (0,)
    assert engine.remarks == {}
    assert engine.capabilities.parameters is None


def test_scores_follow_from_values_and_temperature(world, critic):
    candidates = (world.take(1.0), world.leave, world.take(0.0))
    rows = torch.from_numpy(critic.shape.columns.rows(world.crowded_view(), candidates))[None]
    values = critic(rows, torch.ones(1, 3, dtype=torch.bool))[0].detach().double().numpy()

    for temperature in (0.05, 1.0):
        engine = ActionValues(EngineSettings(temperature=temperature), critic, "digest")
        scores = engine.score(world.crowded_view(), candidates)
        shares = np.exp(values / temperature)
        np.testing.assert_allclose(np.exp(scores), shares / shares.sum(), rtol=1e-6)
        assert np.log(np.exp(scores).sum()) == pytest.approx(0, abs=1e-12)
        assert engine.remarks == {"value": pytest.approx(values.max())}
        batch = engine.score_batch([(world.crowded_view(), candidates), (world.crowded_view(), ())])
        assert batch[0].tolist() == scores.tolist()
        assert batch[1].shape == (0,)


def test_it_comes_back_from_its_folder(world, critic, folder):
    before, after = ActionValues(EngineSettings(), critic, "x"), built(folder)
    candidates = (world.take(1.0), world.leave)

    assert after.capabilities.weights == critic_digest(folder)
    assert after.capabilities.parameters == sum(p.numel() for p in critic.parameters())
    expected = before.score(world.crowded_view(), candidates)
    assert after.score(world.crowded_view(), candidates).tolist() == expected.tolist()


def test_what_it_saves_is_what_it_serves(folder, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    built(folder).save(again)

    assert critic_digest(again) == critic_digest(folder)
    empty = tmp_path / "empty"
    empty.mkdir()
    built().save(empty)
    assert built(empty).critic is None


def changed(folder, **facts):
    path = folder / FACTS
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / WEIGHTS).unlink(),
        lambda folder: (folder / WEIGHTS).write_bytes(b"no"),
        lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-9]),
        lambda folder: (folder / FACTS).unlink(),
        lambda folder: (folder / FACTS).write_text("{"),
        lambda folder: (folder / FACTS).write_text("[]"),
        lambda folder: changed(folder, version=2),
        lambda folder: changed(folder, hidden=9),
        lambda folder: changed(folder, hidden="wide"),
        lambda folder: changed(folder, tools=[]),
        lambda folder: changed(folder, signals=[["take"]]),
    ],
)
def test_a_damaged_folder_is_named(damage, folder):
    damage(folder)

    with pytest.raises(ModelError) as caught:
        read_critic(folder)
    (problem,) = caught.value.problems
    assert problem.code == "weights-damaged"
    assert problem.where == str(folder)
    assert "rollback" in problem.fix


def test_it_writes_nothing(world):
    action = aegis.Action("note", slot="text")

    with pytest.raises(InputError, match=r"cannot fill note\.text"):
        built().write(world.crowded_view(), action, "text")


def test_what_is_closed_has_nothing_left(folder):
    engine = built(folder)
    engine.close()
    shutil.rmtree(folder)

    assert engine.critic is None
