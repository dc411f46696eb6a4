"""The host: loads the plugins that the configuration allows, and knows what they provide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aegis.contracts.names import did_you_mean
from aegis.errors import AegisError, PluginError, Problem
from aegis.host import loading
from aegis.host.attribution import attributed
from aegis.host.builtins import BUILTINS
from aegis.host.events import Events, alone, listens
from aegis.host.installed import BUNDLED, installed
from aegis.host.manifest import PROVIDERS, collision, manifests, twice
from aegis.host.plugin import TOOL_MARK, PluginInfo, Provided
from aegis.host.registration import plugin_manager, register
from aegis.host.request import allowed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import click
    import pluggy

    from aegis.contracts.component import Component, Kind
    from aegis.host.installed import Installed
    from aegis.host.listing import PluginRow
    from aegis.host.loading import Loadable


class ProvidedCommand(NamedTuple):
    """A command, and the plugin that provides it."""

    command: click.Command
    plugin: PluginInfo


class Host:
    """The enabled plugins and what they provide, in order: builtins, then the allow-list.

    Make one with `Host.load`.

    Attributes:
        project: Folder that local plugins are relative to.
        plugins: Enabled plugins, in order; those that failed too where loading was tolerant.
        events: Tells the plugins what happens.
    """

    def __init__(
        self,
        project: Path,
        manager: pluggy.PluginManager,
        plugins: Sequence[PluginInfo],
        loaded: Sequence[_Loaded],
    ) -> None:
        self.project = project
        self.plugins = tuple(plugins)
        self.events = Events(manager, [(one.info, one.plugin) for one in loaded])
        self._manager = manager
        self._loaded = tuple(loaded)
        self._provided = {
            (component.kind, component.name): Provided(component, one.info)
            for one in loaded
            for component in one.info.components
        }

    @classmethod
    def load(
        cls,
        enabled: Sequence[str],
        project: Path,
        *,
        tolerant: bool = False,
        builtins: Sequence[str] = BUILTINS,
    ) -> Host:
        """Import the plugins of the allow-list, and no others.

        Args:
            enabled: Entry-point names, names with versions (``hrm>=0.1``) and paths of files.
            project: Folder that paths are relative to.
            tolerant: Whether a plugin that fails is kept with its error in `plugins`, instead of
                raising.
            builtins: Modules of the plugins that ship with the host.

        Raises:
            PluginError: With the problems of every plugin that fails.
        """
        return _Loader(project, tolerant=tolerant).load(enabled, builtins)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is odd about plugins and does not keep them from working."""
        return tuple(problem for plugin in self.plugins for problem in plugin.warnings)

    @property
    def imported_only(self) -> tuple[PluginInfo, ...]:
        """Return the plugins without a hook or a component: they are there for what they import."""
        return tuple(
            one.info
            for one in self._loaded
            if not one.info.components and not self._manager.get_hookcallers(one.plugin)
        )

    def components(self, kind: Kind | None = None) -> tuple[Provided, ...]:
        """Return what the plugins provide, in their order."""
        return tuple(
            provided
            for provided in self._provided.values()
            if kind is None or provided.component.kind == kind
        )

    def provided(self, kind: Kind, name: str, *, where: str = "") -> Provided:
        """Return one component and its plugin.

        Raises:
            PluginError: If no enabled plugin provides it; `where` says who asked for it.
        """
        found = self._provided.get((kind, name))
        if found is None:
            raise PluginError(self._unprovided(kind, name, where))
        return found

    def component(self, kind: Kind, name: str) -> Component:
        """Return one component.

        Raises:
            PluginError: If no enabled plugin provides it.
        """
        return self.provided(kind, name).component

    def commands(self, reserved: Iterable[str] = ()) -> tuple[ProvidedCommand, ...]:
        """Return the commands that plugins add to ``aegis``.

        Args:
            reserved: Names of the command line's own commands.

        Raises:
            PluginError: If a plugin raises, returns something else than commands, or takes a
                name that is taken.
        """
        taken: dict[str, str] = dict.fromkeys(reserved, "aegis itself")
        commands: list[ProvidedCommand] = []
        problems: list[Problem] = []
        for one in self._loaded:
            for command in self.commands_of(one.info):
                name = str(command.name)
                if name in taken:
                    problems.append(_command_collision(name, taken[name], one.info))
                    continue
                taken[name] = str(one.info)
                commands.append(ProvidedCommand(command, one.info))
        if problems:
            raise PluginError(problems)
        return tuple(commands)

    def commands_of(self, plugin: PluginInfo) -> tuple[click.Command, ...]:
        """Return the commands of one plugin.

        Raises:
            PluginError: If it raises, or returns something else than commands.
        """
        found = [one for one in self._loaded if one.info == plugin]
        return tuple(command for one in found for command in _commands(self._manager, one))

    def plugin_rows(self) -> list[PluginRow]:
        """Return every plugin, enabled or only installed, for ``aegis plugins list``."""
        from aegis.host.listing import plugin_rows

        return plugin_rows(self)

    def _unprovided(self, kind: Kind, name: str, where: str) -> Problem:
        names = [provided.component.name for provided in self.components(kind)]
        return Problem(
            "component-unknown",
            f'no enabled plugin provides {kind} "{name}"{did_you_mean(name, names)}',
            where=where,
            fix=self._who_might(name) or _available(kind, names),
        )

    def _who_might(self, name: str) -> str:
        enabled = {plugin.name for plugin in self.plugins}
        failed = [plugin.name for plugin in self.plugins if plugin.error is not None]
        if failed:
            return f"see why a plugin failed: aegis plugins list ({', '.join(failed)})"
        for plugin, names in BUNDLED.items():
            if plugin not in enabled and name in (plugin, *names):
                there = plugin in installed()
                first = "" if there else f"install the distribution aegis-{plugin}, then "
                return f"{first}aegis plugins enable {plugin}"
        if name not in enabled and name in installed():
            return f"aegis plugins enable {name}"
        return ""


class _Loaded(NamedTuple):
    info: PluginInfo
    plugin: Any


class _Loader:
    """One loading: what was found, what failed."""

    def __init__(self, project: Path, *, tolerant: bool) -> None:
        self._project = project
        self._tolerant = tolerant
        self._manager = plugin_manager()
        self._plugins: list[PluginInfo] = []
        self._loaded: list[_Loaded] = []
        self._taken: dict[tuple[str, str], Provided] = {}
        self._errors: list[AegisError] = []

    def load(self, enabled: Sequence[str], builtins: Sequence[str]) -> Host:
        requests, problems = allowed(enabled, self._project)
        for module in builtins:
            self._admit(loading.builtin(module))
        for text, problem in problems:
            self._refuse(PluginInfo(text, "not installed", ""), PluginError(problem))
        # The scan costs tens of milliseconds: only where a name has to be looked up.
        named = any(request.path is None for request in requests)
        known: dict[str, tuple[Installed, ...]] = installed() if named else {}
        for request in requests:
            try:
                loadable = loading.requested(request, known)
            except PluginError as error:
                offers = known.get(request.name, ())
                self._refuse(loading.refused(request.name, error, offers), error)
                continue
            self._admit(loadable)
        if self._errors and not self._tolerant:
            raise _together(self._errors)
        return Host(self._project, self._manager, self._plugins, self._loaded)

    def _admit(self, loadable: Loadable) -> None:
        info = loadable.info
        try:
            plugin = loadable.module()
            info = info.warned(register(self._manager, plugin, info))
        except AegisError as error:
            self._refuse(info, error)
            return
        try:
            info = info.providing(self._collect(plugin, info))
        except AegisError as error:
            self._manager.unregister(plugin)
            self._refuse(info, error)
            return
        self._taken |= {
            (component.kind, component.name): Provided(component, info)
            for component in info.components
        }
        self._plugins.append(info)
        self._loaded.append(_Loaded(info, plugin))

    def _refuse(self, info: PluginInfo, error: AegisError) -> None:
        known = error if isinstance(error, PluginError) else PluginError(error.problems)
        self._errors.append(error)
        self._plugins.append(info.failed(known))

    def _collect(self, plugin: Any, info: PluginInfo) -> tuple[Component, ...]:
        found: list[Component] = []
        for kind in PROVIDERS:
            found += self._provided_by(plugin, info, kind)
        found += _functions(plugin)
        clashes = [*twice(found, info)]
        clashes += [
            collision(Provided(component, info), self._taken[component.kind, component.name])
            for component in found
            if (component.kind, component.name) in self._taken
        ]
        if clashes:
            raise PluginError(clashes)
        return tuple(found)

    def _provided_by(self, plugin: Any, info: PluginInfo, kind: Kind) -> tuple[Component, ...]:
        hook = PROVIDERS[kind]
        if not listens(self._manager, hook, plugin):
            return ()
        with attributed(info, hook):
            results = alone(self._manager, hook, plugin)()
            if not results:  # pluggy leaves out what a hook returned where that is None
                results = [None]
            return tuple(one for result in results for one in manifests(result, kind, info))


def _functions(plugin: Any) -> tuple[Component, ...]:
    """Return the tools among a plugin's functions; without any, nothing is imported for them."""
    names = vars(plugin) if hasattr(plugin, "__dict__") else {}
    if not any(hasattr(value, TOOL_MARK) for value in names.values()):
        return ()
    from aegis.host.functions import components

    return components(plugin)


def _commands(manager: pluggy.PluginManager, one: _Loaded) -> list[click.Command]:
    import click

    if not listens(manager, "aegis_commands", one.plugin):
        return []
    with attributed(one.info, "aegis_commands"):
        results = alone(manager, "aegis_commands", one.plugin)()
        commands = [command for result in results for command in result]
        for command in commands:
            if not isinstance(command, click.Command) or not command.name:
                raise TypeError(f"{command!r} is not a click command with a name")
    return commands


def _command_collision(name: str, first: str, second: PluginInfo) -> Problem:
    return Problem(
        "plugin-collision",
        f'command "{name}" is provided by {first} and by {second}',
        where="[plugins].enabled",
        fix=f"aegis plugins disable {second.name}",
    )


def _available(kind: Kind, names: Sequence[str]) -> str:
    if not names:
        return f"enable a plugin that provides a {kind}: aegis plugins list"
    return f"available: {', '.join(names)}"


def _together(errors: Sequence[AegisError]) -> PluginError:
    """Return one error with all problems, chained to what the first one came from."""
    if len(errors) == 1 and isinstance(errors[0], PluginError):
        return errors[0]
    error = PluginError(problem for one in errors for problem in one.problems)
    error.__cause__ = errors[0].__cause__ or errors[0]
    return error
