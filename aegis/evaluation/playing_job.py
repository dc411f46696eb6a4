"""The job of a process that plays: who decides, where, and which seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen

from aegis.jobs.job_file import Workplace  # noqa: TC001 - resolved when JSON is structured

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen(kw_only=True)
class Player:
    """Who decides.

    Attributes:
        kind: ``engine``: a component. ``expert``: one of the environment's own policies that look
            behind its views. ``majority``: always the same tool.
        name: Name of the component, the expert or the tool.
        seat: Seat of the component (`aegis.host.seat.seat_of`); empty for the others.
    """

    kind: Literal["engine", "expert", "majority"]
    name: str
    seat: Mapping[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class PlayingJob:
    """Episodes that one policy plays.

    Attributes:
        kind: ``play``.
        workplace: What the child loads; the runtime's checkpoint is that of the policy.
        environment: Seat of the environment.
        content: Digest of the files that it plays over; empty where there are none.
        player: Who decides.
        greedy: Whether the most probable candidate is taken instead of a sample.
        seeds: Seeds of the episodes.
        seconds: Wall-clock time after which it must have stopped.
        grace: Seconds that it gets to end once it was asked to stop, or its parent is gone.
    """

    kind: Literal["play"] = "play"
    workplace: Workplace
    environment: Mapping[str, Any]
    content: str = ""
    player: Player
    greedy: bool
    seeds: tuple[int, ...]
    seconds: float
    grace: float
