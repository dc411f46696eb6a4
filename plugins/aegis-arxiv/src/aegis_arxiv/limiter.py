"""When arXiv may be asked: one request in three seconds, one at a time, and none in a cool-down.

Nothing here waits. `Limiter.acquire` says go, or how long it is until then.

All processes share the times through a file. They are nanoseconds of the monotonic clock, which
on Linux, macOS and Windows counts from the start of the machine, the same for all processes, and
does not jump with the wall clock. After a restart of the machine old times make no sense: one that
lies further ahead than any that is written is ignored.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from aegis_arxiv.failure import NoAnswerError
    from aegis_arxiv.state import StateFile

INTERVAL: Final = 3.0
"""Seconds from the end of a request to the next (arXiv's terms of use)."""

_SECOND: Final = 1_000_000_000  # nanoseconds
_FIRST_PAUSE: Final = {"failed": INTERVAL, "unreachable": 60.0, "refused": 60.0}
_LONGEST_PAUSE: Final = 3600.0  # seconds that doubling leads to
_LONGEST_ASKED: Final = 24 * 3600.0  # seconds of Retry-After that are kept
_LONGEST_HOLD: Final = 120.0


@frozen
class Wait:
    """Why arXiv may not be asked now.

    Attributes:
        seconds: Until it may be, more than 0.
        reason: One line.
        unreachable: Whether it could not be reached at the last try.
    """

    seconds: float
    reason: str
    unreachable: bool = False


@frozen
class _Gate:
    """The row of the table ``gate``; times in nanoseconds."""

    last: int = 0
    held_until: int = 0
    closed_until: int = 0
    failures: int = 0
    reason: str = ""
    unreachable: bool = False


class Limiter:
    """The one limiter of all processes that share a file.

    Args:
        file: The shared file.
        interval: Seconds between two requests.
        clock: Nanoseconds of a clock that never goes back.
    """

    def __init__(
        self,
        file: StateFile,
        *,
        interval: float = INTERVAL,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._file = file
        self._interval = round(interval * _SECOND)
        self._clock = clock
        self._last = 0  # of this process: holds even if the file is deleted

    def peek(self) -> Wait | None:
        """Return how long to wait, or None; changes nothing.

        Raises:
            sqlite3.Error: If the file cannot be read just now.
        """
        with self._file.read() as connection:
            gate = _Gate() if connection is None else _stored(connection)
        return self._wait(gate, self._clock())

    def acquire(self, hold: float) -> Wait | None:
        """Return how long to wait, or None: then a request may begin, and `release` must follow.

        Args:
            hold: Seconds that the request may take at most; if this process dies in it, the
                others wait no longer.

        Raises:
            sqlite3.Error: If the shared file cannot be written: the limit cannot be kept.
        """
        with self._file.write() as connection:
            gate, now = _stored(connection), self._clock()
            wait = self._wait(gate, now)
            if wait is None:
                held = now + round(min(hold, _LONGEST_HOLD) * _SECOND)
                _store(connection, evolve(gate, last=now, held_until=held))
                self._last = now
        return wait

    def release(self, error: NoAnswerError | None) -> float:
        """Note how a request ended, and return the seconds for which asking again is pointless.

        Raises:
            sqlite3.Error: If the shared file cannot be written.
        """
        self._last = now = self._clock()
        with self._file.write() as connection:
            before = _stored(connection)
            after = _after(before, error, now)
            _store(connection, after)
        return max(after.closed_until - now, self._interval) / _SECOND

    def _wait(self, gate: _Gate, now: int) -> Wait | None:
        last = max((moment for moment in (gate.last, self._last) if 0 < moment <= now), default=0)
        free = last + self._interval if last else 0
        held = _kept(gate.held_until, now, _LONGEST_HOLD)
        closed = _kept(gate.closed_until, now, _LONGEST_ASKED)
        until = max(free, held, closed)
        if until <= now:
            return None
        seconds = (until - now) / _SECOND
        if closed > now:
            return Wait(seconds, gate.reason, gate.unreachable)
        return Wait(seconds, "waits for arXiv's limit of one request in 3 s")


def _kept(until: int, now: int, longest: float) -> int:
    """Return a stored moment, or 0 for one that no process of this clock can have written."""
    return until if until <= now + round(longest * _SECOND) else 0


def _after(gate: _Gate, error: NoAnswerError | None, now: int) -> _Gate:
    if error is None or (error.fault == "question" and error.retry_after is None):
        return _Gate(last=now)
    failures = gate.failures + 1
    return _Gate(
        last=now,
        closed_until=now + round(_pause(error, failures) * _SECOND),
        failures=failures,
        reason=error.message,
        unreachable=error.fault == "unreachable",
    )


def _pause(error: NoAnswerError, failures: int) -> float:
    if error.retry_after is not None:
        return min(max(error.retry_after, INTERVAL), _LONGEST_ASKED)
    first = _FIRST_PAUSE[error.fault]
    return min(first * 2.0 ** min(failures - 1, 16), _LONGEST_PAUSE)


def _stored(connection: sqlite3.Connection) -> _Gate:
    row = connection.execute(
        "SELECT last, held_until, closed_until, failures, reason, unreachable FROM gate"
    ).fetchone()
    if row is None:
        return _Gate()
    last, held, closed, failures, reason, unreachable = row
    return _Gate(last, held, closed, failures, reason, bool(unreachable))


def _store(connection: sqlite3.Connection, gate: _Gate) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO gate VALUES (1, ?, ?, ?, ?, ?, ?)",
        (
            gate.last,
            gate.held_until,
            gate.closed_until,
            gate.failures,
            gate.reason,
            gate.unreachable,
        ),
    )
