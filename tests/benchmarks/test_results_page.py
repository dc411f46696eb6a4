"""The page of results: written from files that are called by their rows."""

from __future__ import annotations

import shutil

import pytest
from measuring.results_page import page
from measuring.running import HERE

ROWS = HERE / "rows"


def test_the_page_is_that_of_the_rows_that_are_kept():
    assert page(ROWS) == (HERE.parents[1] / "docs" / "results.md").read_text()


def test_a_file_that_is_not_called_by_its_row_is_refused(tmp_path):
    kept = next(ROWS.glob("babyai-*.json"))
    shutil.copy(kept, tmp_path / f"old-{kept.name}")
    with pytest.raises(ValueError, match=f"holds the row {kept.stem}"):
        page(tmp_path)
