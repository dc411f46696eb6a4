"""Experience of a file, without a ledger of one's own."""

from __future__ import annotations

import tempfile

import pytest

from aegis.config.settings import RewardSettings
from aegis.errors import InputError
from aegis.learning.exchange import export_jsonl
from aegis.learning.experience_file import from_file, ledger_of


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """Where temporary folders are made."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_an_export_gives_the_experience_that_it_holds(open_ledger, recorder, tmp_path, scratch):
    ledger = open_ledger()
    recorder.write(ledger)
    export_jsonl(ledger, tmp_path / "all.jsonl")
    assert list(from_file(tmp_path / "all.jsonl", RewardSettings())) == list(ledger.experiences())
    assert list(scratch.iterdir()) == []


def test_the_old_file_is_worth_what_the_table_says(old_file, example, scratch):
    file = old_file([example(0), example(1)])
    found = list(from_file(file, RewardSettings(new_item=2.0)))
    assert [step.reward for step in found] == [10.0, 10.0]  # five items each
    assert [step.origin for step in found] == ["import", "import"]


def test_nothing_is_left_behind_when_it_is_not_read_to_its_end(old_file, example, scratch):
    steps = from_file(old_file([example(0), example(1)]), RewardSettings())
    next(steps)
    assert len(list(scratch.iterdir())) == 1
    steps.close()
    assert list(scratch.iterdir()) == []


def test_a_file_that_is_no_experience_is_refused(tmp_path, scratch):
    file = tmp_path / "notes.txt"
    file.write_text("hello")
    with pytest.raises(InputError), ledger_of(file, RewardSettings()):
        pass
    assert list(scratch.iterdir()) == []
