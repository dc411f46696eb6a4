"""A temporary project: a folder with an aegis.toml, a small library, and the plugin under test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aegis.agent.assembly import Agent
    from aegis.contracts.roles import ExperienceDataset
    from aegis.project import Project
    from aegis.testing.report import Report

NOTES: Final = {
    "low-rank-adaptation.md": (
        "# Low-rank adaptation\n\nLow-rank adaptation freezes the weights of a model and trains "
        "two thin matrices beside each of them. The rank of their product is small.\n"
        "See [Adapter layers](adapter-layers.md).\n"
    ),
    "adapter-layers.md": (
        "# Adapter layers\n\nAdapter layers stand between the layers of a model that is frozen. "
        "They are small, and a task has its own. Compare [Prefix tuning](prefix-tuning.md).\n"
    ),
    "prefix-tuning.md": (
        "# Prefix tuning\n\nPrefix tuning trains vectors that stand before the input. "
        "Nothing else of the model changes.\n"
    ),
    "hierarchical-reasoning.md": (
        "# Hierarchical reasoning\n\nHierarchical reasoning plans slowly and works fast: a slow "
        "module sets what a fast one works on for a while.\n"
    ),
}
"""The library of a toy project: notes of a few sentences that refer to each other."""


@frozen
class ToyProject:
    """A project in a folder of its own, offline, on the processor.

    Attributes:
        folder: Its folder.
    """

    folder: Path

    @classmethod
    def make(
        cls,
        folder: Path,
        settings: str = "",
        plugins: Sequence[str] = (),
        library: Path | None = None,
    ) -> ToyProject:
        """Write a project.

        Args:
            folder: Where; it is made.
            settings: TOML text behind the project's own: profiles and sections.
            plugins: What is enabled: names of installed plugins, absolute paths of files.
            library: A folder of notes; None for four of its own.
        """
        folder.mkdir(parents=True)
        if library is None:
            library = folder / "library"
            library.mkdir()
            for name, text in NOTES.items():
                (library / name).write_text(text, "utf-8")
        interests = json.dumps(["low-rank adaptation", "hierarchical reasoning"])
        top = [
            'profile = "rules"',
            f"[agent]\ninterests = {interests}\nlibrary = {json.dumps(str(library))}",
            f"[plugins]\nenabled = {json.dumps(list(plugins))}",
            '[runtime]\noffline = true\ndevice = "cpu"\nthreads = 1',
        ]
        (folder / "aegis.toml").write_text("\n".join([*top, settings, ""]), "utf-8")
        return cls(folder)

    def load(self, profile: str | None = None, sets: Sequence[str] = ()) -> Project:
        """Return the project, with every plugin imported.

        Raises:
            AegisError: If its configuration or a plugin is not in order.
        """
        from aegis.project import load

        return load(self.folder / "aegis.toml", profile=profile, sets=sets)

    def open(
        self, profile: str | None = None, sets: Sequence[str] = (), clock: Any = None
    ) -> Agent:
        """Return the project's agent, a context manager (as `aegis.open`).

        Args:
            profile: What decides instead of the file's profile.
            sets: Overrides, ``key=value``.
            clock: The time, such as a `ManualClock`; None for the machine's.
        """
        from aegis.agent.assembly import assemble

        return assemble(self.load(profile, sets), clock=clock)

    def build(
        self, kind: str, name: str, checkpoint: Path | None = None, sets: Sequence[str] = ()
    ) -> Any:
        """Return a component of the project, built with its settings and parts.

        Args:
            kind: ``engine``, ``tokenizer``, ``trainer``, ``tool`` or ``environment``.
            name: Its name.
            checkpoint: Folder of weights to serve.
            sets: Overrides, ``key=value``.
        """
        from aegis.host.building import build
        from aegis.testing.selecting import chosen_for

        project = self.load(sets=sets)
        chosen = chosen_for(project, project.host.provided(kind, name))  # type: ignore[arg-type]  # refused by the host with the names that there are
        return build(chosen, project.runtime(checkpoint))

    def train(
        self,
        trainer: str,
        engine: Any,
        data: ExperienceDataset | None = None,
        sets: Sequence[str] = (),
    ) -> Any:
        """Train an engine with a trainer of the project, and return its result.

        Args:
            trainer: Name of the trainer.
            engine: A built engine that it accepts.
            data: Steps to train on; None for `toy_experience`.
            sets: Overrides, ``key=value``.
        """
        import time

        from aegis.contracts.roles import TrainingContext
        from aegis.testing.toys import toy_experience

        number = len(list(self.folder.glob("trained-*")))
        place = self.folder / f"trained-{number}"
        (place / "result").mkdir(parents=True)
        (place / "state").mkdir()
        context = TrainingContext(
            seed=0,
            directory=place / "result",
            state=place / "state",
            resume_from=None,
            deadline=time.monotonic() + 3600,
            should_stop=lambda: False,
            report=lambda _: None,
            validation=toy_experience(16, first=10_000),
        )
        steps = toy_experience() if data is None else data
        return self.build("trainer", trainer, sets=sets).train(engine, steps, context)

    def check(self, plugin: str, **how: Any) -> Report:
        """Run the conformance checks of a plugin; arguments as `aegis.testing.check_plugin`."""
        from aegis.testing.running import check_plugin

        return check_plugin(self.load(), plugin, **how)
