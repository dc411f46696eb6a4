"""What a child process of a project loads and builds with."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from aegis.host.seat import plugins_of, runtime_of
from aegis.jobs.job_file import Workplace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from aegis.host.composition import Chosen
    from aegis.project import Project


def workplace(
    project: Project,
    loaded: Iterable[Chosen],
    checkpoint: Path | None,
    *,
    threads: int | None = None,
) -> Workplace:
    """Return the workplace of a child.

    Args:
        project: The project.
        loaded: What it may build: their plugins are loaded, and those that provide nothing.
        checkpoint: Verified folder of the weights that it serves; None for those of the settings.
        threads: Threads for arithmetic; None for the configuration's number.
    """
    # Training, judging and playing reach for nothing.
    runtime = project.runtime(checkpoint, threads=threads, offline=True)
    return Workplace(
        path=tuple(entry for entry in sys.path if entry),
        plugins=plugins_of(loaded, project.host.imported_only),
        runtime=runtime_of(runtime),
    )
