"""Edits of aegis.toml that leave every other byte, comments included, as it was."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aegis.config.layout import scan
from aegis.config.problem import ConfigProblem
from aegis.config.references import plugin_name
from aegis.config.source import parsed, text_of
from aegis.contracts.names import NAME_RULE
from aegis.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomlkit import TOMLDocument
    from tomlkit.items import Array

_MARK: Final = "\ufeff"


def enable(path: Path, name: str) -> bool:
    """Add a plugin to ``[plugins].enabled``; return whether the file changed.

    An entry of the same plugin with other versions is replaced in its place.

    Args:
        path: The configuration file.
        name: Entry-point name, the same with versions (``hrm>=0.1``), or a path to a .py file.

    Raises:
        InputError: If `name` can name no plugin.
        ConfigError: If the file cannot be read, or ``enabled`` is no array.
    """
    wanted = _checked(name)

    def change(entries: Array) -> bool:
        for index, entry in enumerate(entries):
            if _names(entry, wanted):
                return _set(entries, index, name)
        entries.append(name)
        return True

    return _edit(path, change, create=True)


def disable(path: Path, name: str) -> bool:
    """Take a plugin out of ``[plugins].enabled``; return whether the file changed.

    Args and errors as for `enable`; versions in `name` are ignored.
    """
    wanted = _checked(name)

    def change(entries: Array) -> bool:
        found = [index for index, entry in enumerate(entries) if _names(entry, wanted)]
        for index in reversed(found):
            del entries[index]
        return bool(found)

    return _edit(path, change, create=False)


def _checked(name: str) -> str:
    wanted = plugin_name(name)
    if wanted is None:
        fix = 'write it as "hrm", "hrm>=0.1" or "./mine.py"; see aegis plugins list'
        raise InputError.of("invalid-name", f'"{name}" names no plugin: {NAME_RULE}', fix=fix)
    return wanted


def _set(entries: Array, index: int, name: str) -> bool:
    if entries[index] == name:
        return False
    entries[index] = name
    return True


def _names(entry: object, wanted: str) -> bool:
    return isinstance(entry, str) and plugin_name(entry) == wanted


def _edit(path: Path, change: Callable[[Array], bool], *, create: bool) -> bool:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    path = path.resolve()  # a link goes on pointing to the file
    text = text_of(path, path.name)
    scan(text, path.name)
    parsed(text, path.name)
    try:
        document = tomlkit.parse(text)
        entries = _entries(document, path.name, create=create)
        if entries is None or not change(entries):
            return False
        _replace(path, _verified(document, path.name))
    except TOMLKitError as error:
        raise _unsafe(path.name, str(error)) from error
    except OSError as error:
        message = f"cannot be written: {error.strerror or error}"
        raise ConfigError(ConfigProblem("config-unwritable", message, str(path))) from error
    return True


def _entries(document: TOMLDocument, name: str, *, create: bool) -> Array | None:
    """Return the array ``[plugins].enabled``, made where it is absent and that is wanted."""
    import tomlkit
    from tomlkit.items import Array

    plugins: Any = document.get("plugins")
    if plugins is None:
        if not create:
            return None
        plugins = tomlkit.table()
        _append_table(document, plugins)
    if not hasattr(plugins, "get"):
        raise _wrong_type(name, "plugins", "a table")
    if "enabled" not in plugins and create:
        plugins["enabled"] = tomlkit.array()
    entries = plugins.get("enabled")
    if entries is not None and not isinstance(entries, Array):
        raise _wrong_type(name, "[plugins].enabled", "an array of strings")
    return entries


def _append_table(document: TOMLDocument, table: Any) -> None:
    import tomlkit

    text = document.as_string()
    if text and not text.endswith("\n"):
        document.add(tomlkit.nl())
    if text:
        document.add(tomlkit.nl())
    document.add("plugins", table)


def _wrong_type(name: str, key: str, wanted: str) -> ConfigError:
    fix = 'write enabled = ["gpt2-lora"] under [plugins]'
    return ConfigError(ConfigProblem("wrong-type", f"{key}: expected {wanted}", name, fix))


def _verified(document: TOMLDocument, name: str) -> str:
    """Return the document as text that parses again to what it holds."""
    text = document.as_string()
    if parsed(text, name) != document.unwrap():
        raise _unsafe(name, "the edit would change more than was asked for")
    return text


def _unsafe(name: str, reason: str) -> ConfigError:
    message = f"this file cannot be edited safely: {reason}"
    return ConfigError(ConfigProblem("edit-unsafe", message, name, "change it by hand"))


def _replace(path: Path, text: str) -> None:
    """Put a new text in the place of the file at once, with the old one's mode and mark."""
    with path.open("rb") as old:
        marked = old.read(3) == _MARK.encode()
    data = (_MARK if marked else "").encode() + text.encode()
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(path.stat().st_mode & 0o7777)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
