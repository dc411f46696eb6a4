"""``aegis model list``, ``aegis model fetch`` and ``aegis model new``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from aegis import InputError, commands
from aegis_gpt2_lora.models import list_models, stored_name

if TYPE_CHECKING:
    from aegis_gpt2_lora.download import Plan, RemoteFile
    from aegis_gpt2_lora.making import Made, Source
    from aegis_gpt2_lora.models import Installed

_VOCABULARY: Final = 1000
_as_json = click.option(
    "--json", "as_json", is_flag=True, help="Answer with JSON on the last line."
)


@click.group()
def model() -> None:
    """List and fetch models, or make one anew."""


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


@model.command("new")
@click.argument("name", metavar="NAME_OR_FOLDER")
@click.option("--layers", default=4, show_default=True, help="Layers.")
@click.option("--width", default=128, show_default=True, help="Width of the residual stream.")
@click.option("--heads", type=int, help="Heads of the attention; width / 32 where not given.")
@click.option("--context", default=256, show_default=True, help="Tokens of context.")
@click.option(
    "--vocabulary",
    type=int,
    help=f"Most entries of a trained tokenizer; {_VOCABULARY:,} by default.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Train a tokenizer on this experience (Aegis JSONL).",
)
@click.option("--tokenizer", metavar="MODEL", help="Take the tokenizer of this model.")
@_as_json
@click.pass_context
def new_command(
    ctx: click.Context,
    name: str,
    *,
    layers: int,
    width: int,
    heads: int | None,
    context: int,
    vocabulary: int | None,
    data: Path | None,
    tokenizer: str | None,
    as_json: bool,
) -> None:
    """Make a small GPT-2 with random weights, in the model store or in a folder."""
    from aegis_gpt2_lora.making import Plan, make
    from aegis_gpt2_lora.models import place_for

    plan = Plan(
        layers=layers,
        width=width,
        heads=max(1, width // 32) if heads is None else heads,
        context=context,
        seed=getattr(ctx.obj, "seed", None) or 0,
    )
    plan.check()
    place_for(name)
    made = make(name, plan, _source(data, tokenizer, vocabulary))
    if _wants_json(ctx, as_json=as_json):
        click.echo(json.dumps(_made_row(made)))
        return
    click.echo(f"made        {made.folder}")
    click.echo(f"weights     {made.parameters:,}, random, of seed {plan.seed}")
    click.echo(f"vocabulary  {_vocabulary(made.source)}")
    click.echo(f'\nmodel = "{made.model}"')


def _source(data: Path | None, tokenizer: str | None, vocabulary: int | None) -> Source:
    """Return the tokenizer that the options ask for.

    Raises:
        InputError: ``model-tokenizer`` if they ask for none, for two, or for another's in a size.
    """
    from aegis_gpt2_lora.making import tokenizer_of, trained_tokenizer

    if data is not None and tokenizer is None:
        size = _VOCABULARY if vocabulary is None else vocabulary
        return trained_tokenizer(commands.recorded_in(data), size, str(data))
    if tokenizer is not None and data is None and vocabulary is None:
        return tokenizer_of(tokenizer)
    if tokenizer is not None and data is None:
        raise InputError.of(
            "model-tokenizer",
            f"the tokenizer of {tokenizer} has a size of its own",
            where="--vocabulary",
            fix="leave --vocabulary out, or train a tokenizer: --data FILE",
        )
    raise InputError.of(
        "model-tokenizer",
        "a model needs one tokenizer: trained on experience, or that of another model",
        where="--data, --tokenizer",
        fix="give --data FILE (aegis data export FILE writes one), or --tokenizer builtin:mini",
    )


def _made_row(made: Made) -> dict[str, Any]:
    source = made.source
    return {
        "model": made.model,
        "folder": str(made.folder),
        "parameters": made.parameters,
        "vocabulary": source.entries,
        "characters_per_token": source.characters,
        "split_words": None if source.split is None else list(source.split),
    }


def _vocabulary(source: Source) -> str:
    said = f"{source.entries:,} entries"
    if source.characters is not None:
        said += f", {source.characters:g} characters a token at the low end of views"
    if source.split:
        some = ", ".join(repr(word) for word in source.split[:5])
        said += f"; {len(source.split)} frequent words are several tokens ({some})"
    elif source.split is not None:
        said += "; every frequent word is one token"
    return said


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
