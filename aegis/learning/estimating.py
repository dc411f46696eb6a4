"""What a profile would be worth, told from recorded steps: for where nothing can be played."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from aegis.contracts.check import check
from aegis.evaluation.contender import stored_weights
from aegis.evaluation.off_policy import METHODS, Recorded, estimate, policy_scores
from aegis.host.building import build_engine
from aegis.learning.preparing import experience

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aegis.evaluation.intervals import Interval
    from aegis.evaluation.off_policy import Estimate
    from aegis.project import Project

CAVEAT: Final = (
    "one decision drawn from the profile, everything after it as recorded; it promotes nothing"
)
"""What is estimated, in words."""


def estimates(
    project: Project,
    *,
    checkpoint: str = "",
    data: Path | None = None,
    environment: str | None = None,
    rules: str | None = None,
) -> dict[str, Any]:
    """Return what the project's profile would be worth on recorded steps, as JSON values.

    Args:
        project: The project, composed with the profile.
        checkpoint: Weights instead of those that decide: an identifier's beginning, ``latest`` or
            ``configured``.
        data: File of experience; None for the ledger.
        environment: Only steps of this environment.
        rules: Only steps that were recorded under these rules (`Experience.rules`).

    Raises:
        ContractError: If the composition cannot work.
        ModelError: If the checkpoint is absent, damaged or not the engine's.
        InputError: If there are no steps, or with every reason why it cannot be estimated.
    """
    stored = stored_weights(project, checkpoint)
    composition = evolve(project.composition, tools=(), trainers={})
    check(composition, stored).raise_problems()
    identifier = None if stored is None else stored.checkpoint
    folder = None if identifier is None else project.checkpoints.verified(identifier)
    discount = project.config.settings.learning.discount
    recorded = Recorded.of(experience(project, data, environment), discount, rules=rules)
    engine = build_engine(composition, project.runtime(folder), stored)
    # As decisions name who wrote: the engine, and what identifies its weights.
    writer = (composition.engine.component.name, engine.capabilities.weights)
    try:
        scores = policy_scores(engine, recorded)
    finally:
        engine.close()
    found = {name: estimate(recorded, scores, method=name, writer=writer) for name in METHODS}
    return {
        "profile": composition.profile,
        "checkpoint": identifier,
        "environment": environment,
        "discount": discount,
        "means": CAVEAT,
        **_shared(found["dr"]),
        "estimates": {name: _own(one) for name, one in found.items()},
    }


def _shared(one: Estimate) -> dict[str, Any]:
    """Return what does not depend on the method."""
    return {
        "steps": one.steps,
        "episodes": one.episodes,
        "left_out": dict(one.left_out),
        "behaviour": _interval(one.behaviour),
        "effective_sample_size": one.effective_sample_size,
        "largest_weight": one.largest_weight,
        "large_weights": one.large_weights,
        "hardly_tried": one.hardly_tried,
    }


def _own(one: Estimate) -> Mapping[str, Any]:
    return {"value": _interval(one.value), "difference": _interval(one.difference)}


def _interval(interval: Interval) -> dict[str, float]:
    return dict(interval._asdict())
