"""Checks of compositions: a profile of the project, from its check to a few steps of its own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import evolve

from aegis.testing.checks import Broken, check

if TYPE_CHECKING:
    from aegis.contracts.experience import Experience
    from aegis.project import Project
    from aegis.testing.subject import Subject

_STEPS: Final = 4


def _project(subject: Subject) -> Project:
    assert subject.profile is not None
    return subject.profile


@check("composition-checked")
def passes_the_check(subject: Subject) -> None:
    """The contract check has nothing against it."""
    report = _project(subject).check(fresh=True)
    if report.problems:
        first = report.problems[0]
        raise Broken(
            f"{first.code}: {first.message}",
            cause="the parts do not fit each other",
            fix=first.fix or "aegis check shows all of it",
        )


@check("composition-runs", needs=["composition-checked"])
def runs(subject: Subject) -> None:
    """An agent of this profile decides, offline, in a new folder, and goes on after a stop."""
    project = _project(subject)
    moved = _moved(project, subject.scratch("project"))
    first, second = _run(moved, _STEPS), _run(moved, _STEPS)
    if len(first) != _STEPS or len(second) != _STEPS:
        raise Broken(
            f"it took {len(first)} and then {len(second)} of {_STEPS} steps",
            cause="no tool offers anything offline, or the environment ends without a new goal",
            fix=f"aegis --set runtime.offline=true run --profile "
            f"{project.composition.profile} --fresh --steps {_STEPS}",
        )
    if second[0].step != first[-1].step + 1:
        raise Broken(
            f"after step {first[-1].step} it went on with step {second[0].step}",
            cause="the environment cannot be brought back to where it was",
            fix="see environment-seeded",
        )


def _run(project: Project, steps: int) -> list[Experience]:
    from aegis.agent.assembly import assemble

    with assemble(project) as agent:
        return list(agent.run(steps))


def _moved(project: Project, folder: Path) -> Project:
    """Return the project as one of another folder, offline, with its local plugins beside it."""
    for entry in project.source.enabled:
        local = project.folder / entry
        if entry.endswith(".py") and not Path(entry).is_absolute() and local.is_file():
            (folder / entry).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(local, folder / entry)
    settings = project.config.settings
    runtime = evolve(settings.runtime, offline=True, device="cpu", threads=1)
    agent = evolve(settings.agent, practice_when_idle=True)
    config = evolve(project.config, settings=evolve(settings, runtime=runtime, agent=agent))
    composition = evolve(project.composition, config=config)
    return evolve(
        project,
        source=evolve(project.source, project=folder),
        config=config,
        composition=composition,
    )
