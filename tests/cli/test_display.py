"""The live picture of a run."""

from __future__ import annotations

import pytest
from rich.console import Console

from aegis.cli.display import LiveScreen
from aegis.contracts.action import Action
from aegis.contracts.experience import Decision, Experience
from aegis.contracts.view import View


def drawn(remarks):
    """Return the heading of a decision as a terminal shows it."""
    action = Action("read", {"document": "1"})
    decision = Decision((action,), 0, (0.0,), (0.0,), action, engine="e", remarks=remarks)
    step = Experience(
        1, "r", 1, 1, "research", "own", 0, "1", "k", "now", View("a goal", 3, 40), decision
    )
    screen = LiveScreen()
    screen._intent = step
    console = Console(width=80, force_terminal=False)
    with console.capture() as capture:
        console.print(screen._heading())
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.parametrize(
    ("remarks", "line"),
    [
        ({}, "a goal  step 3 of 40 · research"),
        ({"segments": 3.0}, "a goal  step 3 of 40 · research · segments 3"),
        (dict.fromkeys("abc", 1.0), "a goal  step 3 of 40 · research · a 1, b 1, …"),
    ],
)
def test_the_live_picture_shows_remarks_in_short_beside_the_step(remarks, line):
    assert line in drawn(remarks)
