"""The machine that figures come from, in one line."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def machine() -> str:
    """Return cores, processor, system and Python, such as ``2 cores of AMD EPYC, Linux, ...``."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [
        f"{cores} core{'s' * (cores != 1)} of {_processor()}",
        platform.system(),
        platform.machine(),
    ]
    return ", ".join([*parts, f"Python {platform.python_version()}"])


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # no Linux
    return platform.processor() or "an unnamed processor"
