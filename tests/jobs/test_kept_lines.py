from __future__ import annotations

import resource

import pytest

from aegis.errors import InputError
from aegis.jobs.kept_lines import KeptLines

LINES = [b'{"a":1}', b"two words", b"x" * 300]


@pytest.fixture
def kept(tmp_path):
    lines = KeptLines(tmp_path / "deep" / "lines.txt")
    for line in LINES:
        lines.add(line)
    return lines


def test_lines_come_back_in_order_and_an_absent_file_has_none(kept, tmp_path):
    assert list(kept) == LINES
    assert list(KeptLines(tmp_path / "absent.txt")) == []


def test_whatever_byte_is_changed_no_other_line_is_read(kept):
    whole = kept.path.read_bytes()
    for place in range(len(whole)):
        changed = bytes([whole[place] ^ (1 << place % 7)])
        kept.path.write_bytes(whole[:place] + changed + whole[place + 1 :])
        found = list(kept)
        assert set(found) <= set(LINES)
        assert len(found) >= len(LINES) - 2  # a line break that is lost joins two


def test_wherever_the_file_is_cut_whole_lines_stay_and_the_next_one_is_whole(kept):
    whole = kept.path.read_bytes()
    for length in range(len(whole)):
        kept.path.write_bytes(whole[:length])
        assert LINES[: len(list(kept))] == list(kept)
    before = len(list(kept))
    kept.add(b"after the cut")
    assert list(kept)[before:] == [b"after the cut"]


def test_what_is_put_aside_begins_anew(kept):
    kept.put_aside()
    assert list(kept) == []
    assert list(KeptLines(kept.path.with_name("lines.txt.old"))) == LINES


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match="cannot be kept"):
        KeptLines(tmp_path / "file" / "lines.txt").add(b"x")


def test_a_disk_that_is_full_is_one_clear_error_and_what_is_there_stays(kept):
    """The second limit lets a part of the line through."""
    size = kept.path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (0, 7):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, hard))
        try:
            with pytest.raises(InputError, match="cannot be kept") as raised:
                kept.add(b"one more")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert "make room" in raised.value.problems[0].fix
        assert list(kept) == LINES
    kept.add(b"one more")
    assert list(kept) == [*LINES, b"one more"]


def test_a_place_that_cannot_be_read_is_one_clear_error(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"unreadable.*cannot be read: Is a directory"):
        list(KeptLines(tmp_path / "folder"))
