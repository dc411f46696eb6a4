"""Commands that enabled plugins add."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aegis.cli.invocation import Invocation, shared_options
from aegis.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click


def plugin_command(ctx: click.Context, name: str, reserved: Iterable[str]) -> click.Command | None:
    """Return the command of this name that an enabled plugin provides.

    Args:
        ctx: The current context.
        name: What was typed.
        reserved: Names that plugins may not take.
    """
    from aegis.config.source import read
    from aegis.host.manager import Host

    call = ctx.ensure_object(Invocation)
    try:
        source = read(call.file, sets=call.sets)
    except ConfigError:
        return None
    host = Host.load(source.enabled, source.project, tolerant=True)
    for provided in host.commands(reserved):
        if provided.command.name == name:
            return shared_options(provided.command)
    return None
