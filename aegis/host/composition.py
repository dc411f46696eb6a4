"""A composition: what a profile is made of, where each choice was made, and how it is built."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from attrs import field, frozen

from aegis.config.keys import keys_of
from aegis.config.structure import to_json
from aegis.contracts.text import one_line
from aegis.errors import AegisError, ContractError, PluginError, Problem
from aegis.host.attribution import attributed, failure
from aegis.host.role import verify_capabilities

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aegis.config.config import Config
    from aegis.config.settings import ProfileSettings
    from aegis.contracts.capabilities import Capabilities
    from aegis.contracts.component import Component, Kind
    from aegis.host.manager import Host
    from aegis.host.plugin import PluginInfo, Provided

PHASES: Final = ("imitate", "reinforce")

_VALUE: Final = 200
"""Characters of a setting's value, as versions show it."""


@frozen
class Chosen:
    """One component of a composition.

    Attributes:
        path: Its place: ``engine``, ``engine.tokenizer``, ``tool.read``, ``trainer.imitate``.
        provided: The manifest and its plugin.
        config: Its settings, an instance of the manifest's class, or None where it has none.
        where: The choices that led to it, and the line of the last one.
        parts: What it is made of; a part that it brings itself is not among them.
    """

    path: str
    provided: Provided
    config: Any
    where: str
    parts: Mapping[str, Chosen] = field(factory=dict)

    @property
    def component(self) -> Component:
        """Its manifest."""
        return self.provided.component

    @property
    def plugin(self) -> PluginInfo:
        """The plugin that provides it."""
        return self.provided.plugin

    @property
    def label(self) -> str:
        """Kind and name, as messages call it."""
        return f'{self.component.kind} "{self.component.name}"'

    @property
    def task(self) -> str:
        """Of an environment: the name of the task that it is with its settings.

        Experience and results bear it: ``babyai:GoToLocal:marked``.
        """
        settings = (str(getattr(self.config, key)) for key in self.component.task)
        return ":".join([self.component.name, *settings])

    def rules(self, version: str) -> str:
        """Return an environment's version with those of its settings that change its rules.

        The settings that are not as by default, but for the task's, the split and places of files:
        ``1`` or ``1+failures=0.0+steps=10``. Experience and results under others are others.
        """
        config = self.component.config
        keys = [] if config is None else keys_of(config)
        known = {*self.component.task, "split"}
        changed = [
            f"{key.name}={_plain(value)}"
            for key in keys
            if key.name not in known
            and not key.limits.get("path")
            and (value := getattr(self.config, key.name)) != key.default()
        ]
        return "+".join([version, *changed])

    def own_problems(self, parts: Mapping[str, Capabilities]) -> tuple[Problem, ...]:
        """Return what the component's own rules find, given its parts' capabilities.

        What the rules raise becomes a problem that names the plugin.
        """
        if self.component.check is None:
            return ()
        try:
            with attributed(self.plugin, f"check of {self.label}"):
                found = tuple(self.component.check(self.config, parts))
                if not all(isinstance(problem, Problem) for problem in found):
                    raise TypeError(f"{found!r} holds something that is no aegis.Problem")
        except AegisError as error:
            found = error.problems
        return tuple(p if p.where else p._replace(where=self.where) for p in found)

    def walk(self) -> Iterator[Chosen]:
        """Return its parts, deepest first, then itself."""
        for part in self.parts.values():
            yield from part.walk()
        yield self


def _plain(value: Any) -> str:
    """Return a setting's value on one line, the same wherever its parts are in the same state."""
    text = value if isinstance(value, str) else json.dumps(to_json(value), sort_keys=True)
    return one_line(text, _VALUE)


class Described(NamedTuple):
    """What the components of a composition say of themselves.

    Attributes:
        capabilities: By the component's path; one that has nothing to say is not among them.
        problems: What ``describe`` raised.
        failed: Paths of the components whose ``describe`` raised.
    """

    capabilities: Mapping[str, Capabilities]
    problems: tuple[Problem, ...]
    failed: frozenset[str]


@frozen
class Composition:
    """A profile, resolved: nothing of it is built yet.

    Attributes:
        profile: Name of the profile.
        engine: The engine that decides, with its parts.
        environment: Where candidates come from.
        tools: The tools that are on, in the plugins' order.
        trainers: Trainers by phase (``imitate``, ``reinforce``).
        config: The whole configuration.
        host: The plugins.
    """

    profile: str
    engine: Chosen
    environment: Chosen
    tools: tuple[Chosen, ...]
    trainers: Mapping[str, Chosen]
    config: Config = field(repr=False)
    host: Host = field(repr=False)

    def roots(self) -> tuple[Chosen, ...]:
        """Return what was chosen for itself, not as a part."""
        return (self.engine, self.environment, *self.tools, *self.trainers.values())

    def walk(self) -> Iterator[Chosen]:
        """Return every component, parts before what they are part of."""
        for root in self.roots():
            yield from root.walk()

    def describe_all(self) -> Described:
        """Ask every component what it is, from its files' headers; nothing is built."""
        capabilities: dict[str, Capabilities] = {}
        problems: list[Problem] = []
        failed: set[str] = set()
        for chosen in self.walk():
            try:
                facts = _describe(chosen.provided, chosen.config)
            except AegisError as error:
                failed.add(chosen.path)
                problems += [
                    p if p.where else p._replace(where=chosen.where) for p in error.problems
                ]
                continue
            if facts is not None:
                capabilities[chosen.path] = facts
        return Described(capabilities, tuple(problems), frozenset(failed))

    def available(self, kind: Kind) -> Iterator[tuple[str, Capabilities]]:
        """Return what could be chosen instead: names and capabilities, each as configured.

        One that cannot be described is left out: these are suggestions.
        """
        for provided in self.host.components(kind):
            try:
                facts = _describe(provided, _section(self.config, provided.component))
            except AegisError:
                continue
            if facts is not None:
                yield provided.component.name, facts


def compose(host: Host, config: Config, profile: str | None = None) -> Composition:
    """Resolve a profile to components.

    Args:
        host: The enabled plugins.
        config: The configuration, with a section for each of their components.
        profile: Name of the profile; None for the configuration's own.

    Raises:
        ConfigError: If there is no such profile.
        ContractError: With every name that no enabled plugin provides, and every part that
            cannot be chosen as it is.
    """
    return _Resolver(host, config, profile).composition()


class _Choice(NamedTuple):
    """What was chosen, in words, and the keys where that is said."""

    text: str
    keys: tuple[str, ...]


class _Resolver:
    def __init__(self, host: Host, config: Config, profile: str | None) -> None:
        self._host = host
        self._config = config
        self._name = config.profile_name if profile is None else profile
        self._profile: ProfileSettings = config.profile(self._name)
        self._problems: list[Problem] = []

    def composition(self) -> Composition:
        engine = self._root("engine", self._profile.engine, "engine", "engine")
        environment = self._root(
            "environment", self._profile.environment, "environment", "environment"
        )
        trainers = dict(self._trainers())
        tools = tuple(self._tools())
        if self._problems or engine is None or environment is None:
            raise ContractError(dict.fromkeys([*self._failures(), *self._problems]))
        return Composition(
            self._name, engine, environment, tools, trainers, self._config, self._host
        )

    def _failures(self) -> Iterator[Problem]:
        """Return why plugins failed: what nobody provides may have been theirs."""
        for plugin in self._host.plugins:
            if plugin.error is not None:
                yield from plugin.error.problems

    def _root(self, kind: Kind, name: str, path: str, key: str) -> Chosen | None:
        said = f'profile "{self._name}": {key} = "{name}"'
        choice = _Choice(said, ("profiles", self._name, *key.split(".")))
        return self._choose(kind, name, path, choice)

    def _trainers(self) -> Iterator[tuple[str, Chosen]]:
        for phase in PHASES:
            name = getattr(self._profile.phases, phase)
            if name is None:
                continue
            chosen = self._root("trainer", name, f"trainer.{phase}", f"phases.{phase}")
            if chosen is not None:
                yield phase, chosen

    def _tools(self) -> Iterator[Chosen]:
        wanted = self._config.settings.agent.tools
        names = [provided.component.name for provided in self._host.components("tool")]
        for name in names if wanted is None else dict.fromkeys(wanted):
            choice = _Choice(f'[agent].tools holds "{name}"', ("agent", "tools"))
            if wanted is None:
                choice = _Choice(f'tool "{name}"', ())
            chosen = self._choose("tool", name, f"tool.{name}", choice)
            if chosen is not None:
                yield chosen

    def _choose(
        self,
        kind: Kind,
        name: str,
        path: str,
        choice: _Choice,
        *,
        above: tuple[tuple[str, str], ...] = (),
    ) -> Chosen | None:
        where = self._where(choice)
        if (kind, name) in above:
            self._problems.append(_cycle(kind, name, where))
            return None
        try:
            provided = self._host.provided(kind, name, where=where)
        except PluginError as error:
            self._problems += error.problems
            return None
        parts = dict(self._parts(provided.component, path, choice, (*above, (kind, name))))
        return Chosen(path, provided, _section(self._config, provided.component), where, parts)

    def _parts(
        self,
        component: Component,
        path: str,
        choice: _Choice,
        above: tuple[tuple[str, str], ...],
    ) -> Iterator[tuple[str, Chosen]]:
        for name, part in component.parts.items():
            chosen, keys = self._part(component, name, path, choice.keys)
            if chosen is None:
                continue
            next_choice = _Choice(f'{choice.text}, {name} = "{chosen}"', keys)
            below = self._choose(part.kind, chosen, f"{path}.{name}", next_choice, above=above)
            if below is not None:
                yield name, below

    def _part(
        self, component: Component, name: str, path: str, keys: tuple[str, ...]
    ) -> tuple[str | None, tuple[str, ...]]:
        """Return which component serves as a part, and the keys where that is said."""
        shorthand = self._profile.tokenizer
        if path == "engine" and name == "tokenizer" and shorthand is not None:
            return shorthand, ("profiles", self._name, "tokenizer")
        own = (component.kind, component.name, name)
        written = self._config.source.origin(*own) is not None
        return self._config.part(*own), own if written else keys

    def _where(self, choice: _Choice) -> str:
        place = self._config.source.where(*choice.keys) if choice.keys else ""
        return f"{choice.text}   ({place})" if place else choice.text


def _section(config: Config, component: Component) -> Any:
    if component.config is None:
        return None
    return config.section(component.kind, component.name)


def _describe(provided: Provided, config: Any) -> Capabilities | None:
    """Return what a component says of itself.

    Raises:
        AegisError: What ``describe`` raised on purpose, as it is; else a `PluginError`.
    """
    component = provided.component
    if component.describe is None:
        return None
    try:
        facts = component.describe(config)
    except (AegisError, KeyboardInterrupt):
        raise
    except BaseException as error:
        hook = f'describe of {component.kind} "{component.name}"'
        raise PluginError(failure(provided.plugin, hook, error)) from error
    verify_capabilities(facts, provided)
    return facts


def _cycle(kind: str, name: str, where: str) -> Problem:
    return Problem(
        "part-cycle", f'{kind} "{name}" is a part of itself', where=where, fix="choose another part"
    )
