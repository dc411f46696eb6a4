"""From a trainer's result to a stored candidate, with everything that its manifest says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aegis.checkpoints.folder import FOR, Checkpoints
from aegis.checkpoints.manifest import Draft
from aegis.config.structure import to_json
from aegis.errors import ModelError, TrainingError
from aegis.hookspecs import PLUGIN_API
from aegis.host.seat import seat_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aegis.learning.job_folder import JobFolder
    from aegis.learning.outcome import Outcome
    from aegis.learning.preparing import Plan


def store(
    plan: Plan,
    folder: JobFolder,
    outcome: Outcome,
    built: Mapping[str, Any],
    answer: Mapping[str, Any],
) -> str:
    """Store a result as a checkpoint and return its identifier.

    Args:
        plan: What was trained.
        folder: The job's folder, with the result.
        outcome: How the training ended.
        built: What the child told of the built engine.
        answer: What it told of the result.

    Raises:
        TrainingError: If the result holds what no checkpoint may hold.
        StoreError: If it cannot be stored.
    """
    engine, trainer = plan.engine, plan.trainer
    draft = Draft(
        component=engine.component.name,
        kind=built["kind"],
        distribution=engine.plugin.distribution,
        version=engine.plugin.version,
        plugin_api=PLUGIN_API,
        trainer=trainer.component.name,
        trainer_distribution=trainer.plugin.distribution,
        trainer_version=trainer.plugin.version,
        config=to_json({"engine": seat_of(engine), "trainer": seat_of(trainer)}),
        tokenizer_fingerprint=built["tokenizer_fingerprint"],
        parent=plan.incumbent,
        needs=dict(answer["needs"]),
        dataset=plan.selected.provenance(),
        metrics=outcome.steady_metrics(),
        seed=plan.project.config.settings.runtime.seed,
    )
    checkpoints = Checkpoints(plan.project.run_folder)
    try:
        checkpoint = checkpoints.add(folder.result, draft)
    except ModelError as error:  # the trainer's doing, not a mistake of the user's
        raise TrainingError(error.problems) from error
    facts = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        # A training that comes to the same weights for another profile is the same checkpoint.
        FOR: list(dict.fromkeys([*checkpoints.facts(checkpoint).get(FOR, ()), outcome.profile])),
        "profile": outcome.profile,
        "job": folder.name,
        "seconds": round(outcome.seconds, 3),
        "examples_per_second": outcome.examples_per_second,
        "peak_rss_mb": round(outcome.peak_rss_mb, 1),
        "stopped_because": outcome.stopped_because,
        "curve": [dict(point) for point in outcome.curve],
    }
    checkpoints.record(checkpoint, facts)
    return checkpoint
