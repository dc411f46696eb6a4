"""Commands that enabled plugins add."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aegis.cli.invocation import Invocation, shared_options
from aegis.errors import ConfigError

if TYPE_CHECKING:
    import click


def plugin_command(ctx: click.Context, name: str) -> click.Command | None:
    """Return the command of this name that an enabled plugin provides."""
    try:
        project = ctx.ensure_object(Invocation).project(tolerant=True)
    except ConfigError:
        return None
    for command, _ in project.host.commands(reserved=()):
        if command.name == name:
            return shared_options(command)
    return None
