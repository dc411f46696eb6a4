"""Loading: from a name on the allow-list to a module, and nothing that is not on it."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from attrs import frozen

import aegis
from aegis.contracts.names import did_you_mean
from aegis.errors import AegisError, PluginError, Problem
from aegis.hookspecs import PLUGIN_API
from aegis.host.attribution import attributed
from aegis.host.installed import absent
from aegis.host.plugin import LOCAL, PluginInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from aegis.host.installed import Installed
    from aegis.host.request import Request


@frozen
class Loadable:
    """A plugin that may be imported, and how."""

    info: PluginInfo
    load: Callable[[], Any]

    def module(self) -> Any:
        """Import the plugin and return its module (or the object that its entry point names).

        Raises:
            PluginError: If it raises, or was made for another plugin API.
        """
        with attributed(self.info, "import"):
            module = self.load()
        problem = _api_problem(module, self.info)
        if problem is not None:
            raise PluginError(problem)
        return module


def builtin(module: str) -> Loadable:
    """Return a plugin that ships with the host."""
    name = f"builtin:{module.rpartition('.')[2]}"
    info = PluginInfo(name, "aegis-agents", aegis.__version__, builtin=True)
    return Loadable(info, lambda: importlib.import_module(module))


def requested(request: Request, installed: Mapping[str, tuple[Installed, ...]]) -> Loadable:
    """Return the plugin that `request` asks for.

    Raises:
        PluginError: If it is absent, of another version, or offered by two distributions.
    """
    if request.path is not None:
        return _local(request, request.path)
    offers = installed.get(request.name, ())
    if not offers:
        raise PluginError(absent(request.name, installed))
    if len(offers) > 1:
        raise PluginError(_offered_twice(request.name, offers))
    plugin = offers[0]
    if not request.admits(plugin.version):
        raise PluginError(_other_version(request, plugin))
    return Loadable(plugin.info(enabled=True), plugin.entry.load)


def refused(request_name: str, error: AegisError, offers: tuple[Installed, ...]) -> PluginInfo:
    """Return what is known of a plugin that was never imported because of `error`."""
    plugin_error = error if isinstance(error, PluginError) else PluginError(error.problems)
    if offers:
        return offers[0].info(enabled=True).failed(plugin_error)
    return PluginInfo(request_name, "not installed", "").failed(plugin_error)


def _local(request: Request, path: Path) -> Loadable:
    if not path.is_file():
        raise PluginError(_no_file(request, path))
    return Loadable(PluginInfo(request.name, LOCAL, ""), lambda: _execute(path))


def _execute(path: Path) -> Any:
    """Import a file under a name of its own, so that it can hide no other module."""
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    stem = "".join(c if c.isalnum() else "_" for c in path.stem)
    name = f"aegis_local_{stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _api_problem(module: Any, info: PluginInfo) -> Problem | None:
    said = getattr(module, "plugin_api", None)
    if said is None and info.distribution == LOCAL:
        return None
    if type(said) is int and said == PLUGIN_API:
        return None
    newer = type(said) is int and said > PLUGIN_API
    where = getattr(module, "__file__", None) or repr(module)
    if said is None:
        what = f"says no plugin_api; this host has plugin API {PLUGIN_API}"
    else:
        what = f"is made for plugin API {said!r}; this host has plugin API {PLUGIN_API}"
    fix = f"put plugin_api = {PLUGIN_API} at the top of the module once it fits"
    if newer:
        fix = f"install a newer Aegis, or aegis plugins disable {info.name}"
    return Problem("plugin-api", f"{info} {what}", where=where, fix=fix)


def _no_file(request: Request, path: Path) -> Problem:
    folder = path.parent
    near = [file.name for file in folder.glob("*.py")] if folder.is_dir() else []
    return Problem(
        "plugin-absent",
        f'plugin "{request.name}": no file {path}{did_you_mean(path.name, near)}',
        where="[plugins].enabled",
        fix="paths are relative to the folder of aegis.toml",
    )


def _offered_twice(name: str, offers: tuple[Installed, ...]) -> Problem:
    who = " and ".join(f"{offer.distribution} {offer.version}" for offer in offers)
    return Problem(
        "plugin-collision",
        f'plugin "{name}" is declared by two distributions: {who}',
        where="[plugins].enabled",
        fix=f"pip uninstall {offers[-1].distribution}",
    )


def _other_version(request: Request, plugin: Installed) -> Problem:
    return Problem(
        "plugin-version",
        f'plugin "{plugin.name}" is {plugin.distribution} {plugin.version}, '
        f'and "{request.text}" is asked for',
        where="[plugins].enabled",
        fix=f'pip install "{plugin.distribution}{request.specifier}"',
    )
