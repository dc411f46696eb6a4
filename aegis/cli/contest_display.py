"""What a person sees of a contest: where each contender stands, then the table."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aegis.cli.invocation import Invocation
    from aegis.evaluation.contest import Contest, Standing

_EVERY: Final = 10.0
"""Seconds between two lines where the output is no terminal."""
_REDRAW: Final = 0.25

_SIGNIFICANT: Final = 0.05


class ContestScreen(Protocol):
    """Shows a contest; a context manager around it."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, contest: Contest) -> None:
        """Show where it stands, if that was not done a moment ago."""
        ...


def screen(call: Invocation) -> ContestScreen:
    """Return the screen that fits where the output goes."""
    return _Live() if call.live else _Plain(silent=call.json or call.quiet)


class _Plain:
    """A line now and then.

    Args:
        silent: Whether nothing is shown.
    """

    def __init__(self, *, silent: bool) -> None:
        self._silent, self._last = silent, time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, contest: Contest) -> None:
        if self._silent or time.monotonic() - self._last < _EVERY:
            return
        self._last = time.monotonic()
        done = sum(standing.done for standing in contest.standings)
        total = sum(len(standing.seeds) for standing in contest.standings)
        at = next((s.contender.name for s in contest.standings if s.missing), "")
        click.echo(f"played {done} of {total} episodes{f', now {at}' if at else ''}")
        sys.stdout.flush()


class _Live:
    """A bar for each contender."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(), refresh_per_second=4, transient=True)
        self._drawn = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, contest: Contest) -> None:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        if time.monotonic() - self._drawn < _REDRAW:
            return
        self._drawn = time.monotonic()
        table = Table(box=None, pad_edge=False)
        for heading in ("", "", "episodes", "return", "reached"):
            table.add_column(heading, no_wrap=not heading)
        for standing in contest.standings:
            done, total = standing.done, len(standing.seeds)
            bar = ProgressBar(total=total, completed=done, width=24)
            table.add_row(standing.contender.name, bar, f"{done}/{total}", *_so_far(standing))
        self._live.update(table)


def _so_far(standing: Standing) -> tuple[str, str]:
    played = [standing.episodes[seed] for seed in standing.seeds if seed in standing.episodes]
    if not played:
        return "", ""
    mean = sum(episode.total for episode in played) / len(played)
    reached = sum(episode.completed for episode in played) / len(played)
    return f"{mean:.2f}", f"{reached:.0%}"


def table(found: Mapping[str, Any]) -> str:
    """Return the rows of a comparison as a text table, and what is not in it."""
    by_success = found["measure"] == "success"
    normalised = any(row["normalised"] for row in found["rows"])
    heads = ["", "success" if by_success else "return", "95 %"]
    heads += ["normalised"] if normalised else []
    heads += ["return"] if by_success else []
    heads += ["steps", "decisions/s", "MiB", "weights", "invalid"]
    lines = [heads, *(_cells(row, by_success, normalised) for row in found["rows"])]
    return "\n".join(
        [_heading(found), *_aligned(lines), *_models(found["rows"]), *_said(found["missing"])]
    )


def pair_lines(found: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each pair; differences beyond chance are said to be such."""
    return [_pair(pair, by_success=found["measure"] == "success") for pair in found["pairs"]]


def published_lines(found: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each figure that others report."""
    scale, unit = (100.0, " %") if found["measure"] == "success" else (1.0, "")
    lines = []
    for one in found["published"]:
        value = "no such figure" if one["value"] is None else f"{scale * one['value']:.1f}{unit}"
        lines.append(f"published, not measured here: {one['name']}, {value}; {one['note']}")
    return lines


def _heading(found: Mapping[str, Any]) -> str:
    from aegis.evaluation.intervals import FEW

    environment, split = found["environment"], found["environment"]["split"]
    episodes, clusters = found["episodes"], found["clusters"]
    last = found["first_seed"] + episodes - 1
    topics = f" of {clusters} topic{'s' * (clusters > 1)}" if clusters < episodes else ""
    heading = (
        f"{found['task']}{f', {split} split' if split else ''}: {episodes} episodes{topics}, "
        f"seeds {found['first_seed']} to {last}, rules {environment['version']}"
    )
    if clusters >= FEW:
        return heading
    return f"{heading}\nso few {'topics' if topics else 'episodes'} say little: intervals are rough"


def _models(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield which model each profile's figures are of."""
    told = {
        f"{row['profile']}@{row['checkpoint'][:10]}" if row["checkpoint"] else row["profile"]: row
        for row in rows
        if row["profile"] is not None and row["kind"] == "profile"
    }
    for name, row in told.items():
        yield f"{name}: {row['model']}"


def _cells(row: Mapping[str, Any], by_success: bool, normalised: bool) -> list[str]:
    low, high = row["ci95"]
    cells = [row["name"]]
    if by_success:
        cells += [f"{row['success_rate']:.1%}", f"{low:.1%} to {high:.1%}"]
    else:
        cells += [f"{row['mean_return']:.2f}", f"{low:.2f} to {high:.2f}"]
    if normalised:
        share = row["normalised"]
        cells.append(f"{share['mean']:.2f} [{share['low']:.2f}, {share['high']:.2f}]")
    if by_success:
        cells.append(f"{row['mean_return']:.2f}")
    speed, weights = row["decisions_per_second"], row["parameters"]
    return [
        *cells,
        f"{row['steps']:.1f}",
        "" if speed is None else f"{speed:,.0f}",
        f"{row['peak_rss_mb']:,.0f}",
        "" if weights is None else f"{weights:,}",
        f"{row['invalid_rate']:.1%}",
    ]


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def _said(missing: Sequence[str]) -> list[str]:
    return [f"not in the table: {reason}" for reason in missing]


def _pair(pair: Mapping[str, Any], *, by_success: bool) -> str:
    scale, unit = (100.0, " points") if by_success else (1.0, "")
    low, high, mean = (scale * pair[key] for key in ("low", "high", "difference"))
    beyond = pair["p_adjusted"] < _SIGNIFICANT
    word = ("better than" if mean > 0 else "worse than") if beyond else "not told apart from"
    figures = f"{mean:+.2f}{unit} [{low:.2f}, {high:.2f}], p {_p(pair['p_adjusted'])}"
    return f"{pair['a']} {word} {pair['b']}: {figures}"


def _p(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
