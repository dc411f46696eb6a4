"""What others rely on is this: names, signatures, fields, hooks, keys, commands.

A change shows as a difference of tests/public_api.txt, which is made anew with
``AEGIS_SNAPSHOT=1 python -m pytest tests/test_public_api.py``; docs/stability.md says what may
change when, and the changelog says what did.
"""

from __future__ import annotations

import importlib
import inspect
import os
from pathlib import Path

import attrs

from aegis import hookspecs

FILE = Path(__file__).with_name("public_api.txt")
PACKAGES = ("aegis", "aegis.commands", "aegis.neural", "aegis.testing")


def described():
    for package in PACKAGES:
        module = importlib.import_module(package)
        yield f"# {package}"
        for name in module.__all__:
            yield from lines_of(name, getattr(module, name))
    yield "# hooks"
    for name, hook in sorted(vars(hookspecs).items()):
        if name.startswith("aegis_"):
            yield f"{name}{signature(hook)}"
    yield "# aegis.toml"
    yield from sorted(keys())
    yield "# commands"
    yield from commands()


def lines_of(name, value):
    if inspect.isclass(value) and attrs.has(value):
        yield f"{name}: class"
        for field in attrs.fields(value):
            required = "" if field.default is attrs.NOTHING else " (optional)"
            yield f"    {field.alias}{required}"
        yield from methods(value)
    elif inspect.isclass(value) and issubclass(value, Exception):
        yield f"{name}: exception of {value.__mro__[1].__name__}, exit {value.exit_code}"
    elif inspect.isclass(value):
        yield f"{name}: class"
        yield from (f"    {key}" for key in getattr(value, "_fields", ()))
        annotated = [key for key in getattr(value, "__annotations__", {}) if key[0] != "_"]
        yield from (f"    {key}" for key in annotated if key not in getattr(value, "_fields", ()))
        yield from methods(value)
    elif inspect.isfunction(value):
        yield f"{name}{signature(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def methods(value):
    for key, member in sorted(vars(value).items()):
        if key.startswith("_"):
            continue
        function = getattr(member, "__func__", member)
        if inspect.isfunction(function):
            yield f"    {key}{signature(function)}"
        elif isinstance(member, property):
            yield f"    {key}: property"


def signature(function):
    """The names, kinds and defaults of arguments; annotations may become more exact."""
    found = inspect.signature(function)
    plain = [
        one.replace(
            annotation=inspect.Parameter.empty,
            default=inspect.Parameter.empty if one.default is inspect.Parameter.empty else ...,
        )
        for one in found.parameters.values()
    ]
    return str(inspect.Signature(plain)).replace("Ellipsis", "...")


def keys():
    """The host's own keys; those of components are their plugins' to promise."""
    from aegis.config.schema import schema as schema_of
    from aegis.contracts.component import KINDS

    def below(schema, place):
        for name, inner in schema.get("properties", {}).items():
            path = f"{place}{name}"
            if inner.get("properties"):
                yield from below(inner, f"{path}.")
            elif path not in KINDS:
                yield path

    yield from below(schema_of(), "")


def commands():
    import click

    from aegis.cli.main import VERBS

    def of(command, words):
        options = sorted(
            option
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for option in parameter.opts
            if option.startswith("--") and option not in SHARED
        )
        yield " ".join([*words, *options])
        for name, child in sorted(getattr(command, "commands", {}).items()):
            yield from of(child, [*words, name])

    for verb in VERBS:
        yield from of(importlib.import_module(f"aegis.cli.{verb}").command, ["aegis", verb])


SHARED = {"--config", "--set", "--seed", "--json", "--quiet", "--verbose"}


def test_what_others_rely_on_is_what_was_promised():
    text = "\n".join(described()) + "\n"
    if os.environ.get("AEGIS_SNAPSHOT"):
        FILE.write_text(text)

    assert text == FILE.read_text(), __doc__
