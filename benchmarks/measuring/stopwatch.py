"""Timing on a machine that others use too.

With one thread the figure is the process's own CPU time, which preemption does not change. With
more it is wall time, of the samples during which the least was done by other processes.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_STAT, _STATUS, _CLEAR = (
    Path("/proc", *names) for names in (("stat",), ("self", "status"), ("self", "clear_refs"))
)
_QUIET: Final = 0.15  # cores that others may use during a sample that counts


class Sample(NamedTuple):
    """One timing: seconds of wall and own CPU time, and cores that others used meanwhile."""

    wall: float
    cpu: float
    others: float


def timed(work: Callable[[], object]) -> Sample:
    """Return how long `work` took."""
    busy, cpu, wall = _busy(), time.process_time(), time.perf_counter()
    work()
    wall = time.perf_counter() - wall
    cpu = time.process_time() - cpu
    return Sample(wall, cpu, max(0.0, _busy() - busy - cpu) / wall)


def typical(samples: Sequence[Sample], threads: int) -> float:
    """Return the seconds that stand for `samples`: the median of those that count."""
    if threads == 1:
        return statistics.median(sample.cpu for sample in samples)
    ordered = sorted(samples, key=lambda sample: sample.others)
    quiet = [sample for sample in ordered if sample.others < _QUIET]
    counted = quiet if len(quiet) > 1 else ordered[: max(1, len(ordered) // 3)]
    return statistics.median(sample.wall for sample in counted)


class PeakMemory:
    """The most memory that was taken since this was made, beyond what was held then (Linux)."""

    def __init__(self) -> None:
        if _CLEAR.exists():
            ctypes.CDLL(None).malloc_trim(0)  # what is free counts as taken again
            _CLEAR.write_text("5", encoding="ascii")
        self._before = _megabytes("VmRSS")

    def taken(self) -> float:
        """Return megabytes, or 0 where nobody counts."""
        return _megabytes("VmHWM") - self._before


def _megabytes(line: str) -> float:
    found = re.search(rf"{line}:\s+(\d+) kB", _STATUS.read_text()) if _STATUS.exists() else None
    return int(found[1]) / 1024 if found else 0.0


def machine(threads: int) -> str:
    """Return one line about the machine."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    name = found[1] if found else platform.processor()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB, {threads} thread(s) used"


def _busy() -> float:
    """Return the seconds that the machine's cores have worked, idle time left out."""
    if not _STAT.exists():
        return 0.0
    fields = [int(field) for field in _STAT.read_text().partition("\n")[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / _TICKS
