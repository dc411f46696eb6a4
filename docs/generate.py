"""Write the generated pages of the documentation, docs/reference/, from the code itself.

    python docs/generate.py

Hooks and public names become directives that mkdocstrings fills from the docstrings; settings come
from the JSON Schema of aegis.toml, commands from click, checks from `aegis.testing`, the drawing of
imports from the source. Nothing in docs/reference/ is written by hand or kept in the repository.
"""
# ruff: noqa: INP001 - a script, no package

from __future__ import annotations

import ast
import importlib
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click
import diagram

import aegis
from aegis import hookspecs
from aegis.cli.invocation import shared_options
from aegis.cli.main import VERBS
from aegis.cli.main import aegis as root_command
from aegis.config.schema import schema
from aegis.host.events import EVENTS
from aegis.host.installed import BUNDLED, installed
from aegis.host.manager import Host
from aegis.host.manifest import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

HERE: Final = Path(__file__).resolve().parent
PACKAGES: Final = ("aegis", "aegis.commands", "aegis.neural", "aegis.testing")
"""Packages with public names; one that is absent is left out."""

_HOOK_GROUPS: Final = (
    ("What a plugin provides", tuple(PROVIDERS.values())),
    ("Commands", ("aegis_commands",)),
    ("Events", EVENTS),
)


class Public(NamedTuple):
    """A public name: what people write, and where it is defined."""

    name: str
    module: str
    attribute: str

    @property
    def path(self) -> str:
        """The path of the definition."""
        return f"{self.module}.{self.attribute}"

    @property
    def is_protocol(self) -> bool:
        """Whether it is a class of methods that others implement."""
        return any(
            isinstance(node, ast.ClassDef)
            and node.name == self.attribute
            and any(ast.unparse(base).startswith("Protocol") for base in node.bases)
            for node in _tree(self.module).body
        )


@cache
def _tree(module: str) -> ast.Module:
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return ast.parse(Path(spec.origin).read_text("utf-8"))


def _is_there(package: str) -> bool:
    spec = find_spec(package)
    return spec is not None and spec.origin is not None


def public_names(package: str) -> list[Public]:
    """Return the names of a package's `__all__` with their definitions; none where it is absent."""
    if not _is_there(package):
        return []
    module = importlib.import_module(package)
    homes: Mapping[str, str] = getattr(module, "_MODULE_OF", {})
    there: Mapping[str, str] = getattr(module, "_NAMED_THERE", {})
    return [
        Public(
            name, f"{package}.{homes[name]}" if name in homes else package, there.get(name, name)
        )
        for name in module.__all__
    ]


def _directive(path: str, heading: str, level: int) -> str:
    return (
        f"::: {path}\n    options:\n      heading: {json.dumps(heading)}\n"
        f"      toc_label: {json.dumps(heading)}\n      heading_level: {level}\n"
    )


def hooks() -> str:
    """Return the page of hooks, in the groups in which a plugin's author looks for them."""
    title, _, rest = (hookspecs.__doc__ or "").partition("\n\n")
    parts = ["# Hooks", f"{title} The version of this interface is {hookspecs.PLUGIN_API}.", rest]
    for group, names in _HOOK_GROUPS:
        parts.append(f"## {group}")
        parts += [_directive(f"aegis.hookspecs.{name}", name, 3) for name in names]
    return _joined(parts)


def protocols() -> str:
    """Return the page of the classes whose methods a plugin implements."""
    parts = [
        "# Protocols",
        "What the host calls. An object fits a protocol by having its methods; no base is needed.",
    ]
    for package in PACKAGES:
        names = [one for one in public_names(package) if one.is_protocol]
        parts += [_directive(one.path, f"{package}.{one.name}", 2) for one in names]
    return _joined(parts)


def api() -> str:
    """Return the page of every other public name."""
    parts = [
        "# Python API",
        (
            "Every public name but the [protocols](protocols.md). A name that is not on these two "
            "pages may change without notice."
        ),
    ]
    for package in PACKAGES:
        names = [one for one in public_names(package) if not one.is_protocol]
        if names:
            parts.append(f"## {package}")
            parts += [_directive(one.path, f"{package}.{one.name}", 3) for one in names]
    return _joined(parts)


@cache
def _host() -> Host:
    """Return the host with every bundled plugin that is installed; no project is needed."""
    there = installed()
    return Host.load([name for name in BUNDLED if name in there], HERE.parent)


def configuration() -> str:
    """Return every key of aegis.toml: those of the host, then those of each component."""
    provided = _host().components()
    whole = schema(one.component for one in provided)
    plugins = {(one.component.kind, one.component.name): one.plugin.name for one in provided}
    parts = [
        "# Configuration",
        (
            "Every key of `aegis.toml`. `aegis config schema` prints the same as a JSON Schema for "
            "the plugins of a project; `aegis config show` prints what is in force and "
            "where it comes from. A key may also be set by a variable, "
            "`AEGIS_AGENT__EPISODE_STEPS=20`, or for one command, `--set agent.episode_steps=20`."
        ),
    ]
    kinds = list(PROVIDERS)
    for section, table in _sections("", whole, leave_out=kinds):
        parts += _section(section, table, 2)
    for kind in kinds:
        parts.append(f"## Components: {kind}s")
        bare = []
        for name, table in whole["properties"][kind]["properties"].items():
            if not table["properties"]:
                bare.append(f"`{name}` ({plugins[kind, name]})")
                continue
            for section, part in _sections(f"{kind}.{name}", table):
                told = f"Plugin `{plugins[kind, name]}`." if part is table else ""
                parts += _section(section, part, 3, told)
        if bare:
            parts.append(f"Without settings: {', '.join(bare)}.")
    return _joined(parts)


def _sections(
    name: str, table: Mapping[str, Any], leave_out: Iterable[str] = ()
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a section and those below it, with their names in the file."""
    yield name, table
    for key, value in table["properties"].items():
        if key in leave_out:
            continue
        below = f"{name}.{key}".lstrip(".")
        if "properties" in value:
            yield from _sections(below, value)
        elif "properties" in (items := value.get("additionalProperties") or {}):
            yield from _sections(
                f"{below}.NAME", {"description": value.get("description"), **items}
            )


def _section(name: str, table: Mapping[str, Any], level: int, told: str = "") -> list[str]:
    parts = [f"{'#' * level} {f'`[{name}]`' if name else 'Top level'}"]
    parts.append(" ".join(text for text in (table.get("description"), told) if text))
    rows = [
        (
            f"`{key}`",
            _type(value),
            _default(key, value, table),
            _limits(value),
            value.get("description", ""),
        )
        for key, value in table["properties"].items()
        if "properties" not in value
        and "properties" not in (value.get("additionalProperties") or {})
    ]
    if rows:
        parts.append(_table(("key", "type", "default", "limits", "what"), rows))
    return parts


def _type(shape: Mapping[str, Any]) -> str:
    if "anyOf" in shape:
        return " or ".join(_type(one) for one in shape["anyOf"])
    if "enum" in shape:
        return "one of " + ", ".join(f"`{value}`" for value in shape["enum"])
    if "prefixItems" in shape:
        return "list: " + ", ".join(_type(one) for one in shape["prefixItems"])
    if shape.get("type") == "array":
        return f"list of {_several(shape['items'])}"
    if shape.get("type") == "object":
        names = shape.get("propertyNames", {}).get("enum", ())
        keys = ", ".join(f"`{name}`" for name in names)
        return f"table of {_several(shape['additionalProperties'])}" + (
            f" by {keys}" if keys else ""
        )
    return str(shape.get("type", "any"))


def _several(shape: Mapping[str, Any]) -> str:
    return f"{shape['type']}s" if isinstance(shape.get("type"), str) else _type(shape)


def _default(key: str, shape: Mapping[str, Any], table: Mapping[str, Any]) -> str:
    if key in table.get("required", ()):
        return "required"
    return f"`{json.dumps(shape['default'])}`" if "default" in shape else ""


def _limits(shape: Mapping[str, Any]) -> str:
    inner = shape.get("items") or shape.get("additionalProperties")
    if isinstance(inner, dict):
        found = _limits(inner)
        return f"each {found}" if found else ""
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most"}
    return ", ".join(f"{word} {shape[key]}" for key, word in words.items() if key in shape)


def commands() -> str:
    """Return every command with its arguments and options."""
    shared = {str(option.name) for option in shared_options(click.Command("any")).params}
    host = _host()
    added = {
        one.command.name: one for one in host.commands(VERBS.keys() - {"model"}) if one.command.name
    }
    every = [parameter for parameter in root_command.params if parameter.name in shared]
    parts = [
        "# Commands",
        "`aegis COMMAND --help` prints the same.",
        "## Options of every command",
        "Each may stand before the command or after it.",
        _options(click.Context(root_command, info_name="aegis"), every),
    ]
    for verb in VERBS:
        if verb not in added:
            module = importlib.import_module(f"aegis.cli.{verb}")
            parts += _command(module.command, f"aegis {verb}", shared, 2)
        else:
            parts += _command(
                added[verb].command, f"aegis {verb}", shared, 2, _by(added[verb].plugin)
            )
    for name, one in added.items():
        if name not in VERBS:
            parts += _command(one.command, f"aegis {name}", shared, 2, _by(one.plugin))
    return _joined(parts)


def _by(plugin: object) -> str:
    return f"Comes with plugin `{getattr(plugin, 'name', plugin)}`."


def _command(
    command: click.Command, path: str, shared: set[str], level: int, told: str = ""
) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    yield f"{'#' * level} {path}"
    yield " ".join(text for text in ((command.help or "").strip(), told) if text)
    own = [one for one in command.params if one.name not in shared]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _command(child, f"{path} {name}", shared, level + 1)
        return
    yield f"```\n{' '.join([path, *command.collect_usage_pieces(context)])}\n```"
    yield _options(context, own)


def _options(context: click.Context, parameters: Iterable[click.Parameter]) -> str:
    records = (one.get_help_record(context) for one in parameters)
    rows = [(f"`{record[0]}`", record[1]) for record in records if record and record[1]]
    return _table(("option", "what"), rows) if rows else ""


def checks() -> str:
    """Return the conformance checks by what they are about; a sentence where there are none."""
    parts = [
        "# Conformance checks",
        "What a component has to keep to. `aegis plugins test NAME` runs them.",
    ]
    if not _is_there("aegis.testing"):
        return _joined([parts[0], "This version has no conformance checks."])
    registry = importlib.import_module("aegis.testing.checks")
    for kind in registry.SUITES:
        rows = [
            (
                f"`{one.name}`",
                one.title,
                ", ".join(f"`{name}`" for name in one.needs),
                str(one.since),
            )
            for one in registry.suite(kind)
        ]
        if rows:
            parts += [f"## {kind}", _table(("check", "law", "needs", "since API"), rows)]
    return _joined(parts)


def imports() -> str:
    """Return the drawing of the imports between the rooms of the host."""
    package = Path(aegis.__file__ or "").parent
    return diagram.draw(diagram.read(package), "Which part of Aegis imports which")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "hooks.md": hooks,
    "protocols.md": protocols,
    "api.md": api,
    "configuration.md": configuration,
    "commands.md": commands,
    "checks.md": checks,
    "imports.svg": imports,
}


def main(folder: Path = HERE / "reference") -> None:
    """Write every page; one that has not changed is left as it is."""
    folder.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        text, file = make(), folder / name
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
