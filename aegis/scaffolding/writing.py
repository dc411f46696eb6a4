"""A new plugin as a folder of files, made from templates."""

from __future__ import annotations

import importlib.util
import re
import sys
from importlib.resources import files
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

import aegis
from aegis.contracts.component import KINDS
from aegis.contracts.names import NAME_RULE, did_you_mean, is_name
from aegis.errors import InputError
from aegis.host.installed import BUNDLED, installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from aegis.contracts.component import Kind

_MARK: Final = re.compile(r"\{\{(\w+)\}\}")
_INDEX: Final = """
    env:  # a variable of the repository: the index of CPU wheels that PyTorch names for pip
      PIP_EXTRA_INDEX_URL: ${{ vars.TORCH_INDEX }}"""
_ATTRS: Final = "attrs>=24.2"


class _About(NamedTuple):
    """What a plugin of a kind is, and what it requires beside the host.

    Attributes:
        summary: One sentence.
        extra: The host's extra that it needs, or empty.
        requires: Other requirements.
    """

    summary: str
    extra: str = ""
    requires: tuple[str, ...] = (_ATTRS,)


_ABOUT: Final[Mapping[Kind, _About]] = {
    "trainer": _About(
        "Trains engines of torch by advantage-weighted regression.",
        "[neural]",
        (_ATTRS, "torch>=2.10"),
    ),
    "engine": _About(
        "Prefers candidates that share words with the goal.", requires=(_ATTRS, "numpy>=2.1")
    ),
    "tokenizer": _About("The bytes of a text as ids, behind a few that are reserved."),
    "tool": _About("Looks a term up in a file of definitions."),
    "environment": _About("Guess a number."),
}


def write_plugin(kind: str, name: str, parent: Path) -> list[Path]:
    """Write a new plugin into a new folder of its name.

    Args:
        kind: What it provides: ``trainer``, ``engine``, ``tokenizer``, ``tool``, ``environment``.
        name: Name of distribution, plugin and component.
        parent: Where the folder is made.

    Returns:
        The files, relative to `parent`.

    Raises:
        InputError: ``plugin-kind``, ``plugin-name`` or ``plugin-taken`` for words that cannot be
            used; ``exists`` if there is something of that name already.
    """
    words = _words(_kind(kind), _name(name))
    folder = parent / name
    if folder.exists() or folder.is_symlink():
        raise InputError.of(
            "exists",
            f"{folder} is there already; nothing is overwritten",
            fix="choose another name, or another folder with -C",
        )
    texts = {place: _filled(text, words) for place, text in _files(_kind(kind), words)}
    for place, text in texts.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return [folder.relative_to(parent) / place for place in texts]


def _files(kind: Kind, words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the place of each file in the folder, and its template."""
    package = words["package"]
    source = f"src/{package}"
    yield "pyproject.toml", _template("shared/pyproject.toml")
    yield "README.md", _template("shared/README.md")
    yield ".gitignore", _template("shared/gitignore")
    yield ".github/workflows/ci.yml", _template("shared/ci.yml")
    yield f"{source}/__init__.py", _template("shared/__init__.py")
    yield f"{source}/py.typed", ""
    yield f"{source}/plugin.py", _template("shared/plugin.py")
    yield f"{source}/{kind}.py", _template(f"{kind}/{kind}.py")
    if kind == "tool":
        yield f"{source}/definitions.txt", _template("tool/definitions")
    yield "tests/test_conformance.py", _template("shared/test_conformance.py")
    yield f"tests/test_{package}.py", _template(f"{kind}/test.py")


def _words(kind: Kind, name: str) -> dict[str, str]:
    about = _ABOUT[kind]
    requires = [f"aegis-agents{about.extra}{_host_range()}", *about.requires]
    words = {
        "kind": kind,
        "name": name,
        "package": name.replace("-", "_"),
        "class": "".join(part.capitalize() for part in re.split(r"[-_]", name)),
        "summary": about.summary,
        "dependencies": ", ".join(f'"{one}"' for one in requires),
        "index": _INDEX if kind == "trainer" else "",
    }
    for part in ("manifest", "example", "keys"):
        words[part] = _filled(_template(f"{kind}/{part}"), words).rstrip()
    if words["manifest"].startswith("@"):
        words["manifest"] = f"\n{words['manifest']}"  # two empty lines before a class
    return words


def _host_range() -> str:
    """Return the range of hosts that a plugin made by this one fits: its own minor version."""
    major, minor = aegis.__version__.split(".")[:2]
    return f">={major}.{minor},<{major}.{int(minor) + 1}"


def _filled(template: str, words: Mapping[str, str]) -> str:
    return _MARK.sub(lambda mark: words.get(mark[1], mark[0]), template)


def _template(name: str) -> str:
    return (files("aegis.scaffolding") / "templates" / f"{name}.txt").read_text("utf-8")


def _kind(kind: str) -> Kind:
    if kind not in KINDS:
        raise InputError.of(
            "plugin-kind",
            f'"{kind}" is no kind of plugin{did_you_mean(kind, KINDS)}',
            fix=f"one of {', '.join(KINDS)}",
        )
    return kind


def _name(name: str) -> str:
    package = name.replace("-", "_")
    if not is_name(name) or not package.isidentifier():
        raise InputError.of(
            "plugin-name",
            f'"{name}" cannot be the name of a plugin',
            fix=f"{NAME_RULE}; for a package it begins with a letter",
        )
    owner = _owner(name, package)
    if owner:
        raise InputError.of(
            "plugin-taken",
            f'"{name}" is the name of {owner} already',
            fix=f'choose another one, such as "my-{name}"',
        )
    return name


def _owner(name: str, package: str) -> str:
    """Return what has a name already, in words; nothing where it is free."""
    if name in installed():
        return "a plugin that is installed"
    if name in {*BUNDLED, *chain.from_iterable(BUNDLED.values())}:
        return "a plugin of Aegis"
    if package in sys.stdlib_module_names:
        return "a module of Python"
    return "a package that is installed" if importlib.util.find_spec(package) else ""
