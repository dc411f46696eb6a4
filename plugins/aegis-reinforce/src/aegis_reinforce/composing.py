"""Composing: decisions that nobody had to make, put together from recorded ones.

A critic says what any candidates are worth in any state, and an engine that is taught by it only on
what it has seen does not know what to do where its own better choices lead. Candidates of other
steps, fewer of them, and another time of the episode make states of all kinds: with much or little
left to gain, early or late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from aegis import Action, Experience, View
    from aegis_reinforce.transitions import Shown


def composed(steps: Sequence[Experience], count: int, drawing: random.Random) -> list[Shown]:
    """Return decisions put together from those of some steps, `count` for each.

    View and order are those of the step, the number of the step is that of another. Of the
    candidates of each tool a share that is drawn stays away, and a share that is drawn is exchanged
    for candidates of the same tool that were offered elsewhere. At least two stay.

    Args:
        steps: Steps with at least two candidates each.
        count: How many decisions for each.
        drawing: Where the numbers come from.
    """
    offered: dict[str, dict[str, Action]] = {}
    for step in steps:
        for action in step.decision.candidates:
            offered.setdefault(action.tool, {})[action.render()] = action
    pools = {tool: list(actions.values()) for tool, actions in offered.items()}
    return [
        (_at_another_time(step.view, drawing.choice(steps).view), _drawn(step, pools, drawing))
        for step in steps
        for _ in range(count)
    ]


def _at_another_time(view: View, other: View) -> View:
    return evolve(view, step=other.step, limit=other.limit)


def _drawn(
    step: Experience, pools: dict[str, list[Action]], drawing: random.Random
) -> tuple[Action, ...]:
    candidates = step.decision.candidates
    tools = sorted({action.tool for action in candidates})
    kept = {tool: drawing.random() for tool in tools}
    exchanged = drawing.random()
    chosen: dict[str, Action] = {}
    for action in candidates:
        if drawing.random() < kept[action.tool]:
            new = drawing.choice(pools[action.tool]) if drawing.random() < exchanged else action
            chosen[new.key] = new
    for action in drawing.sample(candidates, 2):
        if len(chosen) < 2:
            chosen[action.key] = action
    return tuple(chosen.values())
