"""The process that plays: ``python -P -m aegis.evaluation.playing_main JOBFILE``.

One policy, one environment; every finished episode is told at once. What fails is the engine's
fault where the engine was asked, and else the environment's.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from attrs import asdict

from aegis.evaluation.playing_job import PlayingJob
from aegis.host.attribution import attributed
from aegis.jobs.child_job import carry_out, peak_rss_mb, runtime_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from aegis.contracts.action import Action
    from aegis.contracts.component import Runtime
    from aegis.contracts.roles import Engine, Environment, Written
    from aegis.contracts.scores import Scores
    from aegis.contracts.view import View
    from aegis.evaluation.episode import Episode
    from aegis.evaluation.playing_job import Player
    from aegis.host.composition import Chosen
    from aegis.host.manager import Host
    from aegis.host.plugin import PluginInfo
    from aegis.jobs.child_job import Link


def main() -> None:
    """Play the episodes that the command line's job names."""
    carry_out(PlayingJob, play_all)


def play_all(job: PlayingJob, link: Link) -> dict[str, Any]:
    """Play the seeds of a job, telling each episode; returns how many were played."""
    from attrs import evolve

    from aegis.host.building import build
    from aegis.host.seat import load_host, seated

    runtime = runtime_from(job.workplace)
    host = load_host(job.workplace.plugins, runtime.project)
    stage = seated(job.environment, host)
    environment: Environment = build(stage, evolve(runtime, checkpoint=None))
    require_content(stage, runtime, job.content)
    engines, who = engines_of(job.player, host, runtime, environment, stage)
    timed = [Timed(engine, who or stage.plugin, job.player.name) for engine in engines]
    played = 0
    with played_on(stage, timed):
        for seed in job.seeds:
            if link.should_stop():
                break
            tries = [_episode(environment, engine, seed, greedy=job.greedy) for engine in timed]
            link.send({"episode": asdict(best(tries))})
            played += 1
    for engine in timed:
        engine.close()
    return {"played": played}


def require_content(stage: Chosen, runtime: Runtime, content: str) -> None:
    """Require that the files that are played over are those that the figures will be kept under.

    Raises:
        EvaluationError: ``content-changed``.
    """
    from pathlib import Path

    from aegis.errors import EvaluationError, Problem
    from aegis.evaluation.task import content_of

    library = runtime.library or Path("data", "library")
    if content_of(stage, runtime.project / library) != content:
        raise EvaluationError(
            Problem(
                "content-changed",
                f"what {stage.label} plays over was changed meanwhile",
                fix="leave it alone while episodes are played; the same command begins anew",
            )
        )


def best(tries: Sequence[Episode]) -> Episode:
    """Return the episode with the best return; the time of all of them counts."""
    from attrs import evolve

    seconds = sum(episode.seconds for episode in tries)
    return evolve(max(tries, key=lambda episode: episode.total), seconds=seconds)


def engines_of(
    player: Player, host: Host, runtime: Runtime, environment: Environment, stage: Chosen
) -> tuple[Sequence[Engine], PluginInfo | None]:
    """Return who decides, several where the best of them counts, and the plugin that is theirs."""
    from aegis.host.building import build
    from aegis.host.seat import seated

    if player.kind == "engine":
        chosen = seated(player.seat, host)
        return [build(chosen, runtime)], chosen.plugin
    if player.kind == "majority":
        from aegis.evaluation.majority import MajorityEngine

        return [MajorityEngine(player.name)], None
    return experts_of(environment, stage)[player.name], None


def experts_of(environment: Environment, stage: Chosen) -> Mapping[str, Sequence[Engine]]:
    """Return the policies of an environment that look behind its views, by name.

    Raises:
        PluginError: If asking for them raises.
    """
    offered: Callable[[], Mapping[str, Sequence[Engine]]] | None
    offered = getattr(environment, "experts", None)
    with attributed(stage.plugin, f"experts of {stage.label}"):
        return {} if offered is None else offered()


class Timed:
    """An engine, the CPU time of its decisions, and whose fault it is if they fail.

    Args:
        engine: Any engine.
        plugin: Who provides it.
        name: Its name, for messages.

    Attributes:
        capabilities: The engine's.
        seconds: CPU time of all its decisions.
        remarks: What it remarked about its last scores.
        failure: What was wrong with one, its plugin blamed; None as long as nothing was.
    """

    def __init__(self, engine: Engine, plugin: PluginInfo, name: str) -> None:
        self._engine, self._plugin, self._name = engine, plugin, name
        self.capabilities = engine.capabilities
        self.seconds = 0.0
        self.remarks: Mapping[str, float] = {}
        self.failure: BaseException | None = None

    def score(self, view: View, candidates: Sequence[Action]) -> Scores:
        """Return what the engine returns, if that is one log-probability a candidate."""
        from aegis.exploration import require_scores
        from aegis.host.interface import remarks_of

        with self._blamed("score"):
            with self._clocked():
                scores = self._engine.score(view, candidates)
            require_scores(scores, len(candidates))
            self.remarks = remarks_of(self._engine, self._name, self._plugin)
        return scores

    def write(self, view: View, action: Action, slot: str) -> Written:
        """Return what the engine returns."""
        with self._blamed("write"), self._clocked():
            return self._engine.write(view, action, slot)

    def close(self) -> None:
        """Close the engine."""
        with self._blamed("close"):
            self._engine.close()

    @contextlib.contextmanager
    def _clocked(self) -> Iterator[None]:
        began = time.process_time()
        yield
        self.seconds += time.process_time() - began

    @contextlib.contextmanager
    def _blamed(self, method: str) -> Iterator[None]:
        try:
            with attributed(self._plugin, f"{method} of {self._name}"):
                yield
        except BaseException as error:
            self.failure = error
            raise


@contextlib.contextmanager
def played_on(stage: Chosen, engines: Sequence[Timed]) -> Iterator[None]:
    """Blame the environment for what fails inside, unless an engine was blamed for it.

    Args:
        stage: The environment.
        engines: Who plays inside.
    """
    try:
        yield
    except BaseException as error:
        if any(engine.failure is error for engine in engines):
            raise
        with attributed(stage.plugin, f"an episode of {stage.label}"):
            raise


def _episode(environment: Environment, timed: Timed, seed: int, *, greedy: bool) -> Episode:
    from aegis.evaluation.episode import Episode
    from aegis.evaluation.rollout import EpisodeResult, play

    before = timed.seconds
    steps = list(play(environment, timed, seed, greedy=greedy))  # type: ignore[arg-type]  # only these two are called
    result = EpisodeResult.of(seed, steps)
    return Episode(
        seed=seed,
        total=result.total,
        steps=result.steps,
        completed=result.completed,
        denied=result.statuses.count("denied"),
        seconds=timed.seconds - before,
        rss_mb=peak_rss_mb(),
        parameters=timed.capabilities.parameters,
        actions=dict(Counter(step.action.tool for step in steps)),
        facts=result.facts,
    )


if __name__ == "__main__":
    main()
