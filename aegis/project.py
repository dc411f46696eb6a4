"""A project as loaded from its folder: configuration, plugins, and a composition to check.

Nothing heavy is imported here; `aegis check` is this and the contract check.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from aegis.config.config import Config
from aegis.config.config import load as load_config
from aegis.config.source import Source, read
from aegis.contracts.check import Report, check
from aegis.errors import AegisError, ContractError, Problem
from aegis.host.composition import Composition, compose
from aegis.host.manager import Host

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

    def check(self) -> Report:
        """Return what the contract check finds."""
        return check(self.composition)

    def plugin_problems(self) -> list[Problem]:
        """Return what went wrong with enabled plugins."""
        return [
            problem
            for plugin in self.host.plugins
            if isinstance(plugin.error, AegisError)
            for problem in plugin.error.problems
        ]

    def refuse_if_broken(self) -> None:
        """Raise `ContractError` with everything that the contract check finds."""
        report = self.check()
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


def run_folder(file: Path) -> Path:
    """Return the run's folder of the project that a configuration file stands for."""
    return file.resolve().parent / RUN
