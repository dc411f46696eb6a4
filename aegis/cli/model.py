"""``aegis model``: the models of whichever enabled plugin manages them."""

from __future__ import annotations

import click

from aegis.cli.extension import plugin_command
from aegis.errors import PluginError


class _Models(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return _provided(ctx).list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _provided(ctx).get_command(ctx, cmd_name)


def _provided(ctx: click.Context) -> click.Group:
    found = plugin_command(ctx, "model", reserved=())
    if not isinstance(found, click.Group):
        raise PluginError.of(
            "no-models",
            "no enabled plugin manages models",
            where="[plugins].enabled",
            fix="aegis plugins enable gpt2-lora",
        )
    return found


command = _Models("model", help="List, fetch and make models.")
