"""Registration: a plugin's hooks have known arguments, are marked, and are not wrapped.

A hook that this host does not know is never called. It may be one of a later host, so it is a
warning and no error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

from aegis import hookspecs
from aegis.contracts.names import did_you_mean
from aegis.errors import PluginError, Problem
from aegis.hookspecs import PROJECT
from aegis.host.attribution import attributed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aegis.host.plugin import PluginInfo


def plugin_manager() -> pluggy.PluginManager:
    """Return a plugin manager with Aegis' hooks, whose exceptions carry the plugin's name."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.add_hookcall_monitoring(before=_before, after=_after)
    return manager


def register(manager: pluggy.PluginManager, plugin: Any, info: PluginInfo) -> tuple[Problem, ...]:
    """Register a plugin under its name, or leave the manager as it was.

    Returns:
        A warning for every hook of the plugin that this host does not know.

    Raises:
        PluginError: With every hook of the plugin that does not fit.
    """
    try:
        with attributed(info, "registration"):
            hash(plugin)  # pluggy keeps plugins in sets
            manager.register(plugin, name=info.name)
    except PluginError as error:
        if isinstance(error.__cause__, pluggy.PluginValidationError):
            raise PluginError(_mismatch(info, error.__cause__)) from error.__cause__
        raise
    problems = [*_wrappers(manager, plugin, info), *_unmarked(manager, plugin, info)]
    if problems:
        manager.unregister(plugin)
        raise PluginError(problems)
    return tuple(_unknown(manager, plugin, info))


def hook_names(manager: pluggy.PluginManager) -> list[str]:
    """Return the hooks that have a specification."""
    return sorted(name for name, caller in vars(manager.hook).items() if caller.has_spec())


def _unknown(manager: pluggy.PluginManager, plugin: Any, info: PluginInfo) -> Iterable[Problem]:
    known = hook_names(manager)
    for caller, impl in _implementations(manager, plugin):
        if not caller.has_spec() and not impl.optionalhook:
            yield Problem(
                "plugin-hook",
                f"{info}: this host has no hook {caller.name} and never calls it"
                f"{did_you_mean(caller.name, known)}",
                where=_place(impl.function),
                fix="correct the name; of a hook of a later host say "
                "@aegis.hookimpl(optionalhook=True)",
            )


def _wrappers(manager: pluggy.PluginManager, plugin: Any, info: PluginInfo) -> Iterable[Problem]:
    for caller, impl in _implementations(manager, plugin):
        if impl.wrapper or impl.hookwrapper:
            yield Problem(
                "plugin-hook",
                f"{info}: {caller.name} is a wrapper, and plugins are called each by itself",
                where=_place(impl.function),
                fix="mark it with a plain @aegis.hookimpl",
            )


def _implementations(
    manager: pluggy.PluginManager, plugin: Any
) -> Iterable[tuple[pluggy.HookCaller, pluggy.HookImpl]]:
    for caller in manager.get_hookcallers(plugin) or ():
        for impl in caller.get_hookimpls():
            if impl.plugin is plugin:
                yield caller, impl


def _unmarked(manager: pluggy.PluginManager, plugin: Any, info: PluginInfo) -> Iterable[Problem]:
    for name in hook_names(manager):
        function = getattr(plugin, name, None)
        if callable(function) and not hasattr(function, f"{PROJECT}_impl"):
            yield Problem(
                "plugin-hook",
                f"{info}: {name} is not marked as a hook and would never be called",
                where=_place(function),
                fix="put @aegis.hookimpl above it",
            )


def _mismatch(info: PluginInfo, error: pluggy.PluginValidationError) -> Problem:
    said = "; ".join(line.strip() for line in str(error).splitlines()[1:] if line.strip())
    return Problem(
        "plugin-hook",
        f"{info}: {said or error}",
        where=str(getattr(error.plugin, "__file__", "") or ""),
        fix="a hook may leave out arguments of its specification and not add any",
    )


def _place(function: Any) -> str:
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""


def _before(hook: str, methods: Sequence[Any], facts: Mapping[str, Any]) -> None:
    """Do nothing: pluggy asks for both sides of a call."""


def _after(
    outcome: pluggy.Result[Any],
    hook: str,
    methods: Sequence[Any],
    facts: Mapping[str, Any],  # noqa: ARG001 - pluggy hands it over
) -> None:
    """Note on an exception whose hook raised it."""
    error = outcome.exception
    if error is not None:
        names = ", ".join(f'"{impl.plugin_name}"' for impl in methods)
        error.add_note(f"raised in {hook} of plugin {names}")
