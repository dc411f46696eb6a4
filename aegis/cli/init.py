"""``aegis init``: a new project that runs as it stands."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from aegis import resources
from aegis.cli.invocation import invocation, shared_options
from aegis.errors import InputError


@click.command(help="Make a new project in DIR: a commented aegis.toml and the sample library.")
@click.argument("directory_name", metavar="DIR", type=click.Path(path_type=Path))
def _init(directory_name: Path) -> None:
    from aegis.cli.fitting import fitted
    from aegis.host.installed import installed

    call = invocation()
    target = call.directory / directory_name
    _refuse_to_overwrite(target)
    (target / "data").mkdir(parents=True, exist_ok=True)
    shutil.copytree(resources.library(), target / "data" / "library")
    text, absent = fitted(resources.configuration().read_text("utf-8"), installed())
    (target / "aegis.toml").write_text(text, "utf-8")
    (target / ".gitignore").write_text("data/run/\n")
    count = sum(1 for _ in (target / "data" / "library").glob("*.md"))
    call.answer(
        {"path": str(target.resolve())},
        lambda: _say(directory_name, target, count, absent),
    )


def _refuse_to_overwrite(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise InputError.of("not-a-folder", f"{target} is a file", fix="name another folder")
    for name in ("aegis.toml", "data/library", ".gitignore"):
        if (target / name).exists():
            raise InputError.of(
                "exists",
                f"{target / name} exists; nothing was written",
                fix="name another folder, or remove it first",
            )


def _say(name: Path, target: Path, count: int, absent: list[str]) -> None:
    click.echo(f"made {target}: aegis.toml and a library of {count} notes")
    if absent:
        needed = ", ".join(f"aegis-{plugin}" for plugin in absent)
        click.echo(f"without {', '.join(absent)}, which are not installed: distributions {needed}")
    click.echo(f"go on: aegis -C {name} run --steps 50")


command = shared_options(_init)
