"""``aegis hrm-segments``: what thinking for longer is worth on one's own decisions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aegis import ContractError, InputError, commands

if TYPE_CHECKING:
    from aegis import Experience
    from aegis.commands import Project
    from aegis_hrm.engine import HrmEngine


@click.command("hrm-segments")
@click.option("--profile", help="Profile with the engine hrm; by default the one in force.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Exported experience to take instead of the ledger.",
)
@click.option("--all", "everything", is_flag=True, help="Not only decisions that are held out.")
def segments(*, profile: str | None, data: Path | None, everything: bool) -> None:
    """Plot segments of computation against agreement with the recorded decisions.

    Held-out decisions of the ledger, made by the weights in force: how many segments each takes,
    how often it agrees, and what the same decisions were after 1, 2, ... segments.
    """
    from attrs import asdict

    from aegis_hrm.segments import drawn, measure

    call = commands.invocation()
    project = call.project(profile)
    steps = _steps(project, data, everything=everything)
    engine = _engine(project)
    try:
        found = measure(engine, steps, lambda done, total: _progress(done, total, quiet=call.quiet))
    finally:
        engine.close()
    call.answer(asdict(found), lambda: click.echo(drawn(found)))


def _steps(project: Project, data: Path | None, *, everything: bool) -> list[Experience]:
    selected = commands.selected(project, data)
    sets = [selected.train, selected.held_out] if everything else [selected.held_out]
    steps = [s for one in sets for s in one if s.decision.chosen is not None]
    if not steps:
        raise InputError.of(
            "no-decisions",
            "no decision among candidates is held out yet",
            where=str(project.run_folder),
            fix="aegis run --steps 1000, or --all",
        )
    return steps


def _engine(project: Project) -> HrmEngine:
    from aegis_hrm.engine import HrmEngine

    engine: Any = commands.serving_engine(project)
    if not isinstance(engine, HrmEngine):
        engine.close()
        raise ContractError.of(
            "not-hrm",
            f'profile "{project.composition.profile}" decides with another engine than hrm',
            fix="name a profile that has it: aegis hrm-segments --profile hrm",
        )
    return engine


def _progress(done: int, total: int, *, quiet: bool) -> None:
    if not quiet and done == total:
        click.echo(f"{total} decisions", err=True)
