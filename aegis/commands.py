"""What commands of plugins work with (the hook ``aegis_commands``).

A command is one of click's. It gets the project, its options and how to answer from `invocation`,
as the host's own verbs do:

    @click.command(help="Count the steps.")
    def count() -> None:
        call = commands.invocation()
        steps = sum(1 for _ in commands.recorded(call.project()))
        call.answer({"steps": steps}, lambda: click.echo(f"{steps} steps"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aegis.cli.invocation import Invocation, invocation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from aegis.contracts.action import Action
    from aegis.contracts.experience import Experience
    from aegis.contracts.roles import Engine, ExperienceDataset
    from aegis.contracts.view import View
    from aegis.project import Project

__all__ = [
    "Choice",
    "Invocation",
    "Note",
    "Project",
    "Selection",
    "invocation",
    "notes",
    "practice",
    "recorded",
    "recorded_in",
    "sample_library",
    "selected",
    "serving_engine",
]


def __getattr__(name: str) -> Any:
    if name == "Project":
        from aegis.project import Project

        return Project
    raise AttributeError(f"module 'aegis.commands' has no attribute {name!r}")


class Choice(NamedTuple):
    """A view and the candidates that it was shown with."""

    view: View
    candidates: Sequence[Action]


class Note(NamedTuple):
    """A document of a library."""

    title: str
    text: str


class Selection(NamedTuple):
    """Recorded steps as trainings get them: what is trained on, and what is held out."""

    train: ExperienceDataset
    held_out: ExperienceDataset


def recorded(project: Project, data: Path | None = None) -> Iterator[Experience]:
    """Yield recorded steps, in order, of the ledger or of a file.

    Args:
        project: The project.
        data: A file of experience; None for the ledger, which a running agent may go on writing.

    Raises:
        InputError: ``no-run`` if there is no ledger, or what is wrong with the file.
    """
    from aegis.learning.preparing import experience

    return experience(project, data)


def recorded_in(file: Path) -> Iterator[Experience]:
    """Yield the steps of a file of experience, without a project.

    Raises:
        InputError: If it is none, or damaged.
    """
    from aegis.config.settings import RewardSettings
    from aegis.learning.experience_file import from_file

    return from_file(file, RewardSettings())


def selected(project: Project, data: Path | None = None) -> Selection:
    """Return the recorded steps that a training would get, split by episode.

    Args:
        project: The project, whose ``[learning]`` decides.
        data: A file of experience; None for the ledger.

    Raises:
        InputError: As `recorded`, or if the data set is degenerate.
    """
    from aegis.learning.selecting import select

    steps = recorded(project, data)
    found = select(steps, project.config.settings.learning, needs_candidates=True)
    return Selection(found.train, found.validation)


def serving_engine(project: Project) -> Engine:
    """Build the engine of a project's profile with the weights that decide, offline.

    The caller closes it.

    Raises:
        ContractError: If the composition cannot work.
        AegisError: If a weight file is damaged, or the build fails.
    """
    from aegis.host.building import build_engine

    project.refuse_if_broken()
    stored = project.serving()
    folder = None if stored is None else project.checkpoints.verified(stored.checkpoint)
    return build_engine(project.composition, project.runtime(folder, offline=True), stored)


def sample_library() -> Path:
    """Return the folder of the sample library that ships with Aegis."""
    from aegis.resources import library

    return library()


def notes(library: Path) -> list[Note]:
    """Return the documents of a library but for those that are topics of tests.

    Raises:
        InputError: If it has none, or some cannot be read.
    """
    from aegis.evaluation.gym.practising import untested

    return [Note(found.title, found.text) for found in untested(library).documents]


def practice(library: Path, seeds: range) -> Iterator[Choice]:
    """Yield the choices of practice episodes of ``research-gym`` over a library.

    Every second episode is played by ``rules``, the others at random. Topics that are tested on
    are no part of it.

    Args:
        library: A folder of notes.
        seeds: Seeds of the episodes.

    Raises:
        InputError: If the library has no topic to practise, or cannot be read.
    """
    from aegis.evaluation.gym.practising import choices

    for view, candidates in choices(library, seeds):
        yield Choice(view, candidates)
