"""``aegis tokenizer train`` and ``aegis tokenizer show``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from aegis import InputError, commands
from aegis_hrm.special_tokens import LAYOUT_VERSION
from aegis_hrm.tokenizer_facts import file_capabilities
from aegis_hrm.tokenizer_settings import DEFAULT_SIZE, NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aegis.commands import Project
    from aegis_hrm.tokenizer_making import Made
    from aegis_hrm.tokenizer_texts import Choice

_FILE: Final = Path("data", "tokenizer", f"{NAME}.json")
_WAIT: Final = "aegis run --steps 1000, or keep the tokenizer that comes with Aegis"
_REFUSED: Final = (
    "Weights that were trained with another tokenizer are refused with this one: train them again."
)


@click.group()
def tokenizer() -> None:
    """Show the tokenizer hrm-bpe, or train one on your agent's own experience."""


@tokenizer.command("show")
def show_command() -> None:
    """Show the facts of the tokenizer in force."""
    call = commands.invocation()
    path = _in_force(call.project(tolerant=True))
    said = file_capabilities(path)
    answer: dict[str, Any] = {
        "file": str(path),
        "entries": said.vocab_size,
        "max_token_id": said.max_token_id,
        "special_tokens": said.special_tokens,
        "layout": LAYOUT_VERSION,
        "fingerprint": said.fingerprint,
        "characters_per_token": said.characters_per_token,
    }

    def say() -> None:
        click.echo(f"file         {path}")
        click.echo(f"entries      {said.vocab_size}, {len(said.special_tokens)} of them special")
        click.echo(f"fingerprint  {said.fingerprint} (layout {LAYOUT_VERSION})")
        figure = said.characters_per_token
        known = "not measured" if figure is None else f"{figure:g} a token at the low end of views"
        click.echo(f"characters   {known}")

    call.answer(answer, say)


@tokenizer.command("train")
@click.option(
    "--size", type=int, default=DEFAULT_SIZE, show_default=True, help="Entries in all, at most."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help=f"File to write, instead of {_FILE} in the project.",
)
@click.option("--yes", is_flag=True, help="Write over FILE without asking.")
def train_command(size: int, output: Path | None, *, yes: bool) -> None:
    """Train a tokenizer on every view and candidate of the ledger."""
    from aegis_hrm.tokenizer_making import check_size, make

    check_size(size)
    call = commands.invocation()
    project = call.project(tolerant=True)
    path = (project.folder / _FILE if output is None else output).resolve()
    if path.exists() and not yes:
        _ask(path)
    made = make(_choices(project), size, path, _in_force(project))
    lines = _lines(project, path, made.entries)
    answer: dict[str, Any] = {
        "file": str(path),
        "entries": made.entries,
        "fingerprint": made.fingerprint,
        "views": made.views,
        "goals": made.goals,
        "shipped_texts": made.shipped,
        "held_out": made.held_out,
        "characters_per_token": {"before": made.before, "after": made.after},
        "configuration": lines,
    }
    call.answer(answer, lambda: _say(path, made, lines))


def _in_force(project: Project) -> Path:
    path: Path = project.config.section("tokenizer", NAME).path
    return path


def _choices(project: Project) -> Iterator[Choice]:
    """Yield what the ledger's steps were chosen from.

    Raises:
        InputError: ``no-run`` if there is no ledger.
    """
    from aegis_hrm.tokenizer_texts import Choice

    try:
        for step in commands.recorded(project):
            yield Choice(step.view, step.decision.candidates)
    except InputError as error:
        raise InputError([problem._replace(fix=_WAIT) for problem in error.problems]) from error


def _ask(path: Path) -> None:
    """Ask whether a file may be written over.

    Raises:
        InputError: ``tokenizer-exists`` if not, or if nobody is there to answer.
    """
    asked = sys.stdin.isatty() and click.confirm(
        f"{path} exists; weights that were trained with it need it. Write over it?", err=True
    )
    if not asked:
        raise InputError.of(
            "tokenizer-exists",
            f"{path} exists; nothing was written",
            where=str(path),
            fix="name another file: --output FILE; or write over it: --yes",
        )


def _lines(project: Project, path: Path, entries: int) -> str:
    """Return what aegis.toml needs for the tokenizer to be used."""
    folder = project.folder.resolve()
    shown = path.relative_to(folder) if path.is_relative_to(folder) else path
    lines = f'[tokenizer.{NAME}]\nfile = "{shown.as_posix()}"\n'
    if entries > _rows(project):
        lines += f"\n[engine.hrm]\nembedding_rows = {entries}\n"
    return lines


def _rows(project: Project) -> int:
    """Return the rows of the engine's embedding."""
    if ("engine", "hrm") not in project.config.components:
        return DEFAULT_SIZE
    rows: int = project.config.section("engine", "hrm").embedding_rows
    return rows


def _say(path: Path, made: Made, lines: str) -> None:
    own = f"{made.views} different views of {made.goals} goals"
    few = ", few enough that practice over the sample library was added" if made.shipped else ""
    click.echo(f"trained on   {own}{few}")
    click.echo(f"file         {path}")
    click.echo(f"entries      {made.entries}")
    click.echo(f"fingerprint  {made.fingerprint}")
    before = "" if made.before is None else f"{made.before:.2f} a token before, now "
    after = f"{made.after:.2f} a token, on {made.held_out} held-out views"
    click.echo(f"characters   {before}{after}")
    click.echo(f"\nUse it in aegis.toml:\n\n{lines}\n{_REFUSED}")
