"""``aegis log``: what was decided, among what, and how it went."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from aegis.cli.invocation import invocation, shared_options
from aegis.cli.remarks import brief, whole

if TYPE_CHECKING:
    from aegis.contracts.experience import Experience


@click.command(help="Show the last steps, or with --step one step exactly as the engine saw it.")
@click.option(
    "--step", type=click.IntRange(min=1), metavar="N", help="Show everything of one step."
)
@click.option(
    "--last", type=click.IntRange(min=1), default=20, show_default=True, help="Steps to show."
)
def _log(step: int | None, last: int) -> None:
    from aegis.cli.reading import reading
    from aegis.errors import InputError

    call = invocation()
    with reading(call) as ledger:
        newest = ledger.last_step()
        if step is not None and step > newest:
            raise InputError.of(
                "no-such-step", f"there is no step {step}; the newest is {newest}", fix="aegis log"
            )
        rows = [ledger.experience(step)] if step is not None else ledger.recent(last)
    answer: Any = _fields(rows[0]) if step is not None else {"steps": [_brief(row) for row in rows]}
    call.answer(answer, lambda: _whole(rows[0]) if step is not None else _list(rows))


def _brief(row: Experience) -> dict[str, Any]:
    return {
        "step": row.step,
        "episode": row.episode,
        "origin": row.origin,
        "environment": row.environment,
        "goal": row.view.goal,
        "action": row.decision.action.render() if row.decision.action else None,
        "status": row.outcome.status if row.outcome else None,
        "message": row.outcome.message if row.outcome else None,
        "reward": row.reward,
        "remarks": dict(row.decision.remarks),
    }


def _fields(row: Experience) -> dict[str, Any]:
    decision = row.decision
    return _brief(row) | {
        "view": row.view.render(),
        "view_digest": row.view.digest,
        "candidates": [
            {
                "action": action.render(),
                "tool": action.tool,
                "arguments": dict(action.arguments),
                "engine_log_probability": _finite(engine),
                "behaviour_log_probability": _finite(behaviour),
            }
            for action, engine, behaviour in zip(
                decision.candidates,
                decision.engine_log_probabilities,
                decision.behaviour_log_probabilities,
                strict=True,
            )
        ],
        "chosen": decision.chosen,
        "text": decision.text,
        "engine": decision.engine,
        "checkpoint": decision.checkpoint,
        "generator": row.generator,
        "key": row.key,
        "started": row.started,
        "seconds": row.outcome.seconds if row.outcome else None,
        "items": list(row.outcome.items) if row.outcome else [],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _list(rows: list[Experience]) -> None:
    if not rows:
        click.echo("no steps yet: aegis run")
    for row in rows:
        action = _shown(row)
        status = row.outcome.status if row.outcome else "not finished"
        reward = f"{row.reward:+.2f}" if row.reward is not None else "     "
        remarks = f"  [{brief(row.decision.remarks)}]" if row.decision.remarks else ""
        click.echo(f"{row.step:>6}  {row.origin:8}  {reward}  {status:8}  {action}{remarks}")


def _shown(row: Experience) -> str:
    action = row.decision.action
    return action.render() if action is not None else "an unknown action"


def _whole(row: Experience) -> None:
    decision = row.decision
    click.echo(
        f"step {row.step}, episode {row.episode} ({row.environment}, {row.origin}), {row.started}"
    )
    decider, weights = decision.engine or "unknown", decision.checkpoint or "none"
    click.echo(f"engine {decider}, weights {weights}, {row.generator}\n")
    click.echo(row.view.render() + "\n")
    if not decision.candidates:
        click.echo(f"candidates were not recorded; done: {_shown(row)}")
    order = sorted(
        range(len(decision.candidates)), key=lambda i: -decision.behaviour_log_probabilities[i]
    )
    if order:
        click.echo("  engine  behaviour  candidate")
    for i in order:
        engine = math.exp(decision.engine_log_probabilities[i])
        behaviour = math.exp(decision.behaviour_log_probabilities[i])
        mark = ">" if i == decision.chosen else " "
        click.echo(f"{mark} {engine:6.1%}  {behaviour:8.1%}   {decision.candidates[i].render()}")
    if decision.remarks:
        click.echo(f"remarks: {whole(decision.remarks)}")
    if decision.text is not None:
        chance = decision.text_log_probability
        click.echo(f"wrote  {decision.text!r}" + (f" ({chance:.2f})" if chance is not None else ""))
    if row.outcome is not None:
        click.echo(f"\n{row.outcome.status}: {row.outcome.message}  ({row.outcome.seconds:.2f} s)")
        click.echo(f"reward {row.reward:+.2f}" + ("; the episode ended" if row.done else ""))


command = shared_options(_log)
