"""The learning rate of a training that its clock ends before its steps do."""

from __future__ import annotations

from typing import Final

from attrs import define, field

SHARE: Final = 0.2
"""Share of a training's time in which the rate falls where the time will not do: a linear fall
over a fifth reaches what a schedule that was planned for that length does (Hägele et al. 2024,
arXiv 2405.18392)."""


@define
class Cooldown:
    """Lets the rate fall to 0 before a deadline that comes before the last step.

    A training that ends in time is never touched, so that it follows from its seeds alone.

    Attributes:
        began: When it began, in seconds.
        end: When its last step has to be done.
        steps: Steps that are left at its beginning.
    """

    began: float
    end: float
    steps: int
    _from: float | None = field(default=None, init=False)

    def factor(self, now: float, done: int) -> float:
        """Return what the rate is multiplied by, 0 to 1.

        Args:
            now: The time in seconds.
            done: Steps since it began.
        """
        if self._from is None:
            if done == 0 or now - self.began < (1 - SHARE) * (self.end - self.began):
                return 1.0
            each = (now - self.began) / done
            if now + (self.steps - done) * each <= self.end:
                return 1.0
            self._from = now
        return max(0.0, self.end - now) / max(self.end - self._from, 1e-9)
