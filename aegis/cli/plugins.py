"""``aegis plugins``: which there are, which are on, and what is wrong with them."""

from __future__ import annotations

import click

from aegis.cli.conformance import test
from aegis.cli.invocation import invocation, shared_options
from aegis.cli.scaffold import new


@click.group(help="List, enable, disable, make and test plugins.")
def _plugins() -> None:
    pass


@_plugins.command("list", help="Show installed plugins and the components of enabled ones.")
def _list() -> None:
    from aegis.config.source import read
    from aegis.host.manager import Host

    call = invocation()
    source = read(call.file, sets=call.sets)
    host = Host.load(source.enabled, source.project, tolerant=True)
    rows = host.plugin_rows()

    def say() -> None:
        for row in rows:
            state = "on" if row["enabled"] else "off"
            state = "FAILED" if row["error"] else state
            release = f"{row['distribution']} {row['version']}"
            click.echo(f"{row['name']:20} {state:7} {release:30} {', '.join(row['components'])}")
            if row["error"]:
                click.echo(f"    {row['error']}".replace("\n", "\n    "))
            for warning in row["warnings"]:
                click.echo(f"    {warning}".replace("\n", "\n    "))

    call.answer({"plugins": rows}, say)


@_plugins.command("enable", help="Add plugins to [plugins].enabled; comments stay as they are.")
@click.argument("names", nargs=-1, required=True)
def _enable(names: tuple[str, ...]) -> None:
    from aegis.config.edit import enable as switch
    from aegis.config.source import read
    from aegis.errors import PluginError
    from aegis.host.manager import Host

    call = invocation()
    source = read(call.file)
    on = source.enabled
    # What is wrong with others is theirs to say: it keeps nobody from being enabled.
    host = Host.load(
        [*on, *(name for name in names if name not in on)], source.project, tolerant=True
    )
    wrong = [one.error for one in host.plugins if one.error is not None and one.name in names]
    if wrong:
        raise PluginError(problem for error in wrong for problem in error.problems)
    changed = [name for name in names if switch(call.file, name)]
    call.answer({"enabled": changed}, lambda: _tell(names, changed, "enabled"))


@_plugins.command(
    "disable", help="Remove plugins from [plugins].enabled; comments stay as they are."
)
@click.argument("names", nargs=-1, required=True)
def _disable(names: tuple[str, ...]) -> None:
    from aegis.config.edit import disable as switch
    from aegis.config.source import read
    from aegis.contracts.names import did_you_mean
    from aegis.errors import InputError

    call = invocation()
    on = read(call.file).enabled
    unknown = [name for name in names if name not in on]
    if unknown:
        raise InputError.of(
            "not-enabled",
            f'plugin "{unknown[0]}" is not enabled{did_you_mean(unknown[0], on)}',
            where="[plugins].enabled",
            fix="aegis plugins list",
        )
    changed = [name for name in names if switch(call.file, name)]
    call.answer({"disabled": changed}, lambda: _tell(names, changed, "disabled"))


def _tell(names: tuple[str, ...], changed: list[str], what: str) -> None:
    for name in names:
        click.echo(f"{name}: {what}" if name in changed else f"{name}: {what} already")


_plugins.add_command(new)
_plugins.add_command(test)
command = shared_options(_plugins)
