"""Environments of which each breaks one law; ``sound`` breaks none."""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
from attrs import evolve, frozen

import aegis

plugin_api = 1
MOST = 12


@frozen
class Settings:
    split: str = aegis.setting(
        "practice", help="Which episodes.", choices=("practice", "validation", "test")
    )


class Guessing:
    """Guess a number; the answer says whether it is higher or lower."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.broken, self.split = name, settings.split

    def reset(self, seed: int) -> aegis.View:
        split = "" if self.broken == "environment-splits" else self.split
        salt = "same" if self.broken == "environment-seeds-differ" else f"{split} {seed}"
        drawn = random if self.broken == "environment-seeded" else random.Random(salt)
        if self.broken == "environment-seeds-differ":
            drawn = random.Random(self.split + "7")
        self.seed, self.at = seed, 1
        self.number = drawn.randrange(MOST)
        self.low, self.high, self.said = 0, MOST - 1, "nothing yet"
        return self.view()

    def view(self) -> aegis.View:
        seen: Any = (f"between {self.low} and {self.high}", self.said)
        if self.broken == "environment-views":
            seen = list(seen)
        return aegis.View(goal="Guess the number", step=self.at, limit=20, observation=seen)

    def candidates(self, view: aegis.View) -> Any:
        found = [aegis.Action("guess", {"number": n}) for n in range(MOST)]
        return found + found[:1] if self.broken == "environment-candidates" else found

    def step(self, action: aegis.Action) -> aegis.StepResult:
        guess = action.arguments["number"]
        if self.broken == "environment-steps" and (self.seed, self.at, guess) == (0, 1, 0):
            raise ZeroDivisionError("nobody guesses nothing")
        self.at += 1
        found = guess == self.number
        self.said = "found" if found else "higher" if guess < self.number else "lower"
        done = (found or self.at > 20) and self.broken != "environment-ends"
        reward = float("nan") if self.broken == "environment-results" and found else float(found)
        return aegis.StepResult(self.view(), aegis.Outcome("ok"), reward, done, found)

    def experts(self) -> Any:
        return {"knowing": [Knowing(self)]}


class Knowing:
    """Knows the number."""

    capabilities = aegis.EngineCapabilities(kind="knowing")

    def __init__(self, world: Guessing) -> None:
        self.world = world

    def score(self, view: aegis.View, candidates: Any) -> Any:
        number = self.world.number
        if self.world.broken == "environment-experts":
            number = (number + 1) % MOST
        wanted = [float(one.arguments["number"] == number) for one in candidates]
        return np.log(np.array(wanted) + 1e-9) - np.log(1 + 1e-9 * len(candidates))


def mirrored(broken: str) -> Any:
    """Numbers counted from the other end: 0 is the highest."""

    def make(step: aegis.Experience, count: int, seed: int) -> Any:
        decision = step.decision
        low, high = MOST - 1 - step.view.step, MOST - 1
        view = evolve(step.view, observation=(f"between {low} and {high}", "from the other end"))
        chosen = MOST - 1 - decision.chosen
        moved = decision.engine_log_probabilities[::-1]
        told = evolve(
            decision,
            chosen=chosen,
            action=decision.candidates[chosen],
            engine_log_probabilities=moved,
            behaviour_log_probabilities=decision.behaviour_log_probabilities
            if broken == "environment-variants"
            else moved,
        )
        return [evolve(step, view=view, decision=told)][:count]

    return make


def _component(name: str) -> aegis.Component:
    return aegis.Component(
        kind="environment",
        name=name,
        summary="Guess a number.",
        config=Settings,
        build=lambda settings, parts, runtime: Guessing(name, settings),
        describe=lambda _: aegis.EnvironmentCapabilities(splits=True, measure="success"),
        variants=mirrored(name),
    )


@aegis.hookimpl
def aegis_environments() -> Any:
    return [_component(name) for name in os.environ["AEGIS_BROKEN"].split()]
