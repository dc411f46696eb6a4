"""Segments against accuracy: what thinking for longer is worth on recorded decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from attrs import frozen

from aegis_hrm.decision.packing import pack
from aegis_hrm.decision.thinking import think

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aegis import Experience
    from aegis_hrm.engine import HrmEngine

_AT_ONCE = 16  # decisions


@frozen
class Bar:
    """Decisions that have something in common.

    Attributes:
        segments: How many they took, or were made to take.
        decisions: How many they are.
        right: Share in which the most probable candidate is the one that was taken.
        candidates: Candidates of one, on average.
    """

    segments: int
    decisions: int
    right: float
    candidates: float


@frozen
class Segments:
    """What was measured.

    Attributes:
        used: By the segments after which the engine decided, ascending.
        forced: The same decisions, all made after 1, 2, ... segments.
        mean: Segments of a decision, on average.
        right: Share in which the engine agrees, as it decides.
    """

    used: tuple[Bar, ...]
    forced: tuple[Bar, ...]
    mean: float
    right: float


def measure(
    engine: HrmEngine, steps: Sequence[Experience], report: Callable[[int, int], None]
) -> Segments:
    """Return how often an engine takes the recorded candidate, by segments.

    Args:
        engine: The engine.
        steps: Recorded steps with candidates and a choice, at least one.
        report: Takes how many decisions of how many are done.
    """
    most, network = engine.budget.segments, engine.module
    used, right, sizes = [], [], []
    forced: list[list[torch.Tensor]] = [[] for _ in range(most)]
    for first in range(0, len(steps), _AT_ONCE):
        some = steps[first : first + _AT_ONCE]
        rows = [engine.layout.row(step.view, step.decision.candidates) for step in some]
        chosen = torch.tensor([step.decision.chosen for step in some])
        packed = pack(rows, network.H_init.device)
        with torch.inference_mode():
            found = think(network, packed, engine.budget)
            used.append(found.segments.cpu())
            right.append(found.scores.argmax(-1).cpu() == chosen)
            prepared = network.prepare(packed)
            state = network.begin(prepared)
            for answers in forced:
                said = network(state, prepared)
                state = said.state
                answers.append(said.scores.argmax(-1).cpu() == chosen)
        sizes.append(torch.tensor([len(row.markers) for row in rows]))
        report(first + len(some), len(steps))
    taken, agrees, count = torch.cat(used), torch.cat(right).float(), torch.cat(sizes).float()
    return Segments(
        tuple(
            _bar(number, taken == number, agrees, count)
            for number in range(1, most + 1)
            if bool((taken == number).any())
        ),
        tuple(
            _bar(number, taken > 0, torch.cat(answers).float(), count)
            for number, answers in enumerate(forced, start=1)
        ),
        float(taken.float().mean()),
        float(agrees.mean()),
    )


def _bar(segments: int, some: torch.Tensor, right: torch.Tensor, count: torch.Tensor) -> Bar:
    return Bar(segments, int(some.sum()), float(right[some].mean()), float(count[some].mean()))


def drawn(found: Segments, width: int = 40) -> str:
    """Return both series as bars of text."""
    total = sum(bar.decisions for bar in found.used)
    lines = ["decided after        of all   agrees  candidates"]
    lines += [
        f"  {_named(bar.segments):16s} {bar.decisions / total:7.1%}  {bar.right:7.1%}  "
        f"{bar.candidates:10.1f}  {'█' * round(width * bar.right)}"
        for bar in found.used
    ]
    lines.append("all made after                 agrees")
    lines += [
        f"  {_named(bar.segments):16s}          {bar.right:7.1%}              "
        f"{'█' * round(width * bar.right)}"
        for bar in found.forced
    ]
    lines.append(
        f"as it decides: {found.right:.1%} of {total} decisions, {found.mean:.2f} segments each"
    )
    return "\n".join(lines)


def _named(segments: int) -> str:
    return f"{segments} segment{'s' if segments > 1 else ''}"
