"""The job file: everything that a child process needs for its work, as JSON.

A job is one JSON object. It names the plugins that may be loaded, what is built with which
settings, and the files to read and write; nothing else reaches the child. It is written by the
parent and read strictly: a key that is missing, unknown or of another type is an error.
"""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - resolved when JSON is structured
from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrs import frozen

from aegis.config.structure import from_json, to_json
from aegis.errors import InputError
from aegis.whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

LIMIT: Final = 4 << 20
"""Bytes that a job file may have; what lies behind is not read, and the rest is no JSON."""


@frozen(kw_only=True)
class Workplace:
    """What the child loads, and what it builds with.

    Attributes:
        path: Entries of ``sys.path``.
        plugins: The allow-list (`aegis.host.seat.plugins_of`).
        runtime: What components are built with (`aegis.host.seat.runtime_of`); its checkpoint is
            the verified folder of the weights that decide now, or None for the configured ones.
    """

    path: tuple[str, ...]
    plugins: Mapping[str, Any]
    runtime: Mapping[str, Any]


def write_job(job: Any, file: Path) -> None:
    """Write the file of a job, an attrs instance."""
    write_json(file, to_json(job))


def parse_job(cls: type[T], data: Any) -> T:
    """Return the job of a kind that JSON values describe.

    Raises:
        InputError: With everything that is wrong with them.
    """
    return from_json(cls, data)


def read_json(file: Path) -> Any:
    """Return the JSON values of a file of a job folder.

    Raises:
        InputError: ``job-damaged`` if it is absent, too large or no JSON.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(LIMIT + 1)
        return json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError.of(
            "job-damaged",
            f"the file of a training job cannot be read: {error}",
            where=str(file),
            fix="begin anew: aegis train --fresh",
        ) from error


def write_json(file: Path, data: Any) -> None:
    """Write JSON values so that the file is always whole: the old one or the new one."""
    text = json.dumps(data, allow_nan=False, indent=1)
    with whole_file(file) as stream:
        stream.write(text.encode("ascii"))
