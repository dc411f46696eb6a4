"""Time, as the agent sees it: one place, so that tests and replays can inject their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall-clock instants for the record, and a monotonic clock for durations."""

    def now(self) -> str:
        """Return the current instant, UTC, ISO 8601 with microseconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back; only differences mean anything."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> str:
        """Return the current instant, UTC, ISO 8601 with microseconds."""
        return datetime.now(UTC).isoformat(timespec="microseconds")

    def monotonic(self) -> float:
        """Return `time.monotonic`."""
        return time.monotonic()
