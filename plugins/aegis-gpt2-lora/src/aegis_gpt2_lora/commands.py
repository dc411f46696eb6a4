"""``aegis model fetch`` and ``aegis model list``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from aegis_gpt2_lora.models import list_models, stored_name

if TYPE_CHECKING:
    from aegis_gpt2_lora.download import Plan, RemoteFile
    from aegis_gpt2_lora.models import Installed

_as_json = click.option(
    "--json", "as_json", is_flag=True, help="Answer with JSON on the last line."
)


@click.group()
def model() -> None:
    """List and fetch models."""


@model.command("list")
@_as_json
@click.pass_context
def list_command(ctx: click.Context, *, as_json: bool) -> None:
    """Show the models on this machine."""
    models = list_models()
    if _wants_json(ctx, as_json=as_json):
        click.echo(json.dumps({"models": [_row(found) for found in models]}))
        return
    width = max(len(found.name) for found in models)
    for found in models:
        click.echo(f"{found.name:<{width}}  {_what(found)}")


@model.command("fetch")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_as_json
@click.pass_context
def fetch_command(ctx: click.Context, name: str, *, yes: bool, as_json: bool) -> None:
    """Fetch the model NAME (name or owner/name) from the hub, after showing its size."""
    from aegis_gpt2_lora.download import fetch

    folder = fetch(name, lambda plan: yes or _confirm(plan), _progress)
    if _wants_json(ctx, as_json=as_json):
        place = None if folder is None else str(folder)
        click.echo(json.dumps({"model": stored_name(name), "folder": place}))
    elif folder is not None:
        click.echo(f'{name} is in {folder}; use it with model = "{stored_name(name)}"')


def _wants_json(ctx: click.Context, *, as_json: bool) -> bool:
    """Return whether JSON is asked for, behind the verb or before it."""
    return as_json or bool(getattr(ctx.obj, "json", False))


def _confirm(plan: Plan) -> bool:
    size = _size(plan.bytes)
    click.echo(
        f"{plan.hub_name} at {plan.revision[:12]}: {len(plan.files)} files, {size}", err=True
    )
    return click.confirm(f"Fetch into {plan.folder}?", default=False, err=True)


def _progress(file: RemoteFile, done: int, total: int) -> None:
    click.echo(f"{file.name}  {_size(done)} of {_size(total)}", err=True)


def _row(found: Installed) -> dict[str, Any]:
    return {
        "name": found.name,
        "place": found.place,
        "folder": str(found.folder),
        "bytes": found.bytes,
        "parameters": found.parameters,
        "problem": found.problem,
    }


def _what(found: Installed) -> str:
    if found.problem:
        return f"{found.place}, cannot be used: {found.problem}"
    return f"{found.parameters:>13,} parameters  {_size(found.bytes):>9}  {found.place}"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
