"""What a job may take: wall-clock time and memory, and how the memory is measured."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

import psutil
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aegis.config.settings import LearningSettings

GRACE: Final = 28.0
"""Seconds that a job gets to save itself and end, so that all is over within 30 s."""

_SHARE: Final = 0.9
"""Of the machine's memory that a job may have where nobody said how much."""


@frozen
class Limits:
    """Limits of one job.

    Attributes:
        seconds: Wall-clock time after which it is asked to stop.
        memory_mb: Resident memory of all its processes at which it is killed.
        grace: Seconds between being asked to stop and being killed; the same for a job that sees
            that its parent is gone.
    """

    seconds: float
    memory_mb: float
    grace: float = GRACE

    @classmethod
    def of(cls, settings: LearningSettings) -> Limits:
        """Return the limits of a configuration."""
        whole: int = psutil.virtual_memory().total
        return cls(settings.minutes * 60, settings.memory_mb or _SHARE * whole / 2**20)


def session_rss_mb(leader: int) -> float:
    """Return the resident memory of all processes of a session, in MiB.

    Memory that several of them share is counted for each, so this is never too little.
    """
    total = 0
    for pid in _session(leader):
        with contextlib.suppress(psutil.Error):
            total += psutil.Process(pid).memory_info().rss
    return total / 2**20


def _session(leader: int) -> Iterator[int]:
    for pid in psutil.pids():
        with contextlib.suppress(OSError):  # it ended meanwhile
            if os.getsid(pid) == leader:
                yield pid
