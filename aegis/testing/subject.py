"""What is checked: a component with its settings and parts, built as often as a check asks."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aegis.contracts.component import Runtime
from aegis.errors import ModelError
from aegis.host.building import build_all
from aegis.testing.checks import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aegis.contracts.capabilities import Capabilities
    from aegis.host.composition import Chosen
    from aegis.project import Project

Made = TypeVar("Made")

_SEED: Final = 7


class Subject:
    """A component under test.

    Args:
        chosen: The component with its settings and parts.
        folder: An empty folder for whatever the checks write.
        engine: For trainers: the engine that is trained.
        profile: For compositions: the project, composed for the profile.
        project: The project's folder; None for the empty folder.
        library: Folder of notes that tools and environments may read.
        label: What a report calls it; empty for kind and name.
    """

    def __init__(
        self,
        chosen: Chosen,
        folder: Path,
        *,
        engine: Chosen | None = None,
        profile: Project | None = None,
        project: Path | None = None,
        library: Path | None = None,
        label: str = "",
    ) -> None:
        self.chosen = chosen
        self.folder = folder
        self.engine = engine
        self.profile = profile
        self._project = project or folder
        self._library = library
        self._label = label
        self._made: dict[str, Any] = {}

    @property
    def label(self) -> str:
        """Kind and name, as a report shows them."""
        if self._label:
            return self._label
        if self.engine is not None:
            return f"{self.chosen.label} on {self.engine.label}"
        return self.chosen.label

    def runtime(
        self, checkpoint: Path | None = None, *, seed: int = _SEED, offline: bool = True
    ) -> Runtime:
        """Return what the component is built for: the processor, one thread, no network."""
        return Runtime(
            project=self._project,
            data=self.folder / "cache",
            device="cpu",
            threads=1,
            seed=seed,
            checkpoint=checkpoint,
            offline=offline,
            library=self._library,
        )

    def build(self, checkpoint: Path | None = None, *, seed: int = _SEED) -> Any:
        """Build the component, anew each time."""
        return _built(self.chosen, self.runtime(checkpoint, seed=seed))

    def build_engine(self, checkpoint: Path | None = None, *, seed: int = _SEED) -> Any:
        """Build the engine that a trainer trains, anew each time."""
        assert self.engine is not None
        return _built(self.engine, self.runtime(checkpoint, seed=seed))

    def described(self) -> Capabilities | None:
        """Return what the manifest says of the component before it is built."""
        describe = self.chosen.component.describe
        return None if describe is None else describe(self.chosen.config)

    def scratch(self, name: str) -> Path:
        """Make a new, empty folder."""
        folder = self.folder / f"{name}-{secrets.token_hex(4)}"
        folder.mkdir(parents=True)
        return folder

    def once(self, key: str, make: Callable[[], Made]) -> Made:
        """Return what `make` returned when it was first asked for under this key."""
        if key not in self._made:
            self._made[key] = make()
        found: Made = self._made[key]
        return found

    def forget(self) -> None:
        """Let go of everything that was kept."""
        for made in self._made.values():
            close = getattr(made, "close", None)
            if callable(close):
                close()
        self._made.clear()


def only_if(holds: object, reason: str) -> None:
    """Leave a check where a component does not claim what it is about.

    Raises:
        NotApplicable: With the reason.
    """
    if not holds:
        raise NotApplicable(reason)


def _built(chosen: Chosen, runtime: Runtime) -> Any:
    facts = chosen.component.describe and chosen.component.describe(chosen.config)
    only_if(not getattr(facts, "life", False), "only a running agent can build it")
    try:
        return build_all(chosen, runtime)[chosen.path]
    except ModelError as error:
        if any(problem.code == "model-absent" for problem in error.problems):
            raise NotApplicable(f"{error.problems[0].message}: {error.problems[0].fix}") from error
        raise
