"""Groups: one recipe trained several times, taken together.

What is reported of a recipe is its mean over training seeds. All of them play the same episodes,
so the successes on one episode hang together and are drawn together. The interval is that of these
very weights over other episodes; how far trainings differ, each one's own figure shows.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from aegis.evaluation.intervals import mean_interval
from aegis.evaluation.significance import success_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aegis.evaluation.contender import Contender
    from aegis.evaluation.episode import Episode
    from aegis.evaluation.task import Task


def groups(
    task: Task,
    contenders: Sequence[Contender],
    results: Mapping[str, Sequence[Episode]],
    clusters: Sequence[object],
    *,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return the figures of contenders that differ in their training's seed only, two or more.

    Args:
        task: What was played.
        contenders: Who played.
        results: Their episodes by name, all in the order of the same seeds.
        clusters: What each episode belongs to.
        seed: Seed of the resampling.
    """
    alike: dict[tuple[Any, ...], list[Contender]] = defaultdict(list)
    for one in contenders:
        if one.kind == "profile" and one.checkpoint is not None:
            trained = (one.experience or {}).get("episodes")
            alike[one.profile, one.greedy, trained, one.recipe].append(one)
    return [
        _group(task, members, results, clusters, seed)
        for members in alike.values()
        if len(members) > 1
    ]


def _group(
    task: Task,
    members: Sequence[Contender],
    results: Mapping[str, Sequence[Episode]],
    clusters: Sequence[object],
    seed: int,
) -> dict[str, Any]:
    played = [episode for one in members for episode in results[one.name]]
    of_each = [*clusters] * len(members)
    success = success_interval([episode.completed for episode in played], of_each)
    earned = mean_interval([episode.total for episode in played], of_each, seed=seed)
    measured = success if task.measure == "success" else earned
    first = members[0]
    return {
        "profile": first.profile,
        "way": "greedy" if first.greedy else "sampled",
        "experience": None if first.experience is None else dict(first.experience),
        "members": [one.name for one in members],
        "checkpoints": [one.checkpoint for one in members],
        "episodes": len(clusters),
        "success_rate": success.mean,
        "mean_return": earned.mean,
        "ci95": [measured.low, measured.high],
        "of_each": [_own(task, results[one.name]) for one in members],
    }


def _own(task: Task, episodes: Sequence[Episode]) -> float:
    if task.measure == "success":
        return sum(episode.completed for episode in episodes) / len(episodes)
    return sum(episode.total for episode in episodes) / len(episodes)
