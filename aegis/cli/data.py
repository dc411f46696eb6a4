"""``aegis data``: experience in and out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aegis.cli.invocation import invocation, shared_options

if TYPE_CHECKING:
    from aegis.contracts.experience import Origin


@click.group(help="Count, import and export experience.")
def _data() -> None:
    pass


@_data.command("stats", help="Count what the ledger holds, and what a trainer could use of it.")
def _stats() -> None:
    from aegis.cli.reading import reading
    from aegis.learning.stats import stats as count

    call = invocation()
    with reading(call) as ledger:
        found = count(ledger)
    answer = found.to_json()

    def say() -> None:
        click.echo(f"examples   {found.examples} in {found.episodes} episodes")
        for origin, number in sorted(found.by_origin.items()):
            click.echo(f"  {origin:9}{number}")
        click.echo("actions    " + ", ".join(f"{k} {v}" for k, v in found.actions.most_common()))
        mean = found.reward_mean
        click.echo(
            f"reward     {mean:+.3f} on average" if mean is not None else "reward     none yet"
        )
        click.echo(f"candidates {found.candidates_mean:.1f} a step on average")
        for reason, number in found.refused.items():
            click.echo(f"a trainer would refuse {number}: {reason}")

    call.answer(answer, say)


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


command = shared_options(_data)
