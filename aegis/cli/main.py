"""The command ``aegis``: a table of verbs, and what all of them share.

Nothing but click is imported here: ``aegis --help`` is instant. A verb's module is imported when
the verb is used.
"""

from __future__ import annotations

import errno
import importlib
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from aegis.errors import AegisError

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS: Final = {
    "init": "Make a new project: a commented aegis.toml and the sample library.",
    "run": "Run the agent; it goes on where it stopped.",
    "check": "Check that the composition of plugins can work.",
    "status": "Show where the agent stands.",
    "goals": "Show what the agent set itself to understand.",
    "knowledge": "Show or search what the agent learned.",
    "tell": "Tell the agent a fact, or give it a goal.",
    "log": "Show what was decided, among what, and how it went.",
    "train": "Train new weights and compare them with the old ones.",
    "eval": "Measure a profile in a task.",
    "compare": "Measure several profiles on the same episodes, paired.",
    "estimate": "Tell from recorded steps what a profile would be worth.",
    "checkpoints": "List, show and compare trained weights; choose which decide.",
    "data": "Count, import and export experience.",
    "plugins": "List, enable, disable, make and test plugins.",
    "model": "List, fetch and make models.",
    "config": "Show the configuration in force, or its schema.",
    "doctor": "Examine the machine, the versions and the ledger.",
}


_OF_THE_DISK: Final = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
}
"""What is wrong with a disk or its permissions, and with no line of this program."""


class Verbs(click.Group):
    """The verbs of Aegis, then those of enabled plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the host's own verbs; plugins' are found when they are used."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb by its name."""
        if cmd_name in VERBS:
            module = importlib.import_module(f"aegis.cli.{cmd_name}")
            command: click.Command = module.command
            return command
        from aegis.cli.extension import plugin_command

        return plugin_command(ctx, cmd_name, VERBS.keys() - {"model"})

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first word names, or say which one may be meant."""
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None:
            from aegis.contracts.names import did_you_mean

            meant = did_you_mean(name, VERBS)
            if not meant:
                meant = "; a plugin's commands are there in a project (-C DIR) that enables it"
            raise click.UsageError(f'no command "{name}"{meant}', ctx)
        return name, command, args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the table of verbs without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, invoke_without_command=False)
@click.version_option(package_name="aegis-agents", prog_name="aegis")
@click.pass_context
def aegis(ctx: click.Context) -> None:
    """Small agents on your own machine that learn from what they do.

    A project is a folder with an aegis.toml; begin with `aegis init DIR`, then `aegis run`.
    """
    from aegis.cli.invocation import Invocation

    ctx.ensure_object(Invocation)


def _add_shared_options() -> None:
    from aegis.cli.invocation import shared_options

    shared_options(aegis)


_add_shared_options()


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0, 1 for failures, 2 for mistakes, 130 on Ctrl-C."""
    try:
        result: Any = aegis.main(args=argv, prog_name="aegis", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        sys.exit(130)
    except click.ClickException as error:
        _usage(error)
        sys.exit(error.exit_code)
    except AegisError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        if error.errno not in _OF_THE_DISK or error.filename is None:
            raise
        print(_of_the_disk(error), file=sys.stderr)
        sys.exit(1)
    sys.exit(result if isinstance(result, int) else 0)


def _of_the_disk(error: OSError) -> str:
    """Return what is wrong with a file or folder that could not be used."""
    return (
        f"error[disk]: a file or folder cannot be used: {error.strerror}\n"
        f"  where: {error.filename}\n"
        "  fix:   make room, or choose a folder that may be written (-C DIR)"
    )


def _usage(error: click.ClickException) -> None:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "aegis"
    print(f"error[usage]: {error.format_message()}\n  fix:   {path} --help", file=sys.stderr)
