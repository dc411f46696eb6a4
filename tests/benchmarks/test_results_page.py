"""The page of results: written from files that are called by their rows."""

from __future__ import annotations

import json
import shutil

import pytest
from measuring.babyai_rows import about
from measuring.recipes import baby_rows
from measuring.results_page import page
from measuring.running import HERE
from measuring.seeds import grouped

ROWS = HERE / "rows"
KEPT = json.loads((ROWS / "babyai-PickupLoc-unmarked-gpt2-1000.json").read_text())
ROW = next(row for row in baby_rows() if row.name == KEPT["row"])


def _training(seed, won, **other):
    """Return a training that won so many of ten episodes when drawn, and one less at best."""
    successes = {
        way: "1" * count + "0" * (10 - count)
        for way, count in (("sampled", won), ("greedy", won - 1))
    }
    return KEPT["trainings"][0] | {"seed": seed, "successes": successes} | other


def _page(folder, *trainings, **other):
    """Return the lines of a page of one row with these trainings."""
    row = KEPT | about(ROW) | {"trainings": trainings, "groups": grouped(trainings)} | other
    (folder / f"{row['row']}.json").write_text(json.dumps(row))
    return page(folder).splitlines()


def _cells(lines, *begin):
    return [
        cells
        for line in lines
        if line.startswith("|") and (cells := [cell.strip() for cell in line.split("|")[1:-1]])
        and cells[: len(begin)] == list(begin)
    ]  # fmt: skip


def test_the_page_is_that_of_the_rows_that_are_kept():
    assert page(ROWS) == (HERE.parents[1] / "docs" / "results.md").read_text()


def test_a_file_that_is_not_called_by_its_row_is_refused(tmp_path):
    kept = next(ROWS.glob("babyai-*.json"))
    shutil.copy(kept, tmp_path / f"old-{kept.name}")
    with pytest.raises(ValueError, match=f"holds the row {kept.stem}"):
        page(tmp_path)


def test_a_file_of_a_row_that_nobody_can_make_is_refused(tmp_path):
    (tmp_path / "babyai-Maze.json").write_text(json.dumps({"row": "babyai-Maze"}))
    with pytest.raises(ValueError, match="knows no row babyai-Maze"):
        page(tmp_path)


def test_each_training_stands_with_its_seed_and_what_is_hoped_for_at_the_better_way(tmp_path):
    lines = _page(tmp_path, _training(0, 9), _training(2, 2))
    (sampled,) = _cells(lines, "PickupLoc", "GPT-2, sampled")
    (greedy,) = _cells(lines, "PickupLoc", "GPT-2, greedy")
    assert sampled[2] == "**55.0 %**"
    assert sampled[4:] == ["0: 90.0 %, 2: 20.0 %", "60.0 %: **missed**"]
    assert greedy[4:] == ["0: 80.0 %, 2: 10.0 %", ""]


def test_what_is_reached_is_said_so(tmp_path):
    lines = _page(tmp_path, _training(0, 6))
    (sampled,) = _cells(lines, "PickupLoc", "GPT-2, sampled")
    assert sampled[-1] == "60.0 %: reached"


def test_what_each_training_took_stands_there_as_it_was(tmp_path):
    ran = {"examples": 300_000, "seconds": 720, "epochs": 1.0, "metrics": {}}
    other = {"machine": "another machine", "commit": "abc1234", "training": ran}
    lines = _page(tmp_path, _training(0, 6), _training(1, 6, **other))
    (cost,) = _cells(lines, KEPT["row"])
    assert cost[3].endswith(", 12.0")
    assert cost[4].endswith(", 1.00")
    assert cost[5].endswith(", 300,000")
    assert cost[9].endswith("; 1: another machine")
    assert cost[10].endswith("; 1: abc1234")


def test_a_rung_says_how_many_trainings_it_is_of():
    lines = (HERE.parents[1] / "docs" / "results.md").read_text().splitlines()
    unmarked = next(row for row in _cells(lines, "unmarked", "GPT-2"))
    assert [cell.rpartition(" ")[2] for cell in unmarked[2:]] == ["(1)", "(1)", "(3)", "(1)"]


def test_what_is_not_made_yet_is_named(tmp_path):
    lines = _page(tmp_path, _training(0, 6), _training(1, 6))
    (whole,) = [line for line in lines if line.startswith("Not made yet")]
    (parts,) = [line for line in lines if line.startswith("Training seeds that are not made yet")]
    assert "`research-gym-papers`" in whole
    assert KEPT["row"] not in whole
    assert parts == f"Training seeds that are not made yet: `{KEPT['row']}` (2)."


def test_what_is_of_an_older_recipe_is_named(tmp_path):
    lines = _page(tmp_path, _training(0, 6), settings={"minutes": 5})
    assert f"Made by an older recipe than today's: `{KEPT['row']}`." in lines
