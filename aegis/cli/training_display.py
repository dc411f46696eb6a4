"""What a person sees of a training: a live picture on a terminal, plain lines when piped."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aegis.cli.invocation import Invocation
    from aegis.learning.outcome import Outcome
    from aegis.learning.progress import Listener, Progress

_EVERY: Final = 10.0
"""Seconds between two lines where the output is no terminal."""
_SILENT: Final = 30.0
"""Seconds without a word of the trainer after which it is said."""

_NAMES: Final = {
    "return": "return in {environment}",
    "loss": "held-out loss",
    "agreement": "held-out agreement",
    "text_loss": "held-out text loss",
    "action_loss": "held-out action loss",
}


class Screen(Protocol):
    """Shows a training; a context manager around it."""

    listener: Listener

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def display(call: Invocation) -> Screen:
    """Return the screen that fits where the output goes."""
    return LiveScreen() if call.live else PlainScreen(silent=call.json or call.quiet)


class PlainScreen:
    """A line now and then.

    Args:
        silent: Only notices, and these to standard error.
    """

    def __init__(self, *, silent: bool) -> None:
        from aegis.learning.progress import Listener

        self._silent = silent
        self._last = 0.0
        self._stage = ""
        self.listener = Listener(progress=self._progress, notice=self._notice)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def _progress(self, now: Progress) -> None:
        if self._silent or now.stage in ("waiting", "over"):
            return
        stage = f"{now.stage} {now.judging.get('side', '')} {now.judging.get('what', '')}"
        if stage == self._stage and time.monotonic() - self._last < _EVERY:
            return
        self._stage, self._last = stage, time.monotonic()
        click.echo(line(now))
        sys.stdout.flush()

    def _notice(self, text: str) -> None:
        click.echo(text, err=self._silent)


class LiveScreen:
    """A picture that is redrawn as the training goes on: figures, and the learning curve."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        from aegis.learning.progress import Listener

        self._live = Live(console=Console(), refresh_per_second=4, transient=True)
        self._drawn = 0.0
        self.listener = Listener(progress=self._progress, notice=self._live.console.print)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _progress(self, now: Progress) -> None:
        from rich.text import Text

        from aegis.learning.curve import draw

        if time.monotonic() - self._drawn < 0.25 or now.stage == "over":
            return
        self._drawn = time.monotonic()
        chart = draw(now.points) if len(now.points) > 1 else ""
        self._live.update(Text("\n".join(part for part in (line(now), chart) if part)))


def line(now: Progress) -> str:
    """Return where a training stands as one line."""
    if now.stage == "judging":
        judging = now.judging
        what = f"{judging.get('side', 'engine')}: {judging.get('what', 'loading')}"
        parts = ["old against new", what, _share(judging.get("done"), judging.get("total"))]
    else:
        parts = [now.stage, *_trained(now.metrics)]
    parts.append(f"{_duration(now.seconds)} of {_duration(now.limit)} at most")
    parts.append(f"{now.rss_mb:.0f} MiB")
    if now.silent > _SILENT:
        parts.append(f"no word for {_duration(now.silent)}")
    return " · ".join(part for part in parts if part)


def _trained(metrics: Mapping[str, float]) -> list[str]:
    parts = [
        f"epoch {metrics['epoch']:.1f}" if "epoch" in metrics else "",
        _share(metrics.get("examples"), metrics.get("examples_total")),
    ]
    parts += [
        f"{name.replace('_', ' ')} {metrics[name]:.4f}"
        for name in ("loss", "held_out_loss")
        if name in metrics
    ]
    if "examples_per_second" in metrics:
        parts.append(f"{metrics['examples_per_second']:.1f} examples/s")
    if "seconds_left" in metrics:
        parts.append(f"{_duration(metrics['seconds_left'])} left")
    return parts


def _share(done: Any, total: Any) -> str:
    if done is None:
        return ""
    return f"{done:g} of {total:g}" if total else f"{done:g} examples"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return (
        f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
    )


def report(call: Invocation, outcome: Outcome) -> str:
    """Return what is said at the end: the curve, old against new, and what to do with it."""
    from aegis.learning.curve import draw

    if outcome.checkpoint is None:
        return f"{outcome.status}: no new weights; those that decide now go on deciding"
    folder = "" if str(call.directory) == "." else f" -C {call.directory}"
    place = outcome.job.parent.parent / "checkpoints" / outcome.checkpoint
    promote = f"aegis{folder} checkpoints promote {outcome.checkpoint} --profile {outcome.profile}"
    chart = draw(outcome.curve)
    lines = [
        _summary(outcome),
        table(outcome.comparison),
        f"candidate {outcome.checkpoint} lies in {place}",
        f"let it decide: {promote}",
    ]
    return "\n".join([chart, "", *lines] if chart else lines)


def _summary(outcome: Outcome) -> str:
    rate = outcome.examples_per_second
    speed = f", {rate:.1f} examples/s" if rate else ""
    return (
        f"{outcome.trainer} trained {outcome.engine} on {outcome.examples} examples,"
        f" {outcome.epochs:g} epochs, {_duration(outcome.seconds)}{speed}"
        f" ({outcome.stopped_because}; at most {outcome.peak_rss_mb:.0f} MiB)"
    )


def table(comparison: Mapping[str, Any]) -> str:
    """Return old against new as a table, means with intervals of 95 %."""
    episodes, held_out = comparison.get("episodes", {}), comparison.get("held_out", {})
    measures = {**episodes.get("measures", {}), **held_out.get("measures", {})}
    rows = [("", "old", "new", "gain", "n")]
    for name, found in measures.items():
        title = _NAMES.get(name, name).format(environment=episodes.get("environment", ""))
        cells = [_interval(found[key]) for key in ("incumbent", "candidate")]
        rows.append((title, *cells, _interval(found["gain"], sign="+"), str(found["rows"])))
    for name, found in episodes.get("beside", {}).items():
        rows.append((f"  {name}, the same episodes", _interval(found), "", "", ""))
    even = held_out.get("random", {}).get("loss")
    if even is not None and "loss" in measures:
        rows.append(("  random, held-out loss", f"{even:.3f}", "", "", ""))
    if episodes.get("skipped") and comparison:
        rows.append((f"  no episodes: {episodes['skipped']}", "", "", "", ""))
    if len(rows) == 1:
        return "not compared with the weights that decide now"
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _interval(found: Mapping[str, float], sign: str = "") -> str:
    mean, low, high = found["mean"], found["low"], found["high"]
    return f"{mean:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"
