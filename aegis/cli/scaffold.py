"""``aegis plugins new``: a plugin that works, to be changed."""

from __future__ import annotations

import click

from aegis.cli.invocation import invocation


@click.command(
    "new",
    help="Write a new plugin that works as it is. KIND is trainer, engine, tokenizer, tool or "
    "environment.",
)
@click.argument("kind", metavar="KIND")
@click.argument("name", metavar="NAME")
def new(kind: str, name: str) -> None:
    """Write a plugin below the current folder, or that of -C."""
    from aegis.scaffolding.writing import write_plugin

    call = invocation()
    files = write_plugin(kind, name, call.directory)

    def say() -> None:
        for file in files:
            click.echo(f"  {file}")
        article = "an" if kind.startswith("e") else "a"
        click.echo(f"made {call.directory / name}: {article} {kind} that works as it is")
        click.echo(
            f"go on: pip install -e {call.directory / name}, "
            f"aegis plugins enable {name}, aegis plugins test {name}"
        )

    call.answer({"name": name, "kind": kind, "files": [str(file) for file in files]}, say)
