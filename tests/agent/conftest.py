from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from aegis.contracts.action import Action
from aegis.contracts.capabilities import EngineCapabilities
from aegis.contracts.outcome import Outcome, StepResult
from aegis.contracts.view import View


class StepClock:
    """A clock that moves a second at every look."""

    def __init__(self, start: str = "2026-01-01T00:00:00+00:00") -> None:
        self._now = datetime.fromisoformat(start)
        self._ticks = 0.0

    def now(self) -> str:
        self._now += timedelta(seconds=1)
        return self._now.astimezone(UTC).isoformat(timespec="microseconds")

    def monotonic(self) -> float:
        self._ticks += 0.5
        return self._ticks

    def jump(self, **delta: float) -> None:
        self._now += timedelta(**delta)


class Buttons:
    """A seeded environment: four buttons, one is right; five presses at most."""

    def __init__(self) -> None:
        self.pressed: list[str] = []
        self._right = self._step = 0

    def reset(self, seed: int) -> View:
        self._right = int(np.random.default_rng(seed).integers(4))
        self._step = 1
        return self._view()

    def candidates(self, view: View) -> list[Action]:
        return [Action("press", {"button": i}) for i in range(4)]

    def step(self, action: Action) -> StepResult:
        right = action.arguments["button"] == self._right
        self.pressed.append(action.key)
        self._step += 1
        return StepResult(
            self._view(),
            Outcome("ok", "right" if right else "wrong"),
            1.0 if right else -0.1,
            done=right or self._step > 5,
            goal_completed=right,
        )

    def _view(self) -> View:
        return View("press the right button", self._step, 5)


class Even:
    """An engine without an opinion."""

    capabilities = EngineCapabilities(kind="even", weights="even-1")

    def score(self, view, candidates):
        return np.full(len(candidates), -np.log(len(candidates)))


@pytest.fixture
def clock():
    return StepClock()


@pytest.fixture
def buttons():
    return Buttons()


@pytest.fixture
def even():
    return Even()
