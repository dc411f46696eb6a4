"""One step as the ledger records it, and as trainers and reports read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from aegis.contracts.action import Action
from aegis.contracts.outcome import Outcome
from aegis.contracts.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

Origin = Literal["own", "practice", "teacher", "import"]
"""Where experience comes from: the agent's own life, its practice in a gym, a teacher's
demonstrations, another system's file."""


@frozen
class Decision:
    """The candidate taken and the probabilities under which it was taken.

    Attributes:
        candidates: What could be chosen; empty only for imported rows that did not record it.
        chosen: Index of the candidate taken, or None where an imported row names no candidate.
        engine_log_probabilities: The engine's log-probability of every candidate, (n,).
        behaviour_log_probabilities: The same after exploration: what was sampled from, (n,).
        action: The action carried out: the chosen candidate, its slot filled; None if unknown.
        text: The text written into the slot, or None.
        text_log_probability: Its log-probability under the engine, or None.
        plan: A composite engine's plan, or None.
        plan_log_probability: Its log-probability, or None.
        engine: Name of the engine.
        checkpoint: Identifier of its weights, or None where it has none.
        remarks: What the engine remarked about its scores: short names, finite numbers.
    """

    candidates: tuple[Action, ...]
    chosen: int | None
    engine_log_probabilities: tuple[float, ...]
    behaviour_log_probabilities: tuple[float, ...]
    action: Action | None
    text: str | None = None
    text_log_probability: float | None = None
    plan: str | None = None
    plan_log_probability: float | None = None
    engine: str = ""
    checkpoint: str | None = None
    remarks: Mapping[str, float] = field(factory=dict)


@frozen
class Experience:
    """One step: view, candidates, decision, outcome, reward.

    Attributes:
        step: Number in the ledger, from 1, without holes.
        run: Run that it belongs to.
        episode: Number of the episode; what datasets are split by.
        index: Number of the step within its episode, from 1.
        environment: Name of the environment.
        origin: Where it comes from.
        seed: Seed that the step's randomness derives from.
        generator: Version of the code that made the candidates and the view.
        key: The idempotency key under which the action was carried out.
        started: When it was decided, UTC, ISO 8601.
        view: What the engine was shown.
        decision: What was chosen among what.
        outcome: How it went, or None while the step is only an intent.
        reward: Its reward, or None while the step is only an intent.
        done: Whether the episode ended with it.
        extra: JSON text of what an import could not place, or empty.
    """

    step: int
    run: str
    episode: int
    index: int
    environment: str
    origin: Origin
    seed: int
    generator: str
    key: str
    started: str
    view: View
    decision: Decision
    outcome: Outcome | None = None
    reward: float | None = None
    done: bool = False
    extra: str = ""

    @property
    def rules(self) -> str:
        """Name and version of the environment's rules: `generator` without who recorded it.

        The agent's own steps say before it which version of Aegis that was.
        """
        return self.generator.rpartition("/")[2]
