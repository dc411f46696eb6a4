"""The process that compares weights: ``python -P -m aegis.learning.judging_main JOBFILE``.

It builds the old engine from its files, measures it, gives it back, then does the same with the
new one: two are never in memory, and what is judged is what will be served.
"""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any, Final

from aegis.errors import InputError, Problem, TrainingError
from aegis.jobs.child_job import carry_out, runtime_from
from aegis.learning.job import JudgingJob

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from aegis.contracts.component import Runtime
    from aegis.contracts.roles import Engine, Environment
    from aegis.evaluation.rollout import EpisodeResult
    from aegis.host.manager import Host
    from aegis.jobs.child_job import Link
    from aegis.learning.judging import Rows

SIDES: Final = ("incumbent", "candidate")


def main() -> None:
    """Carry out the comparison that the command line names."""
    carry_out(JudgingJob, judge)


def judge(job: JudgingJob, link: Link) -> dict[str, Any]:
    """Compare old and new weights; returns ``held_out`` and ``episodes``."""
    from aegis.host.seat import load_host
    from aegis.learning.dataset import Dataset
    from aegis.learning.judging import Rows

    runtime = runtime_from(job.workplace)
    host = load_host(job.workplace.plugins, runtime.project)
    court = _Court(job, link, host, runtime, Rows.of(Dataset.read(job.validation)))
    for side, folder in zip(SIDES, (runtime.checkpoint, job.candidate), strict=True):
        court.measure(side, job.engine, folder)
        gc.collect()
    for name, seat in {} if job.play is None else job.play.beside.items():
        court.watch_playing(name, seat)
    return {"held_out": court.held_out(), "episodes": court.episodes()}


class _Court:
    """One comparison: what was measured of each engine so far."""

    def __init__(
        self, job: JudgingJob, link: Link, host: Host, runtime: Runtime, rows: Rows
    ) -> None:
        self._job, self._link, self._host, self._runtime = job, link, host, runtime
        self._rows = rows
        self._values: dict[str, dict[str, list[float]]] = {}
        self._episodes: dict[str, list[EpisodeResult]] = {}
        self._skipped = ""
        self._environment = self._stage()

    def measure(self, side: str, seat: Mapping[str, Any], folder: Path | None) -> None:
        """Build an engine, measure it on rows and episodes, and give it back."""
        from aegis.learning.judging import held_out

        def work(engine: Engine) -> None:
            report = self._reporter(side, "held-out rows")
            self._values[side] = held_out(engine, self._rows, report)
            self._play(side, engine)

        self._with_engine(side, seat, folder, work)

    def watch_playing(self, name: str, seat: Mapping[str, Any]) -> None:
        """Let an engine play the episodes, for comparison."""
        if self._environment is not None:
            self._with_engine(name, seat, None, lambda engine: self._play(name, engine))

    def held_out(self) -> dict[str, Any]:
        """Return the measures on held-out rows of both engines."""
        from aegis.learning.judging import compared

        old, new = (self._values[side] for side in SIDES)
        groups = {name: [s.episode for s in self._rows.of_measure(name)] for name in old}
        return {
            "measures": compared(old, new, groups, seed=self._job.seed),
            "random": {"loss": self._rows.even_loss},
        }

    def episodes(self) -> dict[str, Any]:
        """Return the returns of both engines and of those beside, or why nobody played."""
        from aegis.evaluation.clusters import topics
        from aegis.learning.judging import RETURN, compared, summary

        play, seed = self._job.play, self._job.seed
        if play is None or self._environment is None:
            return {"skipped": self._skipped or "nothing can be played"}
        returns = {
            name: [episode.total for episode in episodes]
            for name, episodes in self._episodes.items()
        }
        # The same seeds are the same topics for everybody, and several seeds may be of one.
        about = topics(self._episodes[SIDES[0]])
        old, new = ({RETURN: returns[side]} for side in SIDES)
        beside = {name: summary(returns[name], about, seed=seed) for name in play.beside}
        return {
            "environment": play.environment["name"],
            "version": play.version,
            "seeds": list(play.seeds),
            "measures": compared(old, new, {RETURN: about}, seed=seed),
            "beside": beside,
        }

    def _stage(self) -> Environment | None:
        from attrs import evolve

        from aegis.host.building import build
        from aegis.host.seat import seated

        play = self._job.play
        if play is None:
            return None
        runtime = evolve(self._runtime, checkpoint=None)
        try:
            environment: Environment = build(seated(play.environment, self._host), runtime)
        except InputError as error:  # too few documents, say: the rows are judged all the same
            self._skipped = error.problems[0].message
            return None
        return environment

    def _with_engine(
        self,
        side: str,
        seat: Mapping[str, Any],
        folder: Path | None,
        work: Callable[[Engine], None],
    ) -> None:
        from attrs import evolve

        from aegis.host.attribution import attributed
        from aegis.host.building import build
        from aegis.host.seat import seated

        chosen = seated(seat, self._host)
        engine: Engine = build(chosen, evolve(self._runtime, checkpoint=folder))
        with attributed(chosen.plugin, f"{chosen.label} while it was judged ({side})"):
            work(engine)
            engine.close()

    def _play(self, side: str, engine: Engine) -> None:
        from aegis.learning.judging import played

        play, environment = self._job.play, self._environment
        if play is not None and environment is not None:
            report = self._reporter(side, "episodes")
            self._episodes[side] = played(environment, engine, play.seeds, report)

    def _reporter(self, side: str, what: str) -> Callable[[int, int], None]:
        last = 0.0

        def report(done: int, total: int) -> None:
            nonlocal last
            if self._link.should_stop():
                raise TrainingError(Problem("judging-stopped", "the comparison was stopped"))
            now = time.monotonic()
            if now - last >= 0.1 or done == total:
                last = now
                self._link.send(
                    {"judging": {"side": side, "what": what, "done": done, "total": total}}
                )

        return report


if __name__ == "__main__":
    main()
