from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis.evaluation.gym import cache
from aegis.evaluation.gym.cache import load_index
from aegis.evaluation.gym.corpus import corpus_digest

if TYPE_CHECKING:
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


def test_what_changes_between_two_looks_is_kept_under_its_own_name(
    notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    new = notes / "new.md"

    def later(path: Path):
        digest = corpus_digest(path)
        new.write_text("# A new note\n\nabout rank")
        return digest

    monkeypatch.setattr(cache, "corpus_digest", later)
    assert "A new note" in load_index(notes, tmp_path / "cache").search.titles
    monkeypatch.undo()
    new.unlink()
    assert "A new note" not in load_index(notes, tmp_path / "cache").search.titles


def test_a_file_that_holds_another_index_is_not_served(notes: Path, tmp_path: Path):
    load_index(notes, tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    (notes / "new.md").write_text("# A new note\n\nabout rank")
    file.rename(file.with_name(f"{corpus_digest(notes)[:32]}-{cache.FORMAT}.npz"))
    assert "A new note" in load_index(notes, tmp_path / "cache").search.titles


def test_a_cache_that_cannot_be_written_keeps_nothing_and_hinders_nobody(
    notes: Path, tmp_path: Path
):
    (tmp_path / "cache").write_text("a file, no folder")
    assert same(load_index(notes, tmp_path / "cache"), load_index(notes))
    place = Path("/proc/aegis-cache")
    assert same(load_index(notes, place), load_index(notes))


def test_old_indices_and_what_was_never_finished_go(notes: Path, tmp_path: Path):
    folder = tmp_path / "cache"
    folder.mkdir()
    for number in range(12):
        old = folder / f"{number:032x}-{cache.FORMAT}.npz"
        old.write_bytes(b"")
        os.utime(old, (number, number))
    for name, age in (("begun.tmp", 0), ("left.tmp", 2 * 86_400)):
        (folder / name).write_bytes(b"")
        at = time.time() - age
        os.utime(folder / name, (at, at))
    load_index(notes, folder)
    found = sorted(path.name for path in folder.iterdir())
    assert len([name for name in found if name.endswith(".npz")]) == cache.KEPT
    assert f"{11:032x}-{cache.FORMAT}.npz" in found
    assert f"{4:032x}-{cache.FORMAT}.npz" not in found
    assert [name for name in found if name.endswith(".tmp")] == ["begun.tmp"]


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
