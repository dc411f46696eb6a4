"""What a person sees of a run: a live picture on a terminal, plain lines when piped."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol, Self

import click

from aegis.agent.loop import Listener
from aegis.cli.remarks import brief

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

    from aegis.agent.assembly import Agent
    from aegis.cli.invocation import Invocation
    from aegis.contracts.experience import Experience
    from aegis.contracts.outcome import StepResult

_BARS: Final = "▁▂▃▄▅▆▇█"
_CURVE: Final = 60
"""Steps that the reward curve shows."""


class Screen(Protocol):
    """Shows a run; a context manager around it."""

    listener: Listener

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def begin(self, agent: Agent) -> None:
        """Say what runs."""
        ...

    def end(self, agent: Agent) -> None:
        """Draw the last state."""
        ...


def display(call: Invocation) -> Screen:
    """Return the screen that fits where the output goes."""
    return LiveScreen() if call.live else PlainScreen(silent=call.json or call.quiet)


class PlainScreen:
    """One line a step.

    Args:
        silent: Only notices, and these to standard error.
    """

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent
        self._goal = ""
        self.listener = Listener(settled=self._settled, notice=self._notice)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def begin(self, agent: Agent) -> None:
        """Say what runs."""
        if not self._silent:
            click.echo(agent.describe())

    def end(self, agent: Agent) -> None:
        """Nothing is left to draw."""

    def _settled(self, step: Experience, result: StepResult) -> None:
        if self._silent:
            return
        if step.view.goal != self._goal:
            self._goal = step.view.goal
            click.echo(f"goal: {self._goal}")
        click.echo(line(step))
        if result.goal_completed:
            click.echo(f"goal completed: {step.view.goal}")
        sys.stdout.flush()

    def _notice(self, text: str) -> None:
        click.echo(text, err=self._silent)


def line(step: Experience) -> str:
    """Return one finished step as one line."""
    decision, outcome = step.decision, step.outcome
    assert decision.action is not None
    assert decision.chosen is not None
    assert outcome is not None
    chance = math.exp(decision.behaviour_log_probabilities[decision.chosen])
    reward = step.reward or 0.0
    remarks = f", {brief(decision.remarks)}" if decision.remarks else ""
    return (
        f"{step.step:>6}  {decision.action.render()}"
        f"  [{chance:.0%} of {len(decision.candidates)}{remarks}]"
        f"  {outcome.status}: {outcome.message or 'done'}  {reward:+.2f}"
    )


def sparkline(values: list[float]) -> str:
    """Return values as a row of bars, the smallest lowest."""
    if not values:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(_BARS[round((value - low) / span * (len(_BARS) - 1))] for value in values)


class LiveScreen:
    """A picture that is redrawn at every step: goal, decision, outcome, counts, reward curve."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(), refresh_per_second=8, transient=False)
        self._agent: Agent | None = None
        self._intent: Experience | None = None
        self._last: Experience | None = None
        self._rewards: deque[float] = deque(maxlen=_CURVE)
        self._notices: deque[str] = deque(maxlen=3)
        self.listener = Listener(
            decided=self._decided, settled=self._settled, notice=self._notices.append
        )

    def __enter__(self) -> Self:
        self._live.start()
        self._live.update("loading the engine …")
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def begin(self, agent: Agent) -> None:
        """Keep the agent to read its counts from."""
        self._agent = agent
        self._rewards.extend(agent.ledger.reward_curve(_CURVE))
        self._draw()

    def end(self, agent: Agent) -> None:
        """Draw the last state."""
        self._agent = agent
        self._intent = None
        self._draw()

    def _decided(self, intent: Experience) -> None:
        self._intent = intent
        self._draw()

    def _settled(self, step: Experience, result: StepResult) -> None:
        self._last = step
        self._rewards.append(step.reward or 0.0)
        if result.goal_completed:
            self._notices.append(f"goal completed: {step.view.goal}")
        self._draw()

    def _draw(self) -> None:
        from rich.console import Group

        parts = [
            p for p in (self._heading(), self._decision(), self._outcome(), self._counts()) if p
        ]
        self._live.update(Group(*parts))

    def _heading(self) -> RenderableType:
        from rich.text import Text

        step = self._intent or self._last
        text = Text(self._agent.describe() if self._agent else "", style="dim")
        if step is not None:
            text.append(f"\n{step.view.goal}", style="bold")
            where = f"  step {step.view.step}" + (
                f" of {step.view.limit}" if step.view.limit else ""
            )
            text.append(where + f" · {step.environment}", style="dim")
            if step.decision.remarks:
                text.append(f" · {brief(step.decision.remarks)}", style="dim")
            if step.view.missing:
                text.append(f"\nstill missing: {', '.join(step.view.missing)}", style="yellow")
        return text

    def _decision(self) -> RenderableType | None:
        from rich.table import Table
        from rich.text import Text

        step = self._intent or self._last
        if step is None:
            return None
        decision = step.decision
        table = Table(box=None, padding=(0, 1), show_header=False)
        order = sorted(
            range(len(decision.candidates)), key=lambda i: -decision.behaviour_log_probabilities[i]
        )
        shown = order[:5]
        if decision.chosen is not None and decision.chosen not in shown:
            shown[-1] = decision.chosen
        for i in shown:
            chance = math.exp(decision.behaviour_log_probabilities[i])
            chosen = i == decision.chosen
            style = "bold green" if chosen else ""
            bar = "█" * max(1, round(chance * 20))
            name = decision.action if chosen and decision.action else decision.candidates[i]
            words = Text(name.render(), style=style, overflow="ellipsis", no_wrap=True)
            table.add_row("▶" if chosen else " ", f"{chance:5.1%}", Text(bar, style="cyan"), words)
        return table

    def _outcome(self) -> RenderableType | None:
        from rich.text import Text

        if self._last is None or self._last.outcome is None:
            return None
        outcome, reward = self._last.outcome, self._last.reward or 0.0
        style = "green" if reward > 0 else "red" if reward < 0 else ""
        text = Text(
            f"{outcome.status}: {outcome.message or 'done'}  ", overflow="ellipsis", no_wrap=True
        )
        return text.append(f"{reward:+.2f}", style=style)

    def _counts(self) -> RenderableType | None:
        from rich.text import Text

        if self._agent is None:
            return None
        facts = self._agent.summary()
        text = Text(
            f"{facts['experiences']} steps · {facts['knowledge']} items ·"
            f" {facts['goals_completed']} goals completed · mean reward {facts['reward_mean']:+.2f}"
        )
        text.append(f"\nreward {sparkline(list(self._rewards))}", style="magenta")
        for notice in self._notices:
            text.append(f"\n{notice}", style="yellow")
        return text


@contextlib.contextmanager
def progress(call: Invocation, what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that takes (done, total) and draws a bar once a second has passed."""
    if not call.live:
        yield lambda _done, _total: None
        return
    from rich.progress import Progress

    began = time.monotonic()
    with Progress(transient=True) as bar:
        task = bar.add_task(what, total=None, visible=False)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=time.monotonic() - began > 1)

        yield report
