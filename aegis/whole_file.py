"""A file that is always whole: what was there before, or what was written."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Give a stream to write; the file has its name once all of it is on the disk.

    Raises:
        OSError: What the disk refuses; what was at `path` is still there then.
    """
    with unfinished(path) as beside, beside.open("wb") as stream:
        yield stream


@contextlib.contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Give an empty file beside `path` to write to, which takes its place once it is on the disk.

    It is for writers that want a name; `whole_file` gives a stream. Its own name is no other's, so
    that two who write the same file at once each write a whole one.

    Raises:
        OSError: What the disk refuses; what was at `path` is still there then.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        beside.touch(exist_ok=False)
        yield beside
        sync(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder.

    Raises:
        OSError: What the disk refuses.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
