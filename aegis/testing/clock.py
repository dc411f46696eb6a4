"""A clock that a test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from attrs import define


@define
class ManualClock:
    """Wall clock and monotonic clock that stand still until they are moved.

    What the agent's own clock offers (`now`, `monotonic`), and a call for nanoseconds.

    Attributes:
        started: The instant at which it stands first.
        seconds: Seconds since then.
    """

    started: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    seconds: float = 1000.0

    def now(self) -> str:
        """Return the instant, UTC, ISO 8601 with microseconds."""
        moment = self.started + timedelta(seconds=self.seconds)
        return moment.isoformat(timespec="microseconds")

    def monotonic(self) -> float:
        """Return the seconds."""
        return self.seconds

    def __call__(self) -> int:
        """Return the seconds as nanoseconds."""
        return round(self.seconds * 1e9)

    def advance(self, seconds: float) -> None:
        """Move on; back, where it is less than 0."""
        self.seconds += seconds
