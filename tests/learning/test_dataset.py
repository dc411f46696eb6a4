"""Data sets as values and as files."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis.errors import InputError
from aegis.learning.dataset import Dataset

if TYPE_CHECKING:
    from aegis.contracts.roles import ExperienceDataset


@pytest.fixture
def dataset(open_ledger, recorder):
    """18 steps with texts, plans, odd characters and probabilities of zero."""
    ledger = open_ledger()
    recorder.write(ledger)
    steps = tuple(ledger.experiences())
    returns = tuple(step.reward * 1.1 for step in steps)
    return Dataset(steps, returns, tuple(-value / 3 for value in returns))


def test_it_is_a_sequence_of_steps_with_returns_and_advantages(dataset):
    found: ExperienceDataset = dataset
    assert len(found) == 18
    assert found[2].step == 3
    assert [step.step for step in found] == list(range(1, 19))
    assert len(found.returns) == len(found.advantages) == 18


def test_every_step_has_a_return_and_an_advantage(dataset):
    with pytest.raises(ValueError, match="17 values for 18 steps"):
        Dataset(dataset.experiences, dataset.returns[1:], dataset.advantages)


def test_what_was_written_is_read_back_exactly(dataset, tmp_path):
    dataset.write(tmp_path / "train.jsonl")
    found = Dataset.read(tmp_path / "train.jsonl")
    assert found == dataset
    assert found.digest == dataset.digest
    assert found[0].decision.engine_log_probabilities[1] == -math.inf
    assert found[1].decision.remarks == {"segments": 1, "cut": 1 / 3}
    assert found[2].decision.remarks == {}
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["train.jsonl"]
    found.write(tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "train.jsonl").read_bytes()


def test_equal_candidates_are_one_object_after_reading(dataset, tmp_path):
    twice = Dataset(dataset.experiences * 2, dataset.returns * 2, dataset.advantages * 2)
    twice.write(tmp_path / "train.jsonl")
    found = Dataset.read(tmp_path / "train.jsonl")
    assert found[1].decision.candidates[0] is found[19].decision.candidates[0]
    assert found[1].decision.candidates[1] is not found[4].decision.candidates[1]


def test_an_empty_data_set_is_written_and_read(tmp_path):
    Dataset().write(tmp_path / "none.jsonl")
    assert len(Dataset.read(tmp_path / "none.jsonl")) == 0


def test_the_digest_changes_with_content_and_order(dataset):
    steps, returns, advantages = dataset.experiences, dataset.returns, dataset.advantages
    remarked = evolve(steps[-1], decision=evolve(steps[-1].decision, remarks={"segments": 9}))
    others = [
        Dataset(steps[::-1], returns[::-1], advantages[::-1]),
        Dataset(steps, returns[::-1], advantages),
        Dataset(steps, returns, advantages[::-1]),
        Dataset(steps[:-1], returns[:-1], advantages[:-1]),
        Dataset((*steps[:-1], evolve(steps[-1], reward=9.0)), returns, advantages),
        Dataset((*steps[:-1], remarked), returns, advantages),
    ]
    assert len({dataset.digest, *(other.digest for other in others)}) == 7


@given(
    st.lists(st.tuples(st.text(max_size=20), st.floats(allow_nan=False, allow_infinity=False))),
    st.randoms(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_texts_and_numbers_come_back(make, tmp_path, values, rng):
    def plain(text):
        return text.encode("utf-8", "replace").decode("utf-8")

    steps = tuple(
        make.step(number, goal=plain(text), text=plain(text), reward=reward)
        for number, (text, reward) in enumerate(values, start=1)
    )
    numbers = tuple(reward for _, reward in values)
    dataset = Dataset(steps, numbers, tuple(rng.sample(numbers, len(numbers))))
    dataset.write(tmp_path / "any.jsonl")
    assert Dataset.read(tmp_path / "any.jsonl") == dataset


def damaged_codes(file):
    with pytest.raises(InputError) as caught:
        Dataset.read(file)
    (problem,) = caught.value.problems
    assert problem.where == str(file)
    return problem.code


def test_every_flipped_bit_is_noticed(dataset, tmp_path):
    file = tmp_path / "train.jsonl"
    dataset.write(file)
    content, rng = file.read_bytes(), random.Random(0)
    for _ in range(200):
        changed = bytearray(content)
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        file.write_bytes(changed)
        assert damaged_codes(file) == "dataset-damaged"


def test_every_cut_is_noticed(dataset, tmp_path):
    file = tmp_path / "train.jsonl"
    dataset.write(file)
    content = file.read_bytes()
    for length in [*range(0, len(content) - 1, 501), len(content) - 2]:
        file.write_bytes(content[:length])
        assert damaged_codes(file) == "dataset-damaged"
    lines = content.splitlines(keepends=True)
    file.write_bytes(b"".join([lines[0], *lines[2:]]))
    assert damaged_codes(file) == "dataset-damaged"


def test_a_file_that_is_not_there_and_a_folder_that_is_not(dataset, tmp_path):
    assert damaged_codes(tmp_path / "absent.jsonl") == "dataset-damaged"
    with pytest.raises(InputError) as caught:
        dataset.write(tmp_path / "absent" / "train.jsonl")
    assert caught.value.problems[0].code == "unwritable"
