from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis.evaluation.gym import cache
from aegis.evaluation.gym.cache import load_index

if TYPE_CHECKING:
    from pathlib import Path

    from aegis.evaluation.gym.index import GymIndex


@pytest.fixture
def notes(root: Path, tmp_path: Path) -> Path:
    """Forty notes of the sample library."""
    folder = tmp_path / "notes"
    folder.mkdir()
    for note in sorted((root / "data" / "library").glob("*.md"))[:40]:
        shutil.copy(note, folder)
    return folder


def same(first: GymIndex, second: GymIndex) -> bool:
    one, two = first.arrays(), second.arrays()
    return first.digest == second.digest and all(
        np.array_equal(one[name], two[name]) for name in one
    )


def refuse(*_: object) -> GymIndex:
    raise AssertionError("built again")


def test_an_index_is_built_once_and_loaded_equal(
    notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    built = load_index(notes, tmp_path / "cache")
    monkeypatch.setattr(cache, "build_index", refuse)
    loaded = load_index(notes, tmp_path / "cache")
    assert same(built, loaded)
    assert loaded.search.titles == built.search.titles
    assert loaded.search.search("search tree") == built.search.search("search tree")


def test_an_index_of_another_corpus_is_another_file(notes: Path, tmp_path: Path):
    load_index(notes, tmp_path / "cache")
    (notes / "new.md").write_text("# A new note\n\nabout rank")
    assert "A new note" in load_index(notes, tmp_path / "cache").search.titles
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_no_file_is_left_where_no_cache_is_wanted(notes: Path, tmp_path: Path):
    load_index(notes)
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 1, exclude_max=True), cut=st.booleans())
def test_a_damaged_file_is_never_served(notes: Path, tmp_path: Path, share: float, cut: bool):
    whole = load_index(notes, tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    raw = file.read_bytes()
    place = int(share * len(raw))
    file.write_bytes(
        raw[:place] if cut else raw[:place] + bytes([raw[place] ^ 0x10]) + raw[place + 1 :]
    )
    assert same(load_index(notes, tmp_path / "cache"), whole)
    file.write_bytes(raw)


def test_a_pickle_in_the_cache_is_not_opened(notes: Path, tmp_path: Path):
    whole = load_index(notes, tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    with file.open("wb") as stream:
        np.savez(stream, digest=np.array([object()], dtype=object))
    assert same(load_index(notes, tmp_path / "cache"), whole)
