"""Training on puzzles: it learns, goes on where it stopped, and says what it measured."""

import json

import pytest
import torch
from attrs import evolve
from click.testing import CliRunner

from aegis.errors import InputError, ModelError
from aegis_hrm.model.halting import Halting
from aegis_hrm.model.shape import ModelShape
from aegis_hrm.puzzles.command import puzzle
from aegis_hrm.puzzles.task import RECIPES, Recipe, load_task
from aegis_hrm.puzzles.training import PuzzleTraining

TINY = Recipe(
    shape=ModelShape(
        vocabulary=1, hidden=16, heads=2, h_layers=1, l_layers=1, h_cycles=1, l_cycles=1,
        gradient="last_cycle", positions="none", mixer="mlp", sequence=1,
    ),
    halting=Halting(segments=4, q_continue=False),
    batch=8, steps=12, learning_rate=2e-3, weight_decay=0.1, ema=0.9,
)  # fmt: skip


@pytest.fixture(scope="module")
def task():
    return load_task("sudoku6", None, puzzles=60, seed=0, tests=200)


def training(task, recipe=TINY, folder=None, seed=0):
    said = []
    made = PuzzleTraining(
        task, recipe, seed=seed, folder=folder, device=torch.device("cpu"), report=said.append
    )
    return made, said


def weights(made):
    return {name: value.clone() for name, value in made.network.state_dict().items()}


def test_what_goes_on_ends_as_if_it_had_never_stopped(task, tmp_path):
    torch.set_num_threads(1)
    drawn = evolve(TINY, halting=evolve(TINY.halting, exploration=0.5))
    whole, _ = training(task, drawn)
    first, _ = training(task, drawn, folder=tmp_path)
    for made in (whole, first):  # puzzles halt early, and by chance later
        made.network.q_head.bias.data.fill_(2.0)
    whole.go()
    for _ in range(5):
        first._step()
    first.save()
    second, said = training(task, drawn, folder=tmp_path)
    second.go()
    assert all(
        torch.equal(a, b)
        for a, b in zip(weights(whole).values(), weights(second).values(), strict=True)
    )
    assert said[-1].step == 12


def test_another_recipe_does_not_go_on_with_the_state(task, tmp_path):
    first, _ = training(task, folder=tmp_path)
    first.save()
    with pytest.raises(ModelError, match="training-state-other"):
        training(task, evolve(TINY, batch=4), folder=tmp_path)


def test_it_learns_to_fill_in_the_cells(task):
    made, said = training(task, evolve(TINY, steps=150, batch=16))
    before = made.measure(most=4)
    made.go(measure_every=75)
    after = said[-1].exactness
    assert said[-1].loss < said[0].loss
    assert after.cells[2] > before.cells[2] + 0.2  # after four segments
    assert sum(count for _, count, _ in after.by_segments) == len(task.test.inputs)


def test_the_test_puzzles_are_no_variants_of_the_training_ones(task):
    from aegis_hrm.puzzles.sudoku import Box, invariant

    known = {invariant(Box(2, 3), *pair) for pair in zip(*task.train, strict=True)}
    assert not any(invariant(Box(2, 3), *pair) in known for pair in zip(*task.test, strict=True))
    assert len(task.test.inputs) > 190


def test_published_puzzles_train_a_step(puzzles):
    for name, data in (
        ("sudoku9", puzzles / "sudoku_9x9_graded_5000.csv"),
        ("maze", puzzles / "maze_hard_30x30_train"),
    ):
        found = load_task(name, data, puzzles=20, seed=0, tests=2)
        assert len(found.train.inputs) == 20
        recipe = evolve(
            RECIPES[name], batch=1, steps=1, shape=evolve(RECIPES[name].shape, hidden=16)
        )
        made, said = training(found, recipe)
        made.go()
        assert 0 <= said[-1].exactness.cells[0] <= 1


def test_a_file_must_be_named_where_puzzles_come_from_one():
    with pytest.raises(InputError, match="puzzles-missing"):
        load_task("maze", None, puzzles=10, seed=0)


def test_the_command_says_what_it_measures_and_answers_with_json():
    asked = [
        "sudoku6",
        "--steps",
        "3",
        "--puzzles",
        "30",
        "--tests",
        "50",
        "--batch",
        "4",
        "--threads",
        "1",
        "--json",
    ]
    result = CliRunner().invoke(puzzle, asked)
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout.splitlines()[-1])
    assert facts["task"] == "sudoku6"
    assert facts["step"] == 3
    assert facts["exactness"]["segments"] == [1, 2, 4, 8, 16]
    plain = CliRunner().invoke(puzzle, [*asked, "--hierarchy", "plain"])
    assert json.loads(plain.stdout.splitlines()[-1])["exactness"]["segments"] == [1]
