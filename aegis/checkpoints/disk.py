"""Files written durably, and read without surprises: no link is followed, no pipe opened."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from typing import TYPE_CHECKING, Final

from aegis.checkpoints.manifest import FileFacts
from aegis.errors import Problem, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK: Final = 1 << 20
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextlib.contextmanager
def writing(place: Path) -> Iterator[None]:
    """Raise what the disk refuses as a `StoreError`."""
    try:
        yield
    except OSError as error:
        where = str(place)
        if error.errno in _FULL:
            message = "the disk takes no more; the checkpoint was not stored"
            fix = "free some space and repeat the command"
            raise StoreError(Problem("disk-full", message, where, fix)) from error
        message = f"a checkpoint cannot be written: {error}"
        fix = "check the owner and the permissions of the folder"
        raise StoreError(Problem("checkpoint-unwritable", message, where, fix)) from error


def is_folder(path: Path) -> bool:
    """Return whether there is a folder, and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _open(path: Path) -> int:
    """Open a plain file to read: no link is followed and no pipe waited for."""
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


def read(path: Path, limit: int) -> bytes:
    """Return a file's bytes, one more than `limit` at most."""
    with os.fdopen(_open(path), "rb") as file:
        return file.read(limit + 1)


def digest(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal."""
    with os.fdopen(_open(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy(source: Path, target: Path) -> FileFacts:
    """Copy a file durably and return the facts of what was written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    seen, size = hashlib.sha256(), 0
    with os.fdopen(_open(source), "rb") as old, target.open("xb") as new:
        while chunk := old.read(_CHUNK):
            seen.update(chunk)
            size += len(chunk)
            new.write(chunk)
        new.flush()
        os.fsync(new.fileno())
    return FileFacts(seen.hexdigest(), size)


def write(path: Path, data: bytes) -> None:
    """Write a new file durably."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folders(folder: Path) -> None:
    """Make the names in a folder and in those below it durable, the deepest first."""
    for place, _, _ in os.walk(folder, topdown=False):
        sync(place)


def sync(folder: Path | str) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
