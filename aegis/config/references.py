"""Names in the configuration that must name something: profiles, components, plugins, tools."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aegis.config import literal
from aegis.config.problem import ConfigProblem, Fault
from aegis.config.settings import BUILTIN_PROFILES
from aegis.config.structure import located, section_path
from aegis.contracts.component import KINDS
from aegis.contracts.names import NAME_RULE, did_you_mean, is_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from aegis.config.source import Source
    from aegis.contracts.component import Component, Kind

RESEARCH: Final = "research"
"""The agent's own life: the environment that needs no component."""

_VERSIONS: Final = r" *(?:===|[<>=!~]=|[<>]) *[^ ,<>=!~]+"
_ENTRY: Final = re.compile(rf"(?P<name>[^ <>=!~]+)(?:{_VERSIONS}(?: *,{_VERSIONS})*)?")
_PHASES: Final = ("imitate", "reinforce")


class Catalogue(NamedTuple):
    """The components that enabled plugins provide, by kind and name.

    Attributes:
        components: Every component.
        complete: Whether these are all that the file may name; where plugins are left out or the
            list of plugins is itself wrong, a name that is not among them proves nothing.
    """

    components: Mapping[tuple[str, str], Component]
    complete: bool = True

    def get(self, kind: str, name: str) -> Component | None:
        """Return a component, or None where no enabled plugin provides it."""
        return self.components.get((kind, name))

    def names(self, kind: str) -> list[str]:
        """Return the names of one kind; ``research`` is always among the environments."""
        own = [RESEARCH] if kind == "environment" else []
        return own + [name for known, name in self.components if known == kind]

    def absent(self, kind: str, name: object) -> bool:
        """Return whether a name is a string that names no component though it should."""
        return self.complete and isinstance(name, str) and name not in self.names(kind)


def check(source: Source, catalogue: Catalogue) -> list[ConfigProblem]:
    """Return every name in the raw configuration that names nothing, or may name nothing."""
    faults = [
        *_sections(source.raw, catalogue),
        *_profiles(source.raw, catalogue),
        *_active(source.raw),
        *_tools(source.raw, catalogue),
        *_plugins(source.raw),
    ]
    return [located(fault, (), source) for fault in faults]


def unknown(kind: Kind | str, name: str, catalogue: Catalogue) -> tuple[str, str]:
    """Return message and fix for a name that no enabled plugin provides."""
    near = did_you_mean(name, catalogue.names(kind))
    message = f'no enabled plugin provides the {kind} "{name}"{near}'
    if near:
        return message, ""
    return message, "see what there is: aegis plugins list; then: aegis plugins enable PLUGIN"


def part(
    component: Component, name: str, value: Any, catalogue: Catalogue | None
) -> Iterator[Fault]:
    """Yield what is wrong with the value of a part, as seen from that key."""
    kind = component.parts[name].kind
    if not isinstance(value, str):
        message = f"expected a string, the name of the {kind}; found {literal.found(value)}"
        yield Fault((), "wrong-type", message)
    elif catalogue is not None:
        yield from _named(kind, value, (), catalogue)


def profile_names(raw: Mapping[str, Any]) -> list[str]:
    """Return the profiles that exist, builtin ones first."""
    return [*BUILTIN_PROFILES, *(n for n in _table(raw, "profiles") if n not in BUILTIN_PROFILES)]


def _table(raw: Any, *keys: str) -> Mapping[str, Any]:
    for key in keys:
        raw = raw.get(key) if isinstance(raw, dict) else None
    return raw if isinstance(raw, dict) else {}


def _sections(raw: Mapping[str, Any], catalogue: Catalogue) -> Iterator[Fault]:
    for kind in KINDS:
        for name in _table(raw, kind):
            if not is_name(name):
                yield _bad_name((kind, name))
            elif catalogue.absent(kind, name):
                message, fix = unknown(kind, name, catalogue)
                yield Fault((kind, name), "unknown-component", message, fix)


def _profiles(raw: Mapping[str, Any], catalogue: Catalogue) -> Iterator[Fault]:
    for name, profile in _table(raw, "profiles").items():
        path = ("profiles", name)
        if name in BUILTIN_PROFILES:
            message = f'the profile "{name}" is builtin and cannot be redefined'
            yield Fault(
                path, "builtin-profile", message, f"rename the section {section_path(path)}"
            )
        elif not is_name(name):
            yield _bad_name(path)
        for fault in _profile(profile, raw, catalogue):
            yield fault._replace(path=(*path, *fault.path))


def _profile(profile: Any, raw: Mapping[str, Any], catalogue: Catalogue) -> Iterator[Fault]:
    chosen = _table({"profile": profile}, "profile")
    for kind in ("engine", "tokenizer", "environment"):
        yield from _named(kind, chosen.get(kind), (kind,), catalogue)
    for phase in _PHASES:
        trainer = _table(chosen, "phases").get(phase)
        yield from _named("trainer", trainer, ("phases", phase), catalogue)
    yield from _shorthand(chosen, raw, catalogue)


def _named(kind: str, name: Any, path: tuple[str, ...], catalogue: Catalogue) -> Iterator[Fault]:
    if catalogue.absent(kind, name):
        yield Fault(path, "unknown-component", *unknown(kind, name, catalogue))


def _shorthand(
    profile: Mapping[str, Any], raw: Mapping[str, Any], catalogue: Catalogue
) -> Iterator[Fault]:
    """Check ``tokenizer`` of a profile, which stands for ``[engine.X].tokenizer``."""
    engine, tokenizer = profile.get("engine"), profile.get("tokenizer")
    if not (isinstance(engine, str) and isinstance(tokenizer, str)):
        return
    component = catalogue.get("engine", engine)
    if component is not None and "tokenizer" not in component.parts:
        parts = ", ".join(component.parts) or "none"
        message = f'the engine "{engine}" has no part "tokenizer" (its parts: {parts})'
        yield Fault(("tokenizer",), "no-such-part", message, "remove this key")
    own = _table(raw, "engine", engine).get("tokenizer")
    if isinstance(own, str) and own != tokenizer:
        message = f'"{tokenizer}" here, but [engine.{engine}].tokenizer is "{own}"'
        yield Fault(("tokenizer",), "part-set-twice", message, "remove one of the two")


def _active(raw: Mapping[str, Any]) -> Iterator[Fault]:
    name, known = raw.get("profile"), profile_names(raw)
    if isinstance(name, str) and name not in known:
        message = f'no profile "{name}"{did_you_mean(name, known)}'
        yield Fault(("profile",), "unknown-profile", message, f"one of {', '.join(known)}")


def _tools(raw: Mapping[str, Any], catalogue: Catalogue) -> Iterator[Fault]:
    tools = _table(raw, "agent").get("tools")
    for index, name in enumerate(tools if isinstance(tools, list) else ()):
        yield from (
            fault._replace(path=("agent", "tools", index))
            for fault in _named("tool", name, (), catalogue)
        )


def _plugins(raw: Mapping[str, Any]) -> Iterator[Fault]:
    entries = _table(raw, "plugins").get("enabled")
    seen: set[str] = set()
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        path = ("plugins", "enabled", index)
        if not isinstance(entry, str):
            continue
        name = plugin_name(entry)
        if name is None:
            message = (
                f'"{entry}" is no plugin: a name, a name with versions, or a path to a .py file'
            )
            yield Fault(
                path, "invalid-name", message, 'write it as "hrm", "hrm>=0.1" or "./mine.py"'
            )
        elif name in seen:
            yield Fault(path, "listed-twice", f'the plugin "{name}" is listed twice', "remove one")
        seen.add(name or "")


def plugin_name(entry: str) -> str | None:
    """Return the name in an entry of ``[plugins].enabled`` (a path is its own), or None."""
    if entry.endswith(".py"):
        return entry if entry.isprintable() else None
    match = _ENTRY.fullmatch(entry)
    return match["name"] if match and is_name(match["name"]) else None


def _bad_name(path: Iterable[str]) -> Fault:
    *_, name = path = tuple(path)
    return Fault(path, "invalid-name", f'"{name}" is no name: {NAME_RULE}')
