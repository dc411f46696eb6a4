"""A comparison: the figures of contenders that played the same seeds, and of each pair of them.

Plain JSON values, as ``aegis compare --json`` prints them and the page shows them. Intervals are
of 95 %. Episodes that share a topic hang together and are drawn together.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aegis.errors import EvaluationError, Problem
from aegis.evaluation.clusters import topics
from aegis.evaluation.groups import groups
from aegis.evaluation.intervals import Interval, mean_interval, normalised, paired_difference
from aegis.evaluation.significance import (
    holm,
    mcnemar,
    one_sided_lower,
    paired_p,
    success_interval,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aegis.evaluation.contender import Contender
    from aegis.evaluation.contest import Standing
    from aegis.evaluation.episode import Episode
    from aegis.evaluation.task import Task

LEVEL: Final = 0.05
"""Of the one-sided lower bound of a difference."""
RANDOM: Final = "random"


def comparison(
    task: Task, standings: Sequence[Standing], missing: Iterable[str] = (), *, seed: int = 0
) -> dict[str, Any]:
    """Return the rows and pairs of a contest that is complete.

    Args:
        task: What was played.
        standings: The contenders with their episodes, in the order of the table.
        missing: Rows that are not there, and why.
        seed: Seed of the resampling.
    """
    results = {standing.contender.name: standing.result() for standing in standings}
    contenders = [standing.contender for standing in standings]
    clusters = topics(next(iter(results.values())))
    _require_the_same(results, clusters)
    rows = [row(task, one, results[one.name], clusters, seed=seed) for one in contenders]
    if task.measure == "return":
        top = next((one.name for one in contenders if one.kind == "expert"), None)
        _normalise(rows, results, top, clusters, seed=seed)
    return {
        "task": task.name,
        "environment": {
            "name": task.environment.component.name,
            "version": task.version,
            "split": task.split,
            "content": task.content,
        },
        "measure": task.measure,
        "episodes": len(clusters),
        "clusters": len(set(clusters)),
        "first_seed": standings[0].seeds[0] - task.origin,
        "rows": rows,
        "groups": groups(task, contenders, results, clusters, seed=seed),
        "pairs": pairs(task, contenders, results, clusters, seed=seed),
        "missing": list(missing),
    }


def _require_the_same(results: Mapping[str, list[Episode]], clusters: Sequence[object]) -> None:
    for name, episodes in results.items():
        if topics(episodes) != clusters:
            raise EvaluationError(
                Problem(
                    "content-changed",
                    f"the episodes of {name} are about other topics than those of the first row: "
                    "what is played over was changed while they were played",
                    fix="leave it alone while episodes are played, and use --fresh",
                )
            )


def row(
    task: Task,
    contender: Contender,
    episodes: Sequence[Episode],
    clusters: Sequence[object],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the figures of one contender."""
    returns = [episode.total for episode in episodes]
    reached = [episode.completed for episode in episodes]
    decisions = sum(episode.steps for episode in episodes)
    seconds = sum(episode.seconds for episode in episodes)
    earned = mean_interval(returns, clusters, seed=seed)
    success = success_interval(reached, clusters)
    measured = success if task.measure == "success" else earned
    return {
        "name": contender.name,
        "kind": contender.kind,
        "task": task.name,
        "profile": contender.profile,
        "checkpoint": contender.checkpoint,
        "way": "greedy" if contender.greedy else "sampled",
        "model": contender.model,
        "experience": None if contender.experience is None else dict(contender.experience),
        "episodes": len(episodes),
        "success_rate": success.mean,
        "success_interval": _ends(success),
        "mean_return": earned.mean,
        "return_interval": _ends(earned),
        "ci95": _ends(measured),
        "normalised": None,
        "steps": decisions / len(episodes),
        "decisions_per_second": decisions / seconds if seconds > 0 else None,
        "peak_rss_mb": round(max(episode.rss_mb for episode in episodes), 1),
        "parameters": episodes[-1].parameters,
        "invalid_rate": sum(episode.denied for episode in episodes) / decisions,
    }


def _ends(interval: Interval) -> list[float]:
    """Return the ends of an interval; rounding must not put them on one side of the mean."""
    return [min(interval.low, interval.mean), max(interval.high, interval.mean)]


def pairs(
    task: Task,
    contenders: Sequence[Contender],
    results: dict[str, list[Episode]],
    clusters: Sequence[object],
    *,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return each profile against every other row, on the same episodes.

    ``p`` is two-sided: McNemar's exact test for successes of independent episodes, else a test of
    flipped signs over clusters. ``p_adjusted`` allows for the number of pairs (Holm).
    """
    values = {name: measured(task, episodes) for name, episodes in results.items()}
    independent = len(set(clusters)) == len(clusters)
    by_mcnemar = task.measure == "success" and independent
    found: list[dict[str, Any]] = []
    for a, b in combinations(contenders, 2):
        if "profile" not in {a.kind, b.kind}:
            continue
        first, second = (a, b) if a.kind == "profile" else (b, a)
        x, y = values[first.name], values[second.name]
        difference = paired_difference(x, y, clusters, seed=seed)
        p = mcnemar(x, y) if by_mcnemar else paired_p(x, y, clusters, seed=seed)
        found.append(
            {
                "a": first.name,
                "b": second.name,
                "difference": difference.mean,
                "low": difference.low,
                "high": difference.high,
                "lower_bound": one_sided_lower(x, y, clusters, level=LEVEL, seed=seed),
                "level": LEVEL,
                "p": p,
                "test": "McNemar" if by_mcnemar else "sign flip",
            }
        )
    for pair, adjusted in zip(found, holm([float(pair["p"]) for pair in found]), strict=True):
        pair["p_adjusted"] = adjusted
    return found


def measured(task: Task, episodes: Sequence[Episode]) -> list[float]:
    """Return what counts in a task, one value an episode: success as 0 or 1, or the return."""
    if task.measure == "success":
        return [float(episode.completed) for episode in episodes]
    return [episode.total for episode in episodes]


def _normalise(
    rows: list[dict[str, Any]],
    results: dict[str, list[Episode]],
    top: str | None,
    clusters: Sequence[object],
    *,
    seed: int,
) -> None:
    """Put every return between random, which is 0, and the first expert, which is 1.

    Not where the episodes do not tell the two apart: where some resamples hold none that do, or
    the interval of their difference reaches 0, and with it shares without bounds.
    """
    if top is None or RANDOM not in results:
        return
    floor, ceiling = _returns(results[RANDOM]), _returns(results[top])
    if paired_difference(ceiling, floor, clusters, seed=seed).low <= 0:
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        found: list[Interval] = [
            normalised(_returns(results[each["name"]]), floor, ceiling, clusters, seed=seed)
            for each in rows
        ]
    if np.isfinite(found).all():
        for each, share in zip(rows, found, strict=True):
            each["normalised"] = share._asdict()


def _returns(episodes: Sequence[Episode]) -> list[float]:
    return [episode.total for episode in episodes]
