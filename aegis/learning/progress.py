"""Where a training stands, and who is told."""

from __future__ import annotations

import time
from collections.abc import Callable  # noqa: TC003 - attrs resolves the annotations of Listener
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Stage = Literal["waiting", "training", "judging", "over"]


@frozen
class Progress:
    """Where a training stands.

    Attributes:
        stage: ``waiting`` (for one that lost its parent), ``training``, ``judging`` or ``over``.
        seconds: Since the stage began.
        limit: Seconds that the stage may take.
        silent: Seconds since its process was heard of.
        rss_mb: Resident memory of its processes, MiB.
        metrics: What the trainer reported last: ``loss``, ``held_out_loss``, ``epoch``,
            ``examples`` and ``examples_total`` (repeats counted), ``examples_per_second``,
            ``seconds_left``.
        judging: What is judged (``side``, ``what``, ``done``, ``total``).
        points: The learning curve.
    """

    stage: Stage
    seconds: float = 0.0
    limit: float = 0.0
    silent: float = 0.0
    rss_mb: float = 0.0
    metrics: Mapping[str, float] = field(factory=dict)
    judging: Mapping[str, Any] = field(factory=dict)
    points: Sequence[Mapping[str, float]] = ()


def _ignore(*_: Any) -> None:
    """Do nothing with what is told."""


@frozen
class Listener:
    """Who is told how a training gets on.

    Attributes:
        progress: At every poll.
        notice: One line for a person.
    """

    progress: Callable[[Progress], None] = field(default=_ignore)
    notice: Callable[[str], None] = field(default=_ignore)


class Pace:
    """How fast a trainer gets on, for one that does not say so itself."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None

    def of(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return ``examples_per_second`` and ``seconds_left``, as far as they can be known.

        Args:
            metrics: A report; ``examples`` (done so far) and ``examples_total`` are looked at.
        """
        now, done = time.monotonic(), metrics.get("examples")
        if done is None:
            return {}
        if self._first is None:
            self._first = now, done
        began, before = self._first
        if now <= began or done <= before:
            return {}
        rate = (done - before) / (now - began)
        total = metrics.get("examples_total")
        left = {} if total is None else {"seconds_left": max(0.0, total - done) / rate}
        return {"examples_per_second": rate, **left}
