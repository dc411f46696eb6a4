"""A project as loaded from its folder: configuration, plugins, and a composition to check.

Nothing heavy is imported here; `aegis check` is this and the contract check.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from aegis.checkpoints import serving
from aegis.checkpoints.folder import Checkpoints
from aegis.config.config import Config
from aegis.config.config import load as load_config
from aegis.config.source import Source, read
from aegis.contracts.check import Report, check
from aegis.contracts.component import Runtime
from aegis.contracts.facts import Stored
from aegis.errors import AegisError, ContractError, ModelError, Problem
from aegis.hookspecs import PLUGIN_API
from aegis.host.composition import Composition, compose
from aegis.host.manager import Host
from aegis.store.promotions import current, earlier

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN: Final = Path("data", "run")
"""Where a project keeps its state, below its folder."""


@frozen
class Project:
    """What one aegis.toml describes."""

    source: Source
    host: Host
    config: Config
    composition: Composition

    @property
    def folder(self) -> Path:
        """The project's folder."""
        return self.source.project

    @property
    def run_folder(self) -> Path:
        """Folder of the ledger, the lock, caches and checkpoints."""
        return self.folder / RUN

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints of the run's folder."""
        return Checkpoints(self.run_folder)

    def runtime(
        self,
        checkpoint: Path | None = None,
        *,
        seed: int | None = None,
        threads: int | None = None,
        offline: bool | None = None,
    ) -> Runtime:
        """Return what components of this project are built for.

        Args:
            checkpoint: Verified folder of the weights to serve; None for those of the settings.
            seed: Seed of the run; None for the configuration's.
            threads: Threads for arithmetic; None for the configuration's number.
            offline: Whether nothing may touch the network; None for what the configuration says.
        """
        settings = self.config.settings
        runtime = settings.runtime
        return Runtime(
            project=self.folder,
            data=self.run_folder / "cache",
            device=runtime.device,
            threads=runtime.threads if threads is None else threads,
            seed=runtime.seed if seed is None else seed,
            checkpoint=checkpoint,
            offline=runtime.offline if offline is None else offline,
            library=Path(settings.agent.library),
        )

    def serving(self) -> Stored | None:
        """Return what is known of the checkpoint that decides; None for configured weights.

        Its weights are not read. Where its manifest or another small file is damaged, that is
        among its problems, and its fix names what a rollback goes back to.

        Raises:
            StoreError: ``ledger-damaged`` if the record of promotions is not what was written.
        """
        history, profile = serving.history(self.run_folder), self.composition.profile
        checkpoint = current(history, profile)
        if checkpoint is None:
            return None
        back = next((one for one in earlier(history, profile) if self._is_whole(one)), None)
        return self.stored(checkpoint, fix=way_back(back))

    def stored(
        self, checkpoint: str, fix: str = "aegis checkpoints list shows the others"
    ) -> Stored:
        """Return what is known of a checkpoint from its manifest and its other small files.

        Args:
            checkpoint: Its identifier.
            fix: What to do where it does not belong to the composition.
        """
        try:
            manifest = self.checkpoints.described(checkpoint)
        except ModelError as error:
            problems = tuple(problem._replace(fix=fix) for problem in error.problems)
            return Stored(checkpoint, PLUGIN_API, problems=problems, fix=fix)
        return Stored(checkpoint, PLUGIN_API, manifest, fix=fix)

    def _is_whole(self, checkpoint: str | None) -> bool:
        if checkpoint is None:
            return True
        return not self.stored(checkpoint).problems

    def check(self, *, fresh: bool = False) -> Report:
        """Return what the contract check finds.

        Args:
            fresh: Whether a new run is about to begin, in which the configured weights decide.
        """
        return check(self.composition, None if fresh else self.serving())

    def plugin_problems(self) -> list[Problem]:
        """Return what went wrong with enabled plugins."""
        return [
            problem
            for plugin in self.host.plugins
            if isinstance(plugin.error, AegisError)
            for problem in plugin.error.problems
        ]

    def refuse_if_broken(self, *, fresh: bool = False) -> None:
        """Raise `ContractError` with everything that the contract check finds; as `check`."""
        report = self.check(fresh=fresh)
        if report.problems:
            raise ContractError(report.problems)


def load(
    file: Path,
    *,
    sets: Sequence[str] = (),
    profile: str | None = None,
    tolerant: bool = False,
    safe: bool = False,
) -> Project:
    """Load a project.

    Args:
        file: Its aegis.toml.
        sets: Overrides, ``key=value``.
        profile: Profile to compose instead of the file's.
        tolerant: Keep plugins that fail to load as problems instead of raising.
        safe: Load builtin plugins only.

    Raises:
        ConfigError: If the configuration is wrong; all errors at once.
        PluginError: If an enabled plugin cannot be loaded.
    """
    source = read(file, sets=sets)
    host = Host.load(() if safe else source.enabled, source.project, tolerant=tolerant)
    broken = safe or any(plugin.error is not None for plugin in host.plugins)
    components = [provided.component for provided in host.components()]
    config = load_config(source, components, lenient=broken)
    return Project(source, host, config, compose(host, config, profile))


def way_back(checkpoint: str | None) -> str:
    """Return the command that takes a promotion back, and what decides after it."""
    goes_to = "the configured weights" if checkpoint is None else f"checkpoint {checkpoint}"
    return f"aegis checkpoints rollback (goes back to {goes_to}, the last good one)"


def run_folder(file: Path) -> Path:
    """Return the run's folder of the project that a configuration file stands for."""
    return file.resolve().parent / RUN
