"""A file is the old one or the new one, whoever writes and whatever happens meanwhile."""

from __future__ import annotations

import os
import stat
import threading

import pytest

from aegis.whole_file import unfinished, whole_file


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_takes_the_place_of_what_was_there(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with whole_file(path) as stream:
        stream.write(b"new ")
        assert path.read_bytes() == b"old"
        stream.write(b"content")

    assert path.read_bytes() == b"new content"
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_what_was_there_and_nothing_else(error, tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")

    def fail():
        with whole_file(path) as stream:
            stream.write(b"half")
            raise error

    with pytest.raises(error):
        fail()

    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]


def test_a_place_that_cannot_be_written_is_an_error_and_stays(tmp_path):
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OSError), whole_file(tmp_path / "folder") as stream:
        stream.write(b"x")
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "absent" / "a") as stream:
        stream.write(b"x")

    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == ["inside"]


def test_two_who_write_the_same_file_at_once_each_write_a_whole_one(tmp_path):
    path = tmp_path / "a"
    both = threading.Barrier(2)

    def write(letter):
        with whole_file(path) as stream:
            stream.write(letter * 1000)
            both.wait(10)
            stream.write(letter * 1000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert path.read_bytes() in {b"a" * 2000, b"b" * 2000}
    assert names(tmp_path) == ["a"]


def test_the_file_is_on_the_disk_before_its_name_is_and_then_the_folder_is(tmp_path, monkeypatch):
    path, synced, real = tmp_path / "a", [], os.fsync

    def watched(descriptor):
        synced.append((os.fstat(descriptor).st_ino, path.exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    with whole_file(path) as stream:
        stream.write(b"x")

    assert synced == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_file_may_be_read_by_those_whom_the_user_lets(mask, mode, tmp_path):
    before = os.umask(mask)
    try:
        with whole_file(tmp_path / "a") as stream:
            stream.write(b"x")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


def test_a_writer_that_wants_a_name_gets_one_in_the_same_folder(tmp_path):
    with unfinished(tmp_path / "a") as beside:
        assert beside.parent == tmp_path
        beside.write_bytes(b"x")
        assert not (tmp_path / "a").exists()

    assert (tmp_path / "a").read_bytes() == b"x"
    assert names(tmp_path) == ["a"]
