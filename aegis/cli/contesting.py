"""What ``aegis eval`` and ``aegis compare`` share: options, the task, and the contest itself."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from aegis.cli.contest_display import screen
from aegis.cli.interruption import interruptible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aegis.cli.invocation import Invocation
    from aegis.evaluation.contender import Contender
    from aegis.evaluation.contest import Standing
    from aegis.evaluation.task import Split, Task
    from aegis.project import Project

F = TypeVar("F", bound="Callable[..., Any]")

EPISODES: Final = 200
MOST: Final = 1_000_000
"""Largest number of an episode, and of episodes: splits may be seeds that far apart."""
EVALUATIONS: Final = "evaluations"
"""Folder below the run's where episodes are kept."""

_OPTIONS: Final = (
    click.option(
        "--task",
        "task",
        required=True,
        metavar="T",
        help="What is played: research-gym, babyai:GoToLocal:marked, gymnasium:FrozenLake-v1.",
    ),
    click.option(
        "--episodes",
        type=click.IntRange(min=2, max=MOST),
        default=EPISODES,
        show_default=True,
        metavar="N",
        help="Episodes, the same ones for everybody.",
    ),
    click.option(
        "--first",
        type=click.IntRange(min=0, max=MOST),
        default=0,
        show_default=True,
        metavar="N",
        help="Number of the split's episode that is played first.",
    ),
    click.option(
        "--split",
        type=click.Choice(["test", "validation", "practice"]),
        default="test",
        show_default=True,
        help="Which episodes; choose by validation, report by test.",
    ),
    click.option(
        "--decide",
        type=click.Choice(["sampled", "greedy", "both"]),
        default="sampled",
        show_default=True,
        help="Draw from the engine's own probabilities (without [agent.exploration]), take the "
        "most probable candidate, or a row for each.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(min=1, max=256),
        metavar="N",
        help="Processes side by side; as many as there are cores by default.",
    ),
    click.option("--fresh", is_flag=True, help="Play again what was played before."),
)


def contest_options(function: F) -> F:
    """Add the options that both commands have."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def with_task(call: Invocation, text: str) -> None:
    """Make every project that is loaded from now on know a task's settings.

    Raises:
        InputError: ``task-unknown``.
    """
    from aegis.evaluation.task import overrides

    call.sets.extend(overrides(call.project().host, text))


def task_in(project: Project, text: str, split: Split) -> Task:
    """Return the task of a name; `with_task` was called before."""
    from aegis.evaluation.task import task_of

    return task_of(project, text, split)


def contested(
    call: Invocation,
    project: Project,
    task: Task,
    contenders: Iterable[Contender],
    seeds: Sequence[int],
    *,
    jobs: int | None,
    fresh: bool,
    again: str = "",
) -> list[Standing]:
    """Let contenders play and return where they stand at the end.

    The options are those of the command line; `again` says how to go on after an interruption,
    where that is not as usual.

    Raises:
        KeyboardInterrupt: If a person stopped it; what was played is kept.
        AegisError: What went wrong.
    """
    from aegis.evaluation.contest import Contest

    folder = project.run_folder / EVALUATIONS
    contest = Contest(
        folder, project.folder, task, contenders, seeds, jobs=jobs or cores(), fresh=fresh
    )
    with contest, screen(call) as seen, interruptible(contest, "stopping; what was played is kept"):
        contest.run(seen.show)
    if not contest.complete:
        print(again or how_to_go_on(fresh=fresh), file=sys.stderr)
        raise KeyboardInterrupt
    return contest.standings


def how_to_go_on(*, fresh: bool) -> str:
    """Return what a person who interrupted the play does next."""
    same = "the same command without --fresh" if fresh else "the same command"
    return f"{same} goes on where it stopped"


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def made_by(verb: str, *words: str) -> str:
    """Return a command as a person would type it again."""
    return shlex.join(["aegis", verb, *words])
