"""``aegis eval``: one profile in one task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aegis.cli.contesting import contest_options, contested, task_in, with_task
from aegis.cli.invocation import invocation, shared_options

if TYPE_CHECKING:
    from aegis.evaluation.task import Split


@click.command(
    help="Measure one profile in one task: success or return with intervals of 95 %, speed, "
    "memory. Every episode is kept: Ctrl-C loses nothing, and the same command goes on."
)
@click.option("--profile", metavar="P", help="Measure this profile instead of the file's.")
@click.option(
    "--checkpoint",
    metavar="ID",
    help="Weights to measure instead of those that decide: an identifier's beginning, latest, or "
    "configured for those of the settings.",
)
@contest_options
def _eval(  # noqa: PLR0917 - click passes options by name
    profile: str | None,
    checkpoint: str | None,
    task: str,
    episodes: int,
    first: int,
    split: Split,
    decide: str,
    jobs: int | None,
    fresh: bool,
) -> None:
    from aegis.cli.contest_display import table
    from aegis.evaluation.comparison import comparison
    from aegis.evaluation.contender import profiled

    call = invocation()
    with_task(call, task)
    project = call.project(profile)
    found_task = task_in(project, task, split)
    name = project.composition.profile
    text = name if checkpoint is None else f"{name}@{checkpoint}"
    contenders = profiled(project, found_task, text, decide)
    seeds = found_task.seeds(first, episodes)
    standings = contested(call, project, found_task, contenders, seeds, jobs=jobs, fresh=fresh)
    found = comparison(found_task, standings)

    def say() -> None:
        click.echo(table(found))

    call.answer(_answer(found), say)


def _answer(found: dict[str, Any]) -> dict[str, Any]:
    """Return the best way to decide as the answer, and all of them under ``rows``."""
    key = "success_rate" if found["measure"] == "success" else "mean_return"
    best = max(found["rows"], key=lambda row: row[key])
    shared = {name: found[name] for name in ("task", "environment", "measure", "first_seed")}
    return {**shared, **best, "rows": found["rows"]}


command = shared_options(_eval)
