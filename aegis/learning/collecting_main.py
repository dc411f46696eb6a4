"""The process that collects: ``python -P -m aegis.learning.collecting_main JOBFILE``.

Plays episodes and tells each as lines of Aegis JSONL, its steps numbered from 1, in as many
messages as it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aegis.jobs.child_job import carry_out, runtime_from
from aegis.learning.collecting_job import CollectingJob

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aegis.contracts.experience import Experience
    from aegis.contracts.roles import Environment
    from aegis.contracts.scores import Scores
    from aegis.evaluation.playing_main import Timed
    from aegis.evaluation.rollout import Played
    from aegis.jobs.child_job import Link

_MESSAGE: Final = 1 << 20
"""Characters of lines from which on a message is full: a parent reads four times as many."""


def main() -> None:
    """Play and record the episodes that the command line's job names."""
    carry_out(CollectingJob, collect)


def collect(job: CollectingJob, link: Link) -> dict[str, Any]:
    """Play the seeds of a job, telling each episode; returns how many were played."""
    from attrs import evolve

    from aegis.evaluation.playing_main import Timed, engines_of, played_on, require_content
    from aegis.host.building import build
    from aegis.host.seat import load_host, seated

    runtime = runtime_from(job.play.workplace)
    host = load_host(job.play.workplace.plugins, runtime.project)
    stage = seated(job.play.environment, host)
    environment: Environment = build(stage, evolve(runtime, checkpoint=None))
    require_content(stage, runtime, job.play.content)
    (engine,), who = engines_of(job.play.player, host, runtime, environment, stage)
    timed = Timed(engine, who or stage.plugin, job.play.player.name)
    played = 0
    with played_on(stage, [timed]):
        for seed in job.play.seeds:
            if link.should_stop():
                break
            for part in recorded(job, environment, timed, seed):
                link.send({"recorded": {"seed": seed, **part}})
            played += 1
    timed.close()
    return {"played": played}


def recorded(
    job: CollectingJob, environment: Environment, engine: Timed, seed: int
) -> Iterator[dict[str, Any]]:
    """Yield the steps of an episode as `lines` of Aegis JSONL, in parts.

    The last part is `over` and says whether the goal was `completed`.
    """
    from aegis.evaluation.rollout import play
    from aegis.exploration import Exploration
    from aegis.learning.exchange_jsonl import line
    from aegis.store.runs import now

    exploration = None
    if job.epsilon or job.temperature != 1.0:
        exploration = Exploration(job.epsilon, job.temperature)
    steps = play(environment, engine, seed, exploration=exploration, greedy=job.play.greedy)  # type: ignore[arg-type]  # only score and write are called
    lines: list[str] = []
    size, completed = 0, False
    for index, step in enumerate(steps, start=1):
        at = now()
        lines.append(line(_experience(job, engine, seed, index, step, at), at, None, None))
        completed = step.result.goal_completed
        size += len(lines[-1])
        if size > _MESSAGE:
            yield {"lines": lines, "over": False}
            lines, size = [], 0
    yield {"lines": lines, "over": True, "completed": completed}


def _experience(  # noqa: PLR0917 - one step and where it belongs
    job: CollectingJob, engine: Timed, seed: int, index: int, step: Played, at: str
) -> Experience:
    from aegis.contracts.experience import Decision, Experience

    written = step.written
    decision = Decision(
        candidates=tuple(step.candidates),
        chosen=step.chosen,
        engine_log_probabilities=_floats(step.scores),
        behaviour_log_probabilities=_floats(step.behaviour),
        action=step.action,
        text=None if written is None else written.text,
        text_log_probability=None if written is None else written.log_probability,
        engine=job.play.player.name,
        checkpoint=engine.capabilities.weights,
        remarks=engine.remarks,
    )
    return Experience(
        step=index,
        run="collected",
        episode=1,
        index=index,
        environment=job.task,
        origin=job.origin,
        seed=seed,
        generator=job.generator,
        key="",  # it follows from the whole episode
        started=at,
        view=step.view,
        decision=decision,
        outcome=step.result.outcome,
        reward=step.result.reward,
        done=step.result.done,
    )


def _floats(log_probabilities: Scores) -> tuple[float, ...]:
    """Return log-probabilities in the precision that the ledger keeps (float32)."""
    return tuple(log_probabilities.astype(np.float32).tolist())


if __name__ == "__main__":
    main()
