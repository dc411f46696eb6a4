"""Training seeds of one recipe, taken at different times and put together.

A row of three trainings of half an hour each need not be made in one go: what the episodes of each
came to is kept in the row, so that further seeds are added to those that are there.
"""

from __future__ import annotations

import json
import operator
from typing import TYPE_CHECKING, Any, Final

from aegis.evaluation.episode import EpisodeFile
from aegis.evaluation.significance import success_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

WAYS: Final = ("sampled", "greedy")
SAME_TRAINING: Final = ("task", "recipe", "demonstrations", "rules", "forms", "settings")
"""What has to be equal for a training to be another seed of the same recipe."""
_WANTED: Final = (*SAME_TRAINING, "episodes", "first_seed")
_SAME: Final = (*_WANTED, "split")
"""What has to be equal for trainings to be of one row, and what of it is known before."""


def successes(
    project: Path, checkpoint: str, task: str, rules: str, seeds: Sequence[int]
) -> dict[str, str]:
    """Return which test episodes weights accomplished, a digit 0 or 1 for each seed, by way.

    Args:
        project: The project in which they were compared.
        checkpoint: The weights.
        task: What was played.
        rules: Version of its rules.
        seeds: Seeds of the episodes.

    Of several comparisons of the same weights it is the one that was played last.
    """
    wanted = {"checkpoint": checkpoint, "split": "test", "task": task, "rules": rules}
    found = {}
    files = (project / "data" / "run" / "evaluations").glob("*/episodes.txt")
    for file in sorted(files, key=lambda file: file.stat().st_mtime):
        about = _about(file.parent)
        if wanted.items() <= about.items():
            played = EpisodeFile(file).read()
            way = "greedy" if about["greedy"] else "sampled"
            if played.keys() >= set(seeds):  # else one that was cut off
                found[way] = "".join(str(int(played[seed].completed)) for seed in seeds)
    return found


def _about(folder: Path) -> dict[str, Any]:
    """Return what a comparison's folder says it holds; nothing where it was cut off before."""
    file = folder / "about.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found


def kept(row: Mapping[str, Any], earlier: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the trainings of an earlier row that a new one may be put together with."""
    if earlier is None or any(earlier.get(key) != row[key] for key in _SAME):
        return []
    new = {one["seed"] for one in row["trainings"]}
    return [one for one in earlier["trainings"] if "successes" in one and one["seed"] not in new]


def together(row: Mapping[str, Any], earlier: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a row with the trainings that are kept of an earlier one, and what all come to."""
    trainings = sorted([*kept(row, earlier), *row["trainings"]], key=operator.itemgetter("seed"))
    return {**row, "trainings": trainings, "groups": grouped(trainings)}


def without(row: Mapping[str, Any], seeds: Sequence[int]) -> dict[str, Any] | None:
    """Return a row without the trainings of these seeds; None if no other is left."""
    trainings = [one for one in row["trainings"] if one["seed"] not in seeds]
    return {**row, "trainings": trainings, "groups": grouped(trainings)} if trainings else None


def left(
    seeds: Sequence[int], wanted: Mapping[str, Any], earlier: Mapping[str, Any] | None
) -> tuple[int, ...]:
    """Return which of a row's training seeds are not made yet.

    Args:
        seeds: All of them.
        wanted: What is known of the row before it is made.
        earlier: The row as it is; None where there is none.
    """
    if earlier is None or any(earlier.get(key) != wanted[key] for key in _WANTED):
        return tuple(seeds)
    there = {one["seed"] for one in earlier["trainings"] if "successes" in one}
    return tuple(seed for seed in seeds if seed not in there)


def grouped(trainings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what trainings come to together, by way; episodes with one seed hang together."""
    groups = []
    for way in WAYS:
        of_each = [list(map(int, one["successes"][way])) for one in trainings]
        played = [success for each in of_each for success in each]
        clusters = [episode for each in of_each for episode in range(len(each))]
        together = success_interval(played, clusters)
        groups.append(
            {
                "way": way,
                "success_rate": together.mean,
                "ci95": [together.low, together.high],
                "of_each": [sum(each) / len(each) for each in of_each],
                "seeds": [one["seed"] for one in trainings],
            }
        )
    return groups
