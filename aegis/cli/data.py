"""``aegis data``: experience in and out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from aegis.cli.contesting import MOST
from aegis.cli.invocation import invocation, shared_options

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Iterator

    from aegis.contracts.experience import Experience, Origin
    from aegis.learning.stats import Stats, TrainingStats

_OFTEN: Final = 100
"""Steps after which progress is reported."""


@click.group(help="Count, import and export experience.")
def _data() -> None:
    pass


@_data.command("stats", help="Count what the ledger holds, and what a trainer would get of it.")
@click.option(
    "--data",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Count this file's experience (Aegis JSONL, the old system's JSON), not the ledger's.",
)
def _stats(file: Path | None) -> None:
    from aegis.cli.display import progress
    from aegis.cli.reading import reading
    from aegis.learning.experience_file import ledger_of
    from aegis.learning.preparing import needs_candidates
    from aegis.learning.selecting import select
    from aegis.learning.stats import TrainingStats
    from aegis.learning.stats import stats as count

    call = invocation()
    project = call.project(tolerant=True)
    settings = project.config.settings
    trainer = next(iter(project.composition.trainers.values()), None)
    source = reading(call) if file is None else ledger_of(file, settings.agent.rewards)
    with source as ledger, progress(call, "selecting") as report:
        found = count(ledger)
        steps = _reported(ledger.experiences(), found.examples, report)
        needed = trainer is not None and needs_candidates(project.composition, trainer)
        training = TrainingStats.of(select(steps, settings.learning, needs_candidates=needed))
    answer = found.to_json() | {"refused": dict(training.refused), "training": training.to_json()}

    def say() -> None:
        _say_recorded(found)
        _say_training(training)

    call.answer(answer, say)


def _reported(
    steps: Iterable[Experience], total: int, report: Callable[[int, int], None]
) -> Iterator[Experience]:
    for done, step in enumerate(steps, start=1):
        yield step
        if done % _OFTEN == 0:
            report(done, total)


def _say_recorded(found: Stats) -> None:
    click.echo(f"examples   {found.examples} in {found.episodes} episodes")
    for origin, number in sorted(found.by_origin.items()):
        click.echo(f"  {origin:9}{number}")
    click.echo("actions    " + _listed(found.actions))
    mean = found.reward_mean
    click.echo(f"reward     {mean:+.3f} on average" if mean is not None else "reward     none yet")
    click.echo(f"candidates {found.candidates_mean:.1f} a step on average")


def _say_training(training: TrainingStats) -> None:
    click.echo(f"training   {training.examples} examples in {training.episodes} episodes")
    for origin, number in training.by_origin.items():
        click.echo(f"  {origin:9}{number}")
    click.echo(f"held out   {training.held_out} in {training.held_out_episodes} episodes")
    if training.return_mean is not None:
        click.echo("  actions  " + _listed(training.actions))
        click.echo(
            f"  learns   choices from {training.decisions:.0%}, text from {training.texts:.0%}, "
            f"text only from {training.texts_only:.0%}"
        )
        click.echo(
            f"  return   {training.return_mean:+.3f} on average; {training.paid:.0%} paid "
            "(went better than usual)"
        )
    for reason, number in training.refused.items():
        click.echo(f"left out   {number}: {reason}")
    for problem in training.problems:
        click.echo(f"a trainer would refuse all of it: {problem.message}")
        click.echo(f"  fix: {problem.fix}")


def _listed(actions: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in actions.most_common())


@_data.command("import", help="Read experience from FILE: Aegis JSONL, or the old system's JSON.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def _import(file: Path) -> None:
    from aegis.cli.display import progress
    from aegis.learning.exchange import import_file
    from aegis.project import run_folder
    from aegis.store.owning import owning

    call = invocation()
    call.project(tolerant=True)
    with owning(run_folder(call.file)) as ledger, progress(call, "importing") as report:
        found = import_file(ledger, file, progress=report)
    answer: dict[str, Any] = found.to_json()

    def say() -> None:
        click.echo(f"imported {found.imported}, known already {found.duplicates}")
        for name in ("missing_keys", "unknown_actions"):
            for key, number in getattr(found, name).items():
                click.echo(f"  {name.replace('_', ' ')}: {key} ({number})")
        if found.null_actions:
            click.echo(f"  without an action: {found.null_actions}")
        for reason, number in found.rejected.items():
            click.echo(f"  rejected {number}: {reason}")

    call.answer(answer, say)


@_data.command(
    "export", help="Write experience to FILE as JSONL; it imports again to identical rows."
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--origin",
    type=click.Choice(["own", "practice", "teacher", "import"]),
    help="Only steps of this origin.",
)
def _export(file: Path, origin: Origin | None) -> None:
    from aegis.cli.display import progress
    from aegis.cli.reading import reading
    from aegis.learning.exchange import export_jsonl
    from aegis.learning.stats import stats as counted

    call = invocation()
    with reading(call) as ledger, progress(call, "exporting") as report:
        count = export_jsonl(ledger, file, origin=origin, progress=report)
        answer = counted(ledger, origin=origin).to_json() | {"path": str(file)}
    call.answer(answer, lambda: click.echo(f"wrote {count} to {file}"))


@_data.command(
    "collect",
    help="Play episodes of a task and record them: of a teacher, to imitate, or of a profile, as "
    "its own practice. What was stopped goes on; the same command gives the same experience.",
)
@click.option("--task", required=True, metavar="T", help="What is played: babyai:GoToLocal, ...")
@click.option(
    "--teacher",
    metavar="NAME",
    help="Who shows how: an expert of the environment (babyai: bot; research-gym: oracle), or a "
    "profile.",
)
@click.option("--profile", metavar="P", help="Whose own practice it is, exploration included.")
@click.option(
    "--episodes",
    type=click.IntRange(min=1, max=MOST),
    default=1000,
    show_default=True,
    metavar="N",
    help="How many.",
)
@click.option(
    "--first",
    type=click.IntRange(min=0, max=MOST),
    default=0,
    show_default=True,
    metavar="N",
    help="Number of the practice episode that is played first.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a file of Aegis JSONL instead of the ledger.",
)
@click.option("--jobs", type=click.IntRange(min=1, max=256), metavar="N", help="Processes.")
@click.option("--fresh", is_flag=True, help="Play again what was played before.")
def _collect(  # noqa: PLR0917 - click passes options by name
    task: str,
    teacher: str | None,
    profile: str | None,
    episodes: int,
    first: int,
    out: Path | None,
    jobs: int | None,
    fresh: bool,
) -> None:
    from aegis.cli.collecting import collected, sentence, teacher_of
    from aegis.cli.contesting import task_in, with_task

    if (teacher is None) == (profile is None):
        raise click.UsageError("say either --teacher NAME or --profile P")
    call = invocation()
    with_task(call, task)
    project = call.project()
    place = task_in(project, task, "practice")
    who = teacher_of(call, project, place, teacher or "", profile)
    seeds = place.seeds(first, episodes)
    origin: Literal["practice", "teacher"] = "practice" if profile else "teacher"
    found = collected(
        call, project, place, who, seeds, origin=origin, jobs=jobs, out=out, fresh=fresh
    )
    call.answer(found, lambda: click.echo(sentence(found)))


command = shared_options(_data)
