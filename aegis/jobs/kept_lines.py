"""Lines that are kept one by one, each under a digest: what was cut off or damaged is not read."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from typing import TYPE_CHECKING, Final

from aegis.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DIGITS: Final = 16
"""Hexadecimal digits of a line's digest."""


class KeptLines:
    """A file of lines, appended to whatever happens meanwhile.

    Args:
        path: The file; made, with its folder, by the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines that are whole, in order.

        Raises:
            InputError: ``unreadable`` if the file is there and cannot be read.
        """
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError.of(
                "unreadable",
                f"what was done before cannot be read: {error.strerror}",
                where=str(self.path),
                fix="make it readable, or move it away to begin anew",
            ) from error
        for line in raw.split(b"\n"):
            digest, _, body = line.partition(b" ")
            if body and digest == _digest(body):
                yield body

    def add(self, body: bytes) -> None:
        """Append a line, which holds no line break.

        Raises:
            InputError: ``unwritable`` if the disk refuses.
        """
        # The line break before it ends a line that was cut off.
        line = b"\n" + _digest(body) + b" " + body + b"\n"
        with keeping(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                if os.write(descriptor, line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            finally:
                os.close(descriptor)

    def put_aside(self) -> None:
        """Give the file another name, so that it begins anew; an earlier one is lost.

        Raises:
            InputError: ``unwritable`` if the disk refuses.
        """
        with keeping(self.path):
            if self.path.exists():
                self.path.replace(self.path.with_name(f"{self.path.name}.old"))


@contextlib.contextmanager
def keeping(path: Path) -> Iterator[None]:
    """Turn what the disk refuses inside into an error for people.

    Raises:
        InputError: ``unwritable``.
    """
    try:
        yield
    except OSError as error:
        raise InputError.of(
            "unwritable",
            f"what is done cannot be kept: {error.strerror}",
            where=str(path),
            fix="make room on the disk, or make the folder writable, and go on",
        ) from error


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:_DIGITS].encode("ascii")
