"""Where configuration comes from: the file, the environment, and flags, with every origin known.

Precedence: file < ``AEGIS_<SECTION>__<KEY>`` < ``--set section.key=value``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import tomli
from attrs import evolve, field, frozen

from aegis.config import literal
from aegis.config.layout import EMPTY, MAX_BYTES, MAX_KEY_PARTS, Keys, Layout, excess, scan
from aegis.config.problem import ConfigProblem
from aegis.config.vocabulary import JOINT, PREFIX, Tree, matches, variables, vocabulary
from aegis.contracts.component import KINDS
from aegis.contracts.names import did_you_mean
from aegis.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE: Final = "aegis.toml"
_PROFILE: Final = f"{PREFIX}PROFILE"


class Assignment(NamedTuple):
    """A value that a variable or a flag gives to a key, and how that origin is named."""

    keys: Keys
    value: Any
    origin: str


@frozen
class Source:
    """The configuration as it was written, before any key of it is checked.

    Attributes:
        path: The file, or None where there is none and the defaults hold.
        project: The project's folder, absolute; paths are relative to it.
        name: What messages call the file.
        file: The file's own tables.
        layout: The lines of the file's keys.
        sets: What ``--set`` says, in the order of the command line.
        environ: The variables that are about configuration.
        found: What those variables say whose key is known by now.
    """

    path: Path | None
    project: Path
    name: str = "defaults"
    file: Mapping[str, Any] = field(factory=dict)
    layout: Layout = EMPTY
    sets: tuple[Assignment, ...] = ()
    environ: Mapping[str, str] = field(factory=dict)
    found: tuple[Assignment, ...] = ()
    raw: dict[str, Any] = field(init=False)
    """The file's tables with what variables and flags change."""

    @raw.default
    def _merged(self) -> dict[str, Any]:
        raw: dict[str, Any] = _copied(self.file)
        for assignment in self.assignments:
            _assign(raw, assignment)
        return raw

    @property
    def assignments(self) -> tuple[Assignment, ...]:
        """What is set beside the file; the last one wins."""
        return (*self.found, *self.sets)

    @property
    def enabled(self) -> tuple[str, ...]:
        """What ``[plugins].enabled`` names, before it is checked.

        Plugins are loaded before the file can be checked, because their sections are theirs to
        describe; what is no string is left out here and refused by `aegis.config.config.load`.
        """
        plugins = self.raw.get("plugins")
        enabled = plugins.get("enabled") if isinstance(plugins, dict) else None
        entries = enabled if isinstance(enabled, list) else []
        return tuple(entry for entry in entries if isinstance(entry, str))

    def is_table(self, path: tuple[str | int, ...]) -> bool:
        """Return whether a table stands at `path`."""
        return bool(path) and _is_table(self.raw, path)

    def origin(self, *keys: str) -> str | None:
        """Return where a value was given, such as ``aegis.toml:14``, or None where it was not."""
        for assignment in self.assignments[::-1]:
            if assignment.keys == keys[: len(assignment.keys)]:
                return assignment.origin
        inside = [a.origin for a in self.assignments if a.keys[: len(keys)] == keys]
        if inside and not _is_table(self.file, keys):
            return inside[-1]
        line = self.layout.line(keys)
        return None if line is None else f"{self.name}:{line}"

    def where(self, *keys: str) -> str:
        """Return where a value was given; for one that is missing, where its section stands."""
        for length in range(len(keys), 0, -1):
            origin = self.origin(*keys[:length])
            if origin is not None:
                return origin
        return self.name

    def matched(self, tree: Tree, *, lenient: bool = False) -> tuple[Source, list[Problem]]:
        """Return this source with every variable matched to a key of `tree`.

        Args:
            tree: All keys that there are.
            lenient: Let variables pass that are for components which are not there.
        """
        found: list[Assignment] = []
        problems: list[Problem] = []
        for name, text in self.environ.items():
            known: list[Keys] = [("profile",)] if name == _PROFILE else list(matches(tree, name))
            if len(known) == 1:
                found.append(Assignment(known[0], literal.parse(text), name))
            elif known or not (lenient and _for_component(name)):
                problems.append(_unmatched(name, known, tree))
        return evolve(self, found=tuple(found)), problems


def read(
    path: Path | None,
    sets: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    project: Path | None = None,
) -> Source:
    """Return the configuration of a project, unchecked but for its syntax and size.

    Args:
        path: The file; None for the defaults.
        sets: Values of ``--set``, each ``section.key=value``.
        environ: Environment variables; None for those of this process.
        project: The project's folder; by default the file's, or the current one.

    Raises:
        ConfigError: If the file is absent, too large, no UTF-8 or no TOML, or a flag is malformed.
    """
    problems: list[Problem] = []
    flags: list[Assignment] = []
    for text in sets:
        try:
            flags.append(_flag(text))
        except ConfigError as error:
            problems += error.problems
    folder = (project or (path.parent if path else Path())).absolute()
    source = Source(None, folder)
    try:
        source = source if path is None else _read_file(path, folder)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    source = evolve(source, sets=tuple(flags), environ=_relevant(environ))
    early, _ = source.matched(vocabulary(source.raw))
    return early


def text_of(path: Path, name: str) -> str:
    """Return the text of a configuration file, without a byte order mark.

    Raises:
        ConfigError: If it is absent, too large, or no UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        fix = f"aegis init {path.parent}"
        raise _error("config-absent", "no such file", str(path), fix) from None
    except OSError as error:
        raise _error("config-unreadable", error.strerror or str(error), str(path)) from error
    if len(data) > MAX_BYTES:
        raise excess(name, f"larger than {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8: byte 0x{data[error.start]:02x}"
        where = f"{name}:{line}"
        raise _error("config-encoding", message, where, "save the file as UTF-8") from error


def _read_file(path: Path, project: Path) -> Source:
    name = _shown(path, project)
    text = text_of(path, name)
    layout = scan(text, name)
    return Source(path, project, name, parsed(text, name), layout)


def parsed(text: str, name: str) -> dict[str, Any]:
    """Return the tables of a TOML text that `scan` has let pass.

    Raises:
        ConfigError: If it is no TOML, with line and column.
    """
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise _error("toml-syntax", error.msg, f"{name}:{error.lineno}:{error.colno}") from error
    except ValueError as error:  # an integer of thousands of digits
        raise _error("toml-syntax", str(error), name) from error


def _shown(path: Path, project: Path) -> str:
    whole = path.absolute()
    return str(whole.relative_to(project)) if whole.is_relative_to(project) else str(path)


def _error(code: str, message: str, where: str, fix: str = "") -> ConfigError:
    return ConfigError(ConfigProblem(code, message, where, fix))


def _flag(text: str) -> Assignment:
    name, equals, value = text.partition("=")
    name = name.strip()
    origin = f"--set {name}"
    keys = tuple(name.split("."))
    if not equals or not all(keys):
        fix = "write --set section.key=value, such as --set agent.exploration.epsilon=0.1"
        raise _error("bad-override", f"{text!r} is no section.key=value", "--set", fix)
    if len(keys) > MAX_KEY_PARTS:
        raise excess(origin[:60], f"a key of more than {MAX_KEY_PARTS} parts")
    return Assignment(keys, literal.parse(value.strip()), origin)


def _relevant(environ: Mapping[str, str] | None) -> dict[str, str]:
    given = os.environ if environ is None else environ
    return {
        name: text
        for name, text in given.items()
        if name == _PROFILE or (name.startswith(PREFIX) and JOINT in name)
    }


def _for_component(name: str) -> bool:
    return name.removeprefix(PREFIX).lower().split(JOINT)[0] in KINDS


def _unmatched(name: str, known: list[Keys], tree: Tree) -> ConfigProblem:
    if known:
        listed = " and ".join(".".join(keys) for keys in known)
        fix = "set it with --set, where the exact name is written"
        return ConfigProblem("ambiguous-variable", f"may mean {listed}", name, fix)
    near = did_you_mean(name, variables(tree))
    fix = f"unset {name}, or see the keys that there are: aegis config schema"
    return ConfigProblem("unknown-variable", f"no such setting{near}", name, fix)


def _is_table(value: Any, path: tuple[str | int, ...]) -> bool:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return isinstance(value, dict)


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copied(item) for name, item in value.items()}
    return value


def _assign(raw: dict[str, Any], assignment: Assignment) -> None:
    """Set one value, replacing what is no table on the way: the check then tells its type."""
    *above, last = assignment.keys
    for name in above:
        inner = raw.get(name)
        if not isinstance(inner, dict):
            inner = raw[name] = {}
        raw = inner
    raw[last] = assignment.value
