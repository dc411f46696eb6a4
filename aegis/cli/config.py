"""``aegis config``: the configuration in force, and its schema."""

from __future__ import annotations

import json

import click

from aegis.cli.invocation import invocation, shared_options


@click.group(help="Show the configuration in force, or its JSON Schema.")
def _config() -> None:
    pass


@_config.command(
    "schema", help="Print a JSON Schema of aegis.toml, the enabled plugins' sections included."
)
def _schema() -> None:
    from aegis.config.schema import schema as make_schema

    project = invocation().project(tolerant=True)
    components = [provided.component for provided in project.host.components()]
    click.echo(json.dumps(make_schema(components), indent=None if invocation().json else 2))


@_config.command("show", help="Print every setting in force and where it comes from.")
def _show() -> None:
    from aegis.config.literal import render

    call = invocation()
    rows = call.project(tolerant=True).config.shown()
    answer = [
        {"section": row.section, "key": row.key, "value": row.value, "where": row.where}
        for row in rows
    ]

    def say() -> None:
        section = None
        for row in rows:
            if row.section != section:
                section = row.section
                click.echo(f"\n[{section}]" if section else "")
            if row.value is None:
                continue
            text = f"{row.key} = {render(row.value)}"
            click.echo(f"{text:56}  # {row.where}")

    call.answer({"settings": answer}, say)


command = shared_options(_config)
