"""The jobs of learning: a training, and the comparison that follows it."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - resolved when JSON is structured
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen

from aegis.jobs.job_file import Workplace  # noqa: TC001 - resolved when JSON is structured

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        in_order: Whether the training data is to be trained on in its order.
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
    in_order: bool = False


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
