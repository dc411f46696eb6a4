"""``aegis status``: where the agent stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aegis.cli.invocation import invocation, shared_options

if TYPE_CHECKING:
    from aegis.store.ledger import Ledger


@click.command(help="Show where the agent stands.")
def _status() -> None:
    from aegis.cli.reading import reading

    call = invocation()
    with reading(call) as ledger:
        facts = _facts(ledger)
    call.answer(facts, lambda: _say(facts))


def _facts(ledger: Ledger) -> dict[str, Any]:
    from aegis.checkpoints.promoting import Promotions
    from aegis.knowledge.gaps import Gaps
    from aegis.knowledge.goals import Goals
    from aegis.knowledge.items import Items

    goals = Goals(ledger.connection)
    counts = ledger.counts()
    active = goals.active()
    recent, run = ledger.recent(1), ledger.last_run()
    decides = None if run is None else Promotions(ledger.connection).current(run.profile)
    gaps_open, gaps_closed = Gaps(ledger.connection).counts()
    return {
        "experiences": counts.experiences,
        "episodes": counts.episodes,
        "by_origin": {name: share.experiences for name, share in counts.by_origin.items()},
        "reward_mean": counts.reward_mean,
        "knowledge": Items(ledger.connection).count(),
        "goals": {
            "active": active.text if active else None,
            "progress": active.progress if active else None,
            "completed": goals.completed(),
            "all": len(goals.all()),
        },
        "gaps": {"open": gaps_open, "closed": gaps_closed},
        "phase": "collecting",
        "profile": None if run is None else run.profile,
        "checkpoint": decides or (recent[-1].decision.checkpoint if recent else None),
        "promoted": decides is not None,
        "pending": [],
        "bytes_per_step": round(ledger.bytes_per_step().content),
    }


def _say(facts: dict[str, Any]) -> None:
    goals = facts["goals"]
    origins = ", ".join(f"{count} {origin}" for origin, count in facts["by_origin"].items())
    click.echo(f"steps      {facts['experiences']} ({origins or 'none yet'})")
    click.echo(f"reward     {facts['reward_mean'] or 0:+.3f} a step on average")
    click.echo(f"knowledge  {facts['knowledge']} items")
    click.echo(f"goals      {goals['completed']} completed of {goals['all']}")
    if goals["active"]:
        click.echo(f"now        {goals['active']} ({goals['progress']:.0%} covered)")
    click.echo(f"gaps       {facts['gaps']['open']} open, {facts['gaps']['closed']} closed")
    click.echo(f"weights    {_weights(facts)}")


def _weights(facts: dict[str, Any]) -> str:
    if facts["promoted"]:
        return f"checkpoint {facts['checkpoint']} (profile {facts['profile']})"
    return f"{facts['checkpoint']} (as configured)" if facts["checkpoint"] else "none"


command = shared_options(_status)
