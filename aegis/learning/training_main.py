"""The process that trains: ``python -P -m aegis.learning.training_main JOBFILE``.

It loads the plugins of the job and no others, builds the engine and the trainer, reads the data
from files and calls ``train``. It has no database, and it stores nothing: the trainer writes into
the job's folder, and the parent decides what becomes of it.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aegis.errors import ContractError, Problem, TrainingError
from aegis.jobs.child_job import carry_out, peak_rss_mb, runtime_from
from aegis.learning.job import TrainingJob

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aegis.contracts.roles import Engine, Trainer, TrainingContext
    from aegis.host.composition import Chosen
    from aegis.jobs.child_job import Link

STOPPED_BECAUSE: Final = ("finished", "early", "deadline", "interrupted", "diverged")


def main() -> None:
    """Carry out the training that the command line names."""
    carry_out(TrainingJob, train)


def train(job: TrainingJob, link: Link) -> dict[str, Any]:
    """Train and return what the trainer says of it, checked."""
    deadline = time.monotonic() + job.seconds
    from aegis.store.lock import RunLock

    with RunLock(job.result.parent):  # one that outlives its parent must not meet its successor
        return _trained(job, link, deadline)


def _trained(job: TrainingJob, link: Link, deadline: float) -> dict[str, Any]:
    from attrs import evolve

    from aegis.contracts.roles import TrainingContext
    from aegis.host.attribution import attributed, blame
    from aegis.host.building import build
    from aegis.host.seat import load_host, seated
    from aegis.learning.dataset import Dataset

    runtime = runtime_from(job.workplace)
    host = load_host(job.workplace.plugins, runtime.project)
    chosen = seated(job.trainer, host)
    trainer: Trainer = build(chosen, evolve(runtime, checkpoint=None))
    engine: Engine = build(seated(job.engine, host), runtime)
    _check_accepted(engine, trainer, chosen)
    link.send({"built": _facts(engine)})
    context = TrainingContext(
        seed=job.seed,
        directory=job.result,
        state=job.state,
        resume_from=job.state if job.resume and any(job.state.iterdir()) else None,
        deadline=deadline,
        should_stop=link.should_stop,
        report=_reporter(link, chosen),
        validation=Dataset.read(job.validation),
        in_order=job.in_order,
    )
    data = Dataset.read(job.train)
    began = time.monotonic()
    hook = f"train of {chosen.label}"
    try:
        with attributed(chosen.plugin, hook):
            result: object = trainer.train(engine, data, context)
            seconds = time.monotonic() - began
            answer = _checked(result, context)
            engine.close()
    except KeyboardInterrupt as error:  # nobody's keyboard: signals do not reach this process
        raise blame(chosen.plugin, hook, error) from error
    return {**answer, "seconds": seconds, "peak_rss_mb": peak_rss_mb()}


def _check_accepted(engine: Engine, trainer: Trainer, chosen: Chosen) -> None:
    kind = engine.capabilities.kind
    if kind not in trainer.accepts:
        message = f'{chosen.label} does not train engines of kind "{kind}"'
        fix = f"it trains: {', '.join(sorted(trainer.accepts))}"
        raise ContractError(Problem("trainer-engine", message, fix=fix))


def _facts(engine: Engine) -> dict[str, Any]:
    facts = engine.capabilities
    return {
        "kind": facts.kind,
        "tokenizer_fingerprint": facts.tokenizer_fingerprint,
        "parameters": facts.parameters,
    }


def _reporter(link: Link, chosen: Chosen) -> Callable[[Mapping[str, float]], None]:
    def report(metrics: Mapping[str, float]) -> None:
        numbers = _numbers(metrics)
        wrong = [name for name, value in numbers.items() if not math.isfinite(value)]
        if wrong:
            # Said at once, whatever the trainer does with an exception; the parent ends this job.
            error = _diverged(f"{chosen.label} reported {wrong[0]} = {numbers[wrong[0]]}")
            link.fail(error)
            raise error
        link.send({"progress": numbers})

    return report


def _diverged(message: str) -> TrainingError:
    fix = "lower the learning rate; the old weights go on deciding"
    return TrainingError(Problem("training-diverged", message, fix=fix))


def _numbers(metrics: Any) -> dict[str, float]:
    try:
        return {str(name): float(value) for name, value in dict(metrics).items()}
    except (TypeError, ValueError) as error:
        raise TypeError(f"metrics must be numbers by name, not {metrics!r:.200}") from error


def _checked(result: Any, context: TrainingContext) -> dict[str, Any]:
    """Return a trainer's result as JSON values.

    Raises:
        TrainingError: If it is diverged.
        TypeError: If it is none.
    """
    from aegis.contracts.roles import TrainingResult

    if not isinstance(result, TrainingResult):
        raise TypeError(f"train returned {type(result).__name__}, not a TrainingResult")
    if result.stopped_because not in STOPPED_BECAUSE:
        known = ", ".join(STOPPED_BECAUSE)
        raise TypeError(f"stopped_because is {result.stopped_because!r}, none of {known}")
    if result.stopped_because == "diverged":
        step = result.metrics.get("diverged_at_step")
        at = f" at step {step:.0f}" if step is not None else ""
        raise _diverged(f"the training diverged{at}")
    if Path(result.directory).resolve() != context.directory.resolve():
        raise TypeError(f"the result is not in the folder that was given, {context.directory}")
    metrics = _numbers(result.metrics)
    for name, value in (*metrics.items(), ("epochs", float(result.epochs))):
        if not math.isfinite(value):
            raise _diverged(f"the result has {name} = {value}")
    return {
        "metrics": metrics,
        "examples": int(result.examples),
        "epochs": float(result.epochs),
        "stopped_because": result.stopped_because,
        "needs": {str(name): str(value) for name, value in result.needs.items()},
    }


if __name__ == "__main__":
    main()
