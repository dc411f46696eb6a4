"""What a child process of a project loads and builds with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from aegis.contracts.component import Runtime
from aegis.host.seat import plugins_of, runtime_of
from aegis.jobs.job_file import Workplace

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        loaded: What it may build: their plugins are loaded, and no others.
        checkpoint: Verified folder of the weights that it serves; None for those of the settings.
        threads: Threads for arithmetic; None for the configuration's number.
    """
    settings = project.config.settings
    runtime = Runtime(
        project=project.folder,
        data=project.run_folder / "cache",
        device=settings.runtime.device,
        threads=settings.runtime.threads if threads is None else threads,
        seed=settings.runtime.seed,
        checkpoint=checkpoint,
        offline=True,  # training, judging and playing reach for nothing
        library=Path(settings.agent.library),
    )
    return Workplace(
        path=tuple(entry for entry in sys.path if entry),
        plugins=plugins_of(loaded),
        runtime=runtime_of(runtime),
    )
