"""The checked configuration of a project: settings, sections of components, profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from attrs import field, frozen

from aegis.config import literal, references
from aegis.config.keys import keys_of
from aegis.config.problem import ConfigProblem, Fault, in_order
from aegis.config.references import Catalogue
from aegis.config.settings import BUILTIN_PROFILES, PluginSettings, ProfileSettings, Settings
from aegis.config.structure import located, structure, to_json
from aegis.config.vocabulary import vocabulary
from aegis.contracts.component import KINDS
from aegis.contracts.names import did_you_mean
from aegis.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aegis.config.source import Source
    from aegis.contracts.component import Component
    from aegis.errors import Problem


class Shown(NamedTuple):
    """One effective value: its section (empty at the top), key, JSON value, and origin."""

    section: str
    key: str
    value: Any
    where: str


class Section(NamedTuple):
    """What the file says of one component: its settings, and the components for its parts."""

    config: Any
    parts: Mapping[str, str]


@frozen
class _NoSettings:
    pass


@frozen
class Config:
    """A configuration in which every key and name has been checked.

    Attributes:
        settings: The host's own sections.
        source: Where each value comes from.
        sections: The sections of components, by kind and name, as far as the file has them.
        components: The components that enabled plugins provide.
    """

    settings: Settings
    source: Source
    sections: Mapping[tuple[str, str], Section] = field(factory=dict)
    components: Mapping[tuple[str, str], Component] = field(factory=dict)

    @property
    def profile_name(self) -> str:
        """The profile in use."""
        return self.settings.profile

    @property
    def profile_names(self) -> list[str]:
        """The profiles that there are: the builtin ones, then the file's."""
        return [*BUILTIN_PROFILES, *self.settings.profiles]

    def profile(self, name: str | None = None) -> ProfileSettings:
        """Return a profile, by default the one in use.

        Raises:
            ConfigError: If there is none of that name.
        """
        name = self.profile_name if name is None else name
        profile = BUILTIN_PROFILES.get(name) or self.settings.profiles.get(name)
        if profile is None:
            known = self.profile_names
            message = f'no profile "{name}"{did_you_mean(name, known)}'
            where = self.source.where("profiles")
            fix = f"one of {', '.join(known)}"
            raise ConfigError(ConfigProblem("unknown-profile", message, where, fix))
        return profile

    def section(self, kind: str, name: str) -> Any:
        """Return the settings of a component: an instance of its class, None if it has none.

        Raises:
            ConfigError: If the component is not there, or the file has no section of it and a key
                of it has no default.
        """
        written = self.sections.get((kind, name))
        if written is not None:
            return written.config
        section, problems = _section(self._component(kind, name), {}, self.source)
        if problems or section is None:
            raise ConfigError(problems)
        return section.config

    def part(self, kind: str, name: str, part: str) -> str | None:
        """Return the component that is set for a part, else the default; None if it has neither.

        The shorthand ``tokenizer`` of a profile is not looked at: it belongs to the profile.
        """
        written = self.sections.get((kind, name))
        if written is not None and part in written.parts:
            return written.parts[part]
        return self._component(kind, name).parts[part].default

    def shown(self) -> list[Shown]:
        """Return every effective value with its origin, for ``aegis config show``."""
        rows = list(self._rows(to_json(self.settings), ()))
        for (kind, name), component in self.components.items():
            if component.config is not None or component.parts:
                rows += self._rows(self._effective(component), (kind, name))
        return sorted(rows, key=lambda row: row.section != "")

    def _effective(self, component: Component) -> dict[str, Any]:
        kind, name = component.kind, component.name
        parts = {part: self.part(kind, name, part) for part in component.parts}
        if component.config is None:
            return parts
        keys = keys_of(component.config)
        if (kind, name) not in self.sections and any(key.required for key in keys):
            return {**{key.name: to_json(key.default()) for key in keys}, **parts}
        return {**to_json(self.section(kind, name)), **parts}

    def _rows(self, table: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[Shown]:
        for key, value in table.items():
            keys = (*above, key)
            if isinstance(value, dict):
                yield from self._rows(value, keys)
            else:
                yield Shown(".".join(above), key, value, self.source.origin(*keys) or "default")

    def _component(self, kind: str, name: str) -> Component:
        component = self.components.get((kind, name))
        if component is None:
            message, fix = references.unknown(kind, name, Catalogue(self.components))
            where = self.source.where(kind, name)
            raise ConfigError(ConfigProblem("unknown-component", message, where, fix))
        return component


def load(source: Source, components: Sequence[Component], *, lenient: bool = False) -> Config:
    """Return the checked configuration.

    Args:
        source: What was read.
        components: Components of all enabled plugins, builtins included.
        lenient: Leave the sections of components that are not there unread, and let profiles name
            them: for a start with some plugins left out.

    Raises:
        ConfigError: With everything that is wrong, in the order of the file.
    """
    by_name: dict[tuple[str, str], Component] = {
        (component.kind, component.name): component for component in components
    }
    source, problems = source.matched(vocabulary(source.raw, components), lenient=lenient)
    settings, wrong = _settings(source)
    problems += wrong
    catalogue = Catalogue(by_name, complete=not lenient and _plugins_are_right(source))
    sections, wrong = _sections(source, catalogue)
    problems += [*wrong, *references.check(source, catalogue)]
    if problems or settings is None:
        raise ConfigError(in_order(problems))
    return Config(settings, source, sections, by_name)


def _settings(source: Source) -> tuple[Settings | None, list[Problem]]:
    raw = {key: value for key, value in source.raw.items() if key not in KINDS}
    return structure(Settings, raw, (), source, others=KINDS)


def _plugins_are_right(source: Source) -> bool:
    """Return whether the allow-list was understood, so that what it leaves out is really absent."""
    if "plugins" not in source.raw:
        return not any(did_you_mean(key, ["plugins"]) for key in source.raw)
    _, wrong = structure(PluginSettings, source.raw["plugins"], ("plugins",))
    return not wrong and all(references.plugin_name(entry) for entry in source.enabled)


def _sections(
    source: Source, catalogue: Catalogue
) -> tuple[dict[tuple[str, str], Section], list[Problem]]:
    sections: dict[tuple[str, str], Section] = {}
    problems: list[Problem] = []
    for kind in KINDS:
        tables = source.raw.get(kind, {})
        if not isinstance(tables, dict):
            problems.append(_no_table((kind,), tables, source))
            continue
        for name, raw in tables.items():
            component = catalogue.get(kind, name)
            if component is not None:
                section, wrong = _section(component, raw, source, catalogue)
                problems += wrong
                if section is not None:
                    sections[kind, name] = section
    return sections, problems


def _section(
    component: Component, raw: Any, source: Source, catalogue: Catalogue | None = None
) -> tuple[Section | None, list[Problem]]:
    """Return the checked section of one component, and what is wrong with it."""
    keys = (component.kind, component.name)
    if not isinstance(raw, dict):
        return None, [_no_table(keys, raw, source)]
    parts = {part: raw[part] for part in component.parts if part in raw}
    rest = {key: value for key, value in raw.items() if key not in parts}
    cls = component.config or _NoSettings
    config, problems = structure(cls, rest, keys, source, component.parts)
    for part, name in parts.items():
        faults = references.part(component, part, name, catalogue)
        problems += [located(fault, (*keys, part), source) for fault in faults]
    if problems:
        return None, problems
    return Section(config if component.config else None, parts), []


def _no_table(keys: tuple[str, ...], raw: Any, source: Source) -> Problem:
    fault = Fault((), "wrong-type", f"expected a table, found {literal.found(raw)}")
    return located(fault, keys, source)
