"""What every verb is called with: the project, the configuration, and how to answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from aegis.project import Project

C = TypeVar("C", bound=click.Command)


class Invocation:
    """The options that all verbs share; each may stand before or after the verb."""

    def __init__(self) -> None:
        self.directory = Path()
        self.config: Path | None = None
        self.sets: list[str] = []
        self.seed: int | None = None
        self.json = False
        self.quiet = False
        self.verbose = False

    @property
    def file(self) -> Path:
        """The configuration file."""
        return self.config if self.config is not None else self.directory / "aegis.toml"

    def project(
        self, profile: str | None = None, *, tolerant: bool = False, safe: bool = False
    ) -> Project:
        """Return the project: its configuration, its plugins, the composition of a profile."""
        from aegis.project import load

        sets = list(self.sets)
        if self.seed is not None:
            sets.append(f"runtime.seed={self.seed}")
        project = load(self.file, sets=sets, profile=profile, tolerant=tolerant, safe=safe)
        if not self.quiet:
            for problem in project.host.warnings:
                click.echo(problem.render("warning"), err=True)
        return project

    def answer(self, value: Any, text: Callable[[], None]) -> None:
        """Print `value` as the last line where JSON is asked for, else call `text`."""
        if self.json:
            click.echo(json.dumps(value))
        elif not self.quiet:
            text()

    @property
    def live(self) -> bool:
        """Whether a person watches a terminal that can be redrawn."""
        return sys.stdout.isatty() and not (self.json or self.quiet)


def invocation() -> Invocation:
    """Return the options of the current command."""
    found = click.get_current_context().find_object(Invocation)
    assert found is not None
    return found


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        assert param.name is not None
        if ctx.get_parameter_source(param.name) is ParameterSource.DEFAULT:
            return
        shared = ctx.ensure_object(Invocation)
        if name == "sets":
            shared.sets += value
        else:
            setattr(shared, name, value)

    return callback


def shared_options(command: C) -> C:
    """Add the options that all verbs share to a command (and to those of a group)."""
    folder = click.Path(exists=True, file_okay=False, path_type=Path)
    file = click.Path(dir_okay=False, path_type=Path)
    options = [
        click.Option(["-C", "directory"], type=folder, metavar="DIR", help="The project's folder."),
        click.Option(
            ["--config", "config_file"], type=file, metavar="FILE", help="Instead of aegis.toml."
        ),
        click.Option(
            ["--set", "sets"], multiple=True, metavar="KEY=VALUE", help="Override a setting."
        ),
        click.Option(
            ["--seed", "seed_number"], type=int, metavar="N", help="Override [runtime].seed."
        ),
        click.Option(
            ["--json", "as_json"], is_flag=True, help="Answer with JSON on the last line."
        ),
        click.Option(["-q", "--quiet", "quiet"], is_flag=True, help="Say only what is asked for."),
        click.Option(["-v", "--verbose", "verbose"], is_flag=True, help="Say more."),
    ]
    names = {"config_file": "config", "seed_number": "seed", "as_json": "json"}
    taken = {option for parameter in command.params for option in parameter.opts}
    for option in options:
        if not taken & set(option.opts):
            assert option.name is not None
            option.callback = _keep(names.get(option.name, option.name))
            option.expose_value = False
            command.params.append(option)
    if isinstance(command, click.Group):
        for child in command.commands.values():
            shared_options(child)
    return command
