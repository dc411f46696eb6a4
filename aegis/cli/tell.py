"""``aegis tell``: facts and goals from a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aegis.cli.invocation import invocation, shared_options

if TYPE_CHECKING:
    from aegis.agent.inbox import Request


@click.command(help="Tell the agent a fact; with --goal, give it something to understand.")
@click.argument("text", nargs=-1, required=True)
@click.option("--goal", is_flag=True, help="TEXT is a subject to understand, not a fact.")
def _tell(text: tuple[str, ...], goal: bool) -> None:
    from aegis.agent.inbox import deliver
    from aegis.project import run_folder

    call = invocation()
    call.project(tolerant=True)
    kind: Request = "goal" if goal else "fact"
    answer = deliver(run_folder(call.file), kind, " ".join(text))
    call.answer({"kind": kind, "answer": answer}, lambda: click.echo(answer))


command = shared_options(_tell)
