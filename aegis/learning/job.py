"""The job file: everything that a child process needs to train, or to judge, as JSON.

A job is one JSON object. It names the plugins that may be loaded, what is built with which
settings, and the files to read and write; nothing else reaches the child. It is written by the
runner and read strictly: a key that is missing, unknown or of another type is an error.
"""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - resolved when JSON is structured
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from attrs import field, frozen

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


@frozen(kw_only=True)
class TrainingJob:
    """A training.

    Attributes:
        kind: ``train``.
        profile: Name of the profile that is trained.
        fingerprint: Digest of what decides the result: seats, seed, weights, data. A training
            that was cut off is gone on with only by one of the same fingerprint.
        workplace: What the child loads.
        engine: Seat of the engine, with its parts (`aegis.host.seat.seat_of`).
        trainer: Seat of the trainer.
        seed: All of the trainer's randomness derives from it.
        train: File of the training data.
        validation: File of the held-out data.
        state: Folder where the trainer keeps what it needs to go on.
        result: Empty folder for the result.
        seconds: Wall-clock time after which it must have stopped.
        grace: Seconds that it gets to save itself once it was asked to stop, or its parent is
            gone.
        resume: Whether to go on with what lies in `state`.
    """

    kind: Literal["train"] = "train"
    profile: str
    fingerprint: str
    workplace: Workplace
    engine: Mapping[str, Any]
    trainer: Mapping[str, Any]
    seed: int
    train: Path
    validation: Path
    state: Path
    result: Path
    seconds: float
    grace: float
    resume: bool


@frozen(kw_only=True)
class Play:
    """Episodes that both engines play.

    Attributes:
        environment: Seat of a seeded environment.
        version: Version of its rules.
        seeds: Seeds of the episodes.
        beside: Seats of engines that play the same episodes for comparison, by name.
    """

    environment: Mapping[str, Any]
    version: str
    seeds: tuple[int, ...]
    beside: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class JudgingJob:
    """A comparison of new weights with those that decide now.

    Attributes:
        kind: ``judge``.
        workplace: What the child loads; the runtime's checkpoint is that of the old weights.
        engine: Seat of the engine.
        candidate: Verified folder of the new weights.
        validation: File of the held-out data.
        play: Episodes to play, or None.
        seed: Seed of the resampling behind the intervals.
        seconds: Wall-clock time after which it must have stopped.
        grace: Seconds that it gets to save itself once it was asked to stop, or its parent is
            gone.
    """

    kind: Literal["judge"] = "judge"
    workplace: Workplace
    engine: Mapping[str, Any]
    candidate: Path
    validation: Path
    play: Play | None
    seed: int
    seconds: float
    grace: float


Job = TrainingJob | JudgingJob


def write_job(job: Job, file: Path) -> None:
    """Write a job file."""
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
