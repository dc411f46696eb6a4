from __future__ import annotations

import sqlite3
import threading

import pytest

from aegis_arxiv.state import StateFile


def _count(file: StateFile) -> int:
    with file.read() as connection:
        assert connection is not None
        return connection.execute("SELECT count(*) FROM gate").fetchone()[0]


def _add(file: StateFile) -> None:
    with file.write() as connection:
        connection.execute("INSERT OR REPLACE INTO gate VALUES (1, 2, 3, 4, 5, 'r', 0)")


def test_nothing_is_made_by_reading(tmp_path):
    file = StateFile(tmp_path / "none")
    with file.read() as connection:
        assert connection is None
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_read(tmp_path):
    file = StateFile(tmp_path / "new" / "folder")
    _add(file)
    assert _count(file) == 1


def test_a_reader_cannot_write(tmp_path):
    file = StateFile(tmp_path)
    _add(file)
    with file.read() as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM gate")


def test_an_error_leaves_everything_as_it_was(tmp_path):
    file = StateFile(tmp_path)
    _add(file)

    def fail() -> None:
        with file.write() as connection:
            connection.execute("DELETE FROM gate")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _count(file) == 1


def test_one_writes_at_a_time(tmp_path):
    file = StateFile(tmp_path)
    _add(file)
    entered = threading.Event()

    def write() -> None:
        with file.write() as connection:
            entered.set()
            connection.execute("UPDATE gate SET failures = failures + 1")

    other = threading.Thread(target=write)
    with file.write() as connection:
        other.start()
        assert not entered.wait(0.2)
        connection.execute("UPDATE gate SET failures = failures + 10")
    other.join(5.0)
    with file.read() as connection:
        assert connection is not None
        assert connection.execute("SELECT failures FROM gate").fetchone() == (16,)


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 100])
def test_a_damaged_file_is_replaced(tmp_path, damage: bytes):
    file = StateFile(tmp_path)
    _add(file)
    file.path.write_bytes(damage)
    with file.read() as connection:
        assert connection is None
    with file.write():
        pass
    assert _count(file) == 0


def test_a_file_that_is_damaged_inside_is_replaced_after_it_showed(tmp_path):
    file = StateFile(tmp_path)
    with file.write() as connection:
        for number in range(500):
            row = (str(number), "s", "w", 1, 10, 10, number, "d" * 200)
            connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:12_288] + b"\xff" * (len(whole) - 12_288))
    with pytest.raises(sqlite3.DatabaseError), file.write() as connection:
        connection.execute("SELECT sum(length(documents)) FROM answers").fetchone()
    _add(file)
    assert _count(file) == 1


def test_a_file_of_another_form_is_emptied(tmp_path):
    file = StateFile(tmp_path)
    _add(file)
    with sqlite3.connect(file.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with file.read() as connection:
        assert connection is None
    with file.write():
        pass
    assert _count(file) == 0


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError), StateFile(tmp_path / "file" / "folder").write():
        pass


def test_a_file_that_cannot_be_opened_is_told(tmp_path):
    file = StateFile(tmp_path)
    file.path.mkdir()
    with pytest.raises(sqlite3.OperationalError), file.write():
        pass
