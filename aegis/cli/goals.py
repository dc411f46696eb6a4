"""``aegis goals``: what the agent set itself to understand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aegis.cli.invocation import invocation, shared_options

if TYPE_CHECKING:
    from aegis.knowledge.gaps import Gap
    from aegis.knowledge.goals import Goal


@click.command(help="Show what the agent set itself to understand, and the gaps it noticed.")
def _goals() -> None:
    from aegis.cli.reading import reading
    from aegis.knowledge.gaps import Gaps
    from aegis.knowledge.goals import Goals

    call = invocation()
    with reading(call) as ledger:
        goals, gaps = Goals(ledger.connection).all(), Gaps(ledger.connection).open()
    answer = {
        "goals": [
            {
                "id": g.id,
                "goal": g.text,
                "origin": g.origin,
                "state": g.state,
                "progress": g.progress,
                "terms": list(g.terms),
            }
            for g in goals
        ],
        "gaps": [{"term": gap.term, "count": gap.count} for gap in gaps],
    }
    call.answer(answer, lambda: _say(goals, gaps))


def _say(goals: list[Goal], gaps: list[Gap]) -> None:
    if not goals:
        click.echo("no goals yet: aegis run sets them from [agent].interests")
    for goal in goals:
        click.echo(
            f"{goal.id:4}  {goal.state:9} {goal.progress:4.0%}  {goal.origin:8}  {goal.text}"
        )
    if gaps:
        terms = ", ".join(f"{gap.term} ({gap.count})" for gap in gaps[:12])
        click.echo(
            f"open gaps: {terms}" + (f" and {len(gaps) - 12} more" if len(gaps) > 12 else "")
        )


command = shared_options(_goals)
