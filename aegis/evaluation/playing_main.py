"""The process that plays: ``python -P -m aegis.evaluation.playing_main JOBFILE``.

One policy, one environment; every finished episode is told at once.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from attrs import asdict

from aegis.evaluation.playing_job import PlayingJob
from aegis.jobs.child_job import carry_out, peak_rss_mb, runtime_from

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aegis.contracts.action import Action
    from aegis.contracts.component import Runtime
    from aegis.contracts.roles import Engine, Environment, Scores, Written
    from aegis.contracts.view import View
    from aegis.evaluation.episode import Episode
    from aegis.evaluation.playing_job import Player
    from aegis.host.manager import Host
    from aegis.jobs.child_job import Link


def main() -> None:
    """Play the episodes that the command line's job names."""
    carry_out(PlayingJob, play_all)


def play_all(job: PlayingJob, link: Link) -> dict[str, Any]:
    """Play the seeds of a job, telling each episode; returns how many were played."""
    from attrs import evolve

    from aegis.host.attribution import attributed
    from aegis.host.building import build
    from aegis.host.seat import load_host, seated

    runtime = runtime_from(job.workplace)
    host = load_host(job.workplace.plugins, runtime.project)
    stage = seated(job.environment, host)
    environment: Environment = build(stage, evolve(runtime, checkpoint=None))
    engines, who = engines_of(job.player, host, runtime, environment)
    played = 0
    with attributed(who or stage.plugin, f"the episodes of {job.player.name}"):
        for seed in job.seeds:
            if link.should_stop():
                break
            tries = [_episode(environment, engine, seed, greedy=job.greedy) for engine in engines]
            link.send({"episode": asdict(best(tries))})
            played += 1
        for engine in engines:
            engine.close()
    return {"played": played}


def best(tries: Sequence[Episode]) -> Episode:
    """Return the episode with the best return; the time of all of them counts."""
    from attrs import evolve

    seconds = sum(episode.seconds for episode in tries)
    return evolve(max(tries, key=lambda episode: episode.total), seconds=seconds)


def engines_of(
    player: Player, host: Host, runtime: Runtime, environment: Environment
) -> tuple[Sequence[Engine], Any]:
    """Return who decides, several where the best of them counts, and the plugin that is theirs."""
    from aegis.host.building import build
    from aegis.host.seat import seated

    if player.kind == "engine":
        chosen = seated(player.seat, host)
        return [build(chosen, runtime)], chosen.plugin
    if player.kind == "majority":
        from aegis.evaluation.majority import MajorityEngine

        return [MajorityEngine(player.name)], None
    return experts_of(environment)[player.name], None


def experts_of(environment: Environment) -> Mapping[str, Sequence[Engine]]:
    """Return the policies of an environment that look behind its views, by name."""
    offered: Callable[[], Mapping[str, Sequence[Engine]]] | None
    offered = getattr(environment, "experts", None)
    return {} if offered is None else offered()


class Timed:
    """An engine, and the CPU time of its decisions.

    Args:
        engine: Any engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.capabilities = engine.capabilities
        self.seconds = 0.0

    def score(self, view: View, candidates: Sequence[Action]) -> Scores:
        """Return what the engine returns."""
        began = time.process_time()
        scores = self._engine.score(view, candidates)
        self.seconds += time.process_time() - began
        return scores

    def write(self, view: View, action: Action, slot: str) -> Written:
        """Return what the engine returns."""
        began = time.process_time()
        written = self._engine.write(view, action, slot)
        self.seconds += time.process_time() - began
        return written


def _episode(environment: Environment, engine: Engine, seed: int, *, greedy: bool) -> Episode:
    from aegis.evaluation.episode import Episode
    from aegis.evaluation.rollout import EpisodeResult, play

    timed = Timed(engine)
    steps = list(play(environment, timed, seed, greedy=greedy))  # type: ignore[arg-type]  # only these two are called
    result = EpisodeResult.of(seed, steps)
    return Episode(
        seed=seed,
        total=result.total,
        steps=result.steps,
        completed=result.completed,
        denied=result.statuses.count("denied"),
        seconds=timed.seconds,
        rss_mb=peak_rss_mb(),
        parameters=engine.capabilities.parameters,
        actions=dict(Counter(step.action.tool for step in steps)),
        facts=result.facts,
    )


if __name__ == "__main__":
    main()
