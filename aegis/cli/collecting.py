"""What ``aegis data collect`` does: who plays, the play, and where the experience goes."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aegis.cli.contesting import cores, how_to_go_on
from aegis.cli.display import progress
from aegis.cli.interruption import interruptible
from aegis.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis.cli.invocation import Invocation
    from aegis.evaluation.contender import Contender
    from aegis.evaluation.task import Task
    from aegis.learning.collecting import Collection
    from aegis.project import Project


def teacher_of(
    call: Invocation, project: Project, task: Task, teacher: str, profile: str | None
) -> Contender:
    """Return who plays: a profile, or a teacher, who is an expert before he is a profile.

    Raises:
        InputError: ``teacher-unknown``, with the teachers that there are.
    """
    from aegis.evaluation.baselines import single_experts
    from aegis.evaluation.contender import expert, profiled

    if profile is not None:
        composed = call.project(profile.partition("@")[0])
        return profiled(composed, task, profile, "sampled")[0]
    experts = single_experts(project, task)
    if teacher in experts:
        return expert(project, task, teacher)
    profiles = project.config.profile_names
    if teacher.partition("@")[0] in profiles:
        composed = call.project(teacher.partition("@")[0])
        return profiled(composed, task, teacher, "sampled")[0]
    raise _unknown(task, teacher, experts, profiles)


def collected(
    call: Invocation,
    project: Project,
    task: Task,
    who: Contender,
    seeds: Sequence[int],
    *,
    origin: Literal["teacher", "practice"],
    jobs: int | None,
    out: Path | None,
    fresh: bool,
) -> dict[str, Any]:
    """Play, record, and return what ``--json`` prints.

    Raises:
        KeyboardInterrupt: If a person stopped it; what was played is kept.
        AegisError: What went wrong.
    """
    from aegis.learning.collecting import Collection, Exploring
    from aegis.store.lock import RunLock

    if out is None:  # nobody waits for what cannot be recorded at the end
        RunLock(project.run_folder).acquire().release()
    settings = project.config.settings.agent.exploration
    exploring = Exploring(settings.share(who.checkpoint), settings.temperature)
    collection = Collection(
        project.run_folder,
        project.folder,
        task,
        who,
        seeds,
        origin=origin,
        jobs=jobs or cores(),
        exploring=exploring if origin == "practice" else Exploring(),
        fresh=fresh,
    )
    said = "stopping; what was played is kept"
    with collection, progress(call, "collecting") as report, interruptible(collection, said):
        complete = collection.run(report)
    if not complete:
        print(how_to_go_on(fresh=fresh), file=sys.stderr)
        raise KeyboardInterrupt
    steps, known, where = _put(project, collection, out)
    return {
        "task": task.name,
        "who": who.name,
        "origin": origin,
        "episodes": len(collection.seeds),
        "completed": len(collection.completed & {*collection.seeds}),
        "examples": steps,
        "known": known,
        "path": where,
    }


def _put(project: Project, collection: Collection, out: Path | None) -> tuple[int, int, str]:
    """Write what was collected to a file or the ledger: steps, known ones among them, where."""
    from aegis.learning.exchange import import_file
    from aegis.store.owning import owning

    if out is not None:
        try:
            return collection.write(out), 0, str(out)
        except OSError as error:
            raise InputError.of(
                "unwritable",
                f"the experience cannot be written: {error.strerror}",
                where=str(out),
                fix="choose a file in a folder that exists and may be written",
            ) from error
    with owning(project.run_folder) as ledger, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "collected.jsonl"
        steps = collection.write(file)
        report = import_file(ledger, file)
    return steps, report.duplicates, str(project.run_folder / "ledger.sqlite")


def sentence(found: dict[str, Any]) -> str:
    """Return what a person reads at the end."""
    known = f", {found['known']} of them known already" if found["known"] else ""
    missed = found["episodes"] - found["completed"]
    short = f", {missed} of which did not reach the goal" if missed else ""
    return (
        f"{found['examples']} decisions of {found['who']} in {found['episodes']} episodes of "
        f"{found['task']}{short}{known}: {found['path']}"
    )


def _unknown(
    task: Task, teacher: str, experts: Sequence[str], profiles: Sequence[str]
) -> InputError:
    from aegis.contracts.names import did_you_mean

    known = [*experts, *profiles]
    own = f"experts of {task.environment.component.name}: {', '.join(experts) or 'none'}"
    return InputError.of(
        "teacher-unknown",
        f"there is no teacher {teacher!r}{did_you_mean(teacher, known)}",
        where="--teacher",
        fix=f"name one of the {own}; or a profile: {', '.join(profiles)}",
    )
