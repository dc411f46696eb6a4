"""The rows that stand beside every policy: random, majority, rules, untrained, experts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from aegis.evaluation.contender import component, expert, majority
from aegis.evaluation.playing_main import experts_of
from aegis.host.building import build

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aegis.contracts.roles import Engine
    from aegis.evaluation.contender import Contender
    from aegis.evaluation.episode import Episode
    from aegis.evaluation.task import Task
    from aegis.project import Project

PRACTICE: Final = "research-gym"
LESSONS: Final = 50
"""Practice episodes of an expert that show which tool it takes most."""


def expert_names(project: Project, task: Task) -> list[str]:
    """Return the names of the experts of a task's environment, which is built to ask it."""
    return list(_experts(project, task))


def single_experts(project: Project, task: Task) -> list[str]:
    """Return the names of the experts that are one policy: those who can teach."""
    return [name for name, engines in _experts(project, task).items() if len(engines) == 1]


def _experts(project: Project, task: Task) -> Mapping[str, Sequence[Engine]]:
    return experts_of(build(task.environment, project.runtime(offline=True)), task.environment)


def simple(project: Project, task: Task) -> list[Contender]:
    """Return the engines without weights: random, and rules where they are made for the task."""
    names = ["random"]
    if task.environment.component.name == PRACTICE:
        names.append("rules")
    return [component(project, task, name) for name in names]


def teacher(project: Project, task: Task, name: str) -> tuple[Contender, Task]:
    """Return an expert and the practice task in which its habits are looked at."""
    practice = task.of_split("practice")
    return expert(project, practice, name), practice


def most_taken(episodes: Iterable[Episode]) -> str:
    """Return the tool that was chosen most often; the first by name of equals."""
    counts: Counter[str] = Counter()
    for episode in episodes:
        counts.update(episode.actions)
    return min(counts, key=lambda tool: (-counts[tool], tool))


def of_habits(project: Project, task: Task, name: str, episodes: Iterable[Episode]) -> Contender:
    """Return the majority policy of a teacher's practice episodes."""
    return majority(project, task, most_taken(episodes), f"the {name}")
