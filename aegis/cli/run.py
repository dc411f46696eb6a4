"""``aegis run``: the agent."""

from __future__ import annotations

from typing import Any

import click

from aegis.cli.interruption import interruptible
from aegis.cli.invocation import Invocation, invocation, shared_options


@click.command(help="Run the agent; it goes on where it stopped. Ctrl-C ends it cleanly.")
@click.option("--steps", type=click.IntRange(min=1), metavar="N", help="End after N steps.")
@click.option("--profile", metavar="P", help="Decide with this profile instead of the file's.")
@click.option("--fresh", is_flag=True, help="Begin anew; the old run is kept aside.")
@click.option("--safe", is_flag=True, help="Start with builtin plugins and the rules engine only.")
def _run(steps: int | None, profile: str | None, fresh: bool, safe: bool) -> int:
    from aegis.agent.assembly import assemble
    from aegis.cli.display import display

    call = invocation()
    project = call.project("rules" if safe and profile is None else profile, safe=safe)
    project.refuse_if_broken(fresh=fresh)
    screen = display(call)
    with screen, assemble(project, fresh=fresh, listener=screen.listener) as agent:
        screen.begin(agent)
        with interruptible(agent, "ending after this step"):
            for _ in agent.run(steps):
                pass
        facts = agent.summary()
        screen.end(agent)
    call.answer(facts, lambda: _say(call, facts, agent.reason))
    return 130 if agent.reason == "interrupted" else 0


def _say(call: Invocation, facts: dict[str, Any], reason: str) -> None:
    why = {"interrupted": "interrupted", "idle": "nothing is left to do"}.get(reason)
    click.echo(
        f"\n{facts['steps']} steps this time"
        + (f" ({why})" if why else "")
        + f"; {facts['experiences']} in all, {facts['knowledge']} items of knowledge,"
        f" {facts['goals_completed']} goals completed, mean reward {facts['reward_mean']:+.2f}"
    )
    folder = "" if str(call.directory) == "." else f" -C {call.directory}"
    click.echo(f"go on: aegis{folder} run   look: aegis{folder} status | log | knowledge | goals")


command = shared_options(_run)
