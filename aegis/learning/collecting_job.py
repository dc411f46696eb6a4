"""The job of a process that collects: what is played, and what the experience counts as."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from aegis.evaluation.playing_job import PlayingJob  # noqa: TC001 - resolved when JSON is structured


@frozen(kw_only=True)
class CollectingJob:
    """Episodes that are played and recorded.

    Attributes:
        kind: ``collect``.
        play: What is played, by whom.
        task: Name of the task, which is the environment of what is recorded.
        generator: Version of the environment's rules.
        origin: What the experience counts as.
        epsilon: Share of decisions taken uniformly at random.
        temperature: What the scores are divided by.
        seconds: As in `PlayingJob`.
        grace: As in `PlayingJob`.
    """

    kind: Literal["collect"] = "collect"
    play: PlayingJob
    task: str
    generator: str
    origin: Literal["teacher", "practice"]
    epsilon: float
    temperature: float
    seconds: float
    grace: float
