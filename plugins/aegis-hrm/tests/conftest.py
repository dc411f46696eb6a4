"""What the tests of this plugin share."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def _folder(name):
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    return folder


@pytest.fixture
def reference():
    """Folder of tensors recorded from the official implementations."""
    return _folder("hrm-reference")


@pytest.fixture
def puzzles():
    """Folder of 9x9 sudokus and of Maze-Hard."""
    return _folder("puzzles")
