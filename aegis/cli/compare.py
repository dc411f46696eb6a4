"""``aegis compare``: several profiles in one task, paired, beside the usual baselines."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from aegis.cli.contesting import contest_options, contested, made_by, task_in, with_task
from aegis.cli.invocation import Invocation, invocation, shared_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis.evaluation.contender import Contender
    from aegis.evaluation.task import Split, Task
    from aegis.project import Project

COMPARISONS: Final = "comparisons"
"""Folder below the run's where pages are put."""


@click.command(
    help="Measure several policies on the same episodes: intervals of 95 %, paired differences, "
    "and the rows that show what the figures are worth (random, majority, rules, untrained, the "
    "environment's experts). PROFILE may name weights: PROFILE@CHECKPOINT, @latest, @configured. "
    "Every episode is kept: Ctrl-C loses nothing, and the same command goes on."
)
@click.argument("profiles", nargs=-1, required=True, metavar="PROFILE...")
@contest_options
@click.option("--no-baselines", is_flag=True, help="Only the profiles, and random.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where the page goes; by default below data/run/comparisons.",
)
def _compare(  # noqa: PLR0917 - click passes options by name
    profiles: tuple[str, ...],
    task: str,
    episodes: int,
    first: int,
    split: Split,
    decide: str,
    jobs: int | None,
    fresh: bool,
    no_baselines: bool,
    html: Path | None,
) -> None:
    from aegis.cli.contest_display import pair_lines, published_lines, table
    from aegis.evaluation.comparison import comparison
    from aegis.evaluation.contender import unique

    if html is not None and html.suffix == ".json":
        raise click.BadParameter("the figures go to a .json beside the page", param_hint="--html")
    call = invocation()
    given = _given(call)
    with_task(call, task)
    contenders: list[Contender] = []
    untrained: dict[str, list[Contender]] = {}
    for text in dict.fromkeys(profiles):
        project = call.project(text.partition("@")[0])
        found_task = task_in(project, task, split)
        own, plain = _with_untrained(project, found_task, text, decide)
        contenders += own
        untrained.setdefault(project.composition.profile, plain)
    options: dict[str, Any] = {"jobs": jobs, "fresh": fresh}
    before, after, missing = _beside(call, project, found_task, options, few=no_baselines)
    if not no_baselines:
        before += [one for ones in untrained.values() for one in ones]
    missing += _hidden(contenders, [*before, *after])
    names = {one.name for one in contenders}
    entrants = unique([*(one for one in before if one.name not in names), *contenders, *after])
    seeds = found_task.seeds(first, episodes)
    standings = contested(call, project, found_task, entrants, seeds, **options)
    found = comparison(found_task, standings, missing)
    given += ["--no-baselines"] if no_baselines else []
    said = _described(
        _pinned(contenders),
        task=task,
        episodes=episodes,
        first=first,
        split=split,
        decide=decide,
        given=given,
    )
    found |= {"command": said, "commit": None, "published": _published(found_task), **_made()}
    place = _page(project, found, html)

    def say() -> None:
        click.echo(table(found))
        click.echo()
        for line in (*pair_lines(found), *published_lines(found)):
            click.echo(line)
        click.echo(f"\npage: {place}")

    call.answer(found | {"page": str(place)}, say)


def _with_untrained(
    project: Project, task: Task, text: str, decide: str
) -> tuple[list[Contender], list[Contender]]:
    """Return a profile's contenders, and the one with the weights that it began with."""
    from aegis.evaluation.contender import CONFIGURED, UNTRAINED, profiled

    own = profiled(project, task, text, decide)
    if own[0].checkpoint is None:
        return own, []
    profile = project.composition.profile
    return own, profiled(project, task, f"{profile}@{CONFIGURED}", "sampled", label=UNTRAINED)


def _beside(
    call: Invocation, project: Project, task: Task, options: dict[str, Any], *, few: bool
) -> tuple[list[Contender], list[Contender], list[str]]:
    """Return the baselines that come before and behind the profiles, and what is missing."""
    from aegis.evaluation import baselines
    from aegis.evaluation.contender import expert, majority

    simple = baselines.simple(project, task)
    if few:
        return simple[:1], [], []
    missing = []
    if len(simple) == 1:
        missing.append(f"rules (they are made for {baselines.PRACTICE})")
    names = baselines.expert_names(project, task)
    experts = [expert(project, task, name) for name in names]
    if names:
        own, practice = baselines.teacher(project, task, names[0])
        lessons = practice.seeds(0, baselines.LESSONS)
        # What is kept in one place is put aside once, by the comparison.
        same = own.fingerprint(practice) == experts[0].fingerprint(task)
        how = options | {"fresh": False} if same else options
        again = "the same command begins anew" if how["fresh"] else ""
        (looked_at,) = contested(call, project, practice, [own], lessons, again=again, **how)
        habit = baselines.of_habits(project, task, names[0], looked_at.result())
        return [simple[0], habit, *simple[1:]], experts, missing
    tool = _recorded_most(project, task)
    if tool is not None:
        whose = "the recorded experience"
        return [simple[0], majority(project, task, tool, whose), *simple[1:]], [], missing
    return simple, [], [*missing, "majority (no expert, and no recorded experience of this task)"]


def _hidden(profiles: Sequence[Contender], others: Sequence[Contender]) -> list[str]:
    """Return which rows are not there since a profile has their name, unless it is the same."""
    named = {one.name: one for one in profiles}
    return [
        f"{one.name}, the {one.kind} (a profile has that name)"
        for one in others
        if one.name in named and named[one.name].player != one.player
    ]


def _recorded_most(project: Project, task: Task) -> str | None:
    """Return the tool that recorded experience of a task takes most, or None without any."""
    from collections import Counter

    from aegis.store.ledger import Ledger

    if not (project.run_folder / "ledger.sqlite").exists():
        return None
    with Ledger.open(project.run_folder, write=False) as ledger:
        counts = Counter(
            step.decision.action.tool
            for step in ledger.experiences(environment=task.name)
            if step.decision.action is not None and step.rules == task.rules
        )
    return min(counts, key=lambda tool: (-counts[tool], tool)) if counts else None


def _given(call: Invocation) -> list[str]:
    """Return the options that all verbs share, as far as figures follow from them."""
    words = [] if call.config is None else ["--config", str(call.config)]
    words += [word for setting in call.sets for word in ("--set", setting)]
    return words if call.seed is None else [*words, "--seed", str(call.seed)]


def _pinned(contenders: Sequence[Contender]) -> list[str]:
    """Return the profiles with the weights that played, whatever decides or is latest later."""
    names = (f"{one.profile}@{one.checkpoint or 'configured'}" for one in contenders)
    return list(dict.fromkeys(names))


def _described(
    profiles: Sequence[str],
    *,
    task: str,
    episodes: int,
    first: int,
    split: str,
    decide: str,
    given: Sequence[str],
) -> str:
    """Return the command that makes the same figures, without what is as by default."""
    words = [*profiles, "--task", task, "--episodes", str(episodes)]
    words += ["--first", str(first)] if first else []
    words += ["--split", split] if split != "test" else []
    words += ["--decide", decide] if decide != "sampled" else []
    return made_by("compare", *words, *given)


def _published(task: Task) -> list[dict[str, Any]]:
    """Return what others report for a task, where its environment knows."""
    from attrs import asdict

    known = task.environment.component.published
    return [] if known is None else [asdict(one) for one in known(task.environment.config)]


def _made() -> dict[str, str]:
    from aegis.evaluation.machine import machine

    return {"made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "machine": machine()}


def _page(project: Project, found: dict[str, Any], wanted: Path | None) -> Path:
    """Write the page, and its figures as JSON beside it; returns where the page is."""
    from aegis.errors import InputError
    from aegis.evaluation.report.page import page
    from aegis.whole_file import whole_file

    name = found["task"].replace(":", "-").replace("/", "-").lower()
    split = found["environment"]["split"]
    name += "" if split == "test" else f"-{split}"
    place = wanted or project.run_folder / COMPARISONS / f"{name}.html"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(place) as stream:
            stream.write(page(found).encode("utf-8"))
        with whole_file(place.with_suffix(".json")) as stream:
            stream.write(json.dumps(found, indent=1).encode("ascii"))
    except OSError as error:
        raise InputError.of(
            "unwritable",
            f"the page cannot be written: {error.strerror}",
            where=str(place),
            fix="name a file in a folder that may be written: --html FILE",
        ) from error
    return place


command = shared_options(_compare)
