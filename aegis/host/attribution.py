"""Attribution: whatever a plugin raises becomes an error that names the plugin and the hook."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aegis.contracts.text import one_line
from aegis.errors import AegisError, PluginError, Problem
from aegis.host.plugin import LOCAL

if TYPE_CHECKING:
    from types import TracebackType

    from aegis.host.plugin import PluginInfo

# Frames that are the same for whatever fails: the import system and the host's own calls.
_MACHINERY: Final = (
    "<frozen ",
    str(Path(importlib.__file__).parent) + os.sep,
    __file__.removesuffix("attribution.py"),
)

_HOST: Final = str(Path(__file__).parents[1]) + os.sep


class attributed:  # noqa: N801 - a context manager is read as a word
    """Turn what a plugin raises inside the block into an error that names it.

    An `AegisError` keeps its type, code and fix and gets the plugin into its ``where``; anything
    else, ``SystemExit`` included, becomes a `PluginError` with the original chained.
    ``KeyboardInterrupt`` passes.

    Args:
        plugin: Whose code runs in the block.
        hook: Which hook or method it is: ``aegis_tools``, ``build of engine "hrm"``.
    """

    def __init__(self, plugin: PluginInfo, hook: str) -> None:
        self._plugin = plugin
        self._hook = hook

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, KeyboardInterrupt):
            return
        blamed = blame(self._plugin, self._hook, error)
        if blamed is not error:
            raise blamed from error


def blame(plugin: PluginInfo, hook: str, error: BaseException) -> AegisError:
    """Return the error that says that `plugin` raised `error` in `hook`."""
    if isinstance(error, AegisError):
        return _located(error, f"{plugin}, {hook}")
    return PluginError(failure(plugin, hook, error))


def failure(plugin: PluginInfo, hook: str, error: BaseException) -> Problem:
    """Return the problem that says that `plugin` raised `error` in `hook`."""
    return Problem(
        "plugin-failed",
        f"{plugin} raised in {hook}: {_said(error)}",
        where=_frame(plugin, error),
        fix=way_out(plugin),
    )


def way_out(plugin: PluginInfo) -> str:
    """Return what a user can do about a plugin that does not work."""
    if plugin.builtin:
        return "this is a defect of the host: please report it with this message"
    if plugin.distribution == LOCAL:
        return f"correct the file, or take {plugin.name} out of [plugins].enabled"
    if _is_editable(plugin.distribution):
        return f"correct it where it is developed, or aegis plugins disable {plugin.name}"
    return f"pip install --upgrade {plugin.distribution}, or aegis plugins disable {plugin.name}"


def _is_editable(distribution: str) -> bool:
    """Return whether a distribution is installed from its author's folder (``pip install -e``)."""
    from importlib import metadata

    try:
        told = metadata.distribution(distribution).read_text("direct_url.json")
        return bool(told) and json.loads(str(told)).get("dir_info", {}).get("editable") is True
    except (metadata.PackageNotFoundError, ValueError, AttributeError):
        return False


def _located(error: AegisError, who: str) -> AegisError:
    problems = tuple(
        problem
        if who in problem.where or who in problem.message
        else problem._replace(where=f"{problem.where}; {who}" if problem.where else who)
        for problem in error.problems
    )
    if problems == error.problems:
        return error
    # A plugin's own subclass may take other arguments; its problems are what counts.
    known = type(error).__init__ is AegisError.__init__
    return type(error)(problems) if known else PluginError(problems)


def _said(error: BaseException) -> str:
    kind = type(error).__qualname__
    try:
        message = one_line(str(error), 300)
    except Exception as broken:  # noqa: BLE001 - an exception may fail to say what it is
        message = f"(its text raised {type(broken).__qualname__})"
    return f"{kind}: {message}" if message else kind


def _frame(plugin: PluginInfo, error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    from traceback import extract_tb

    places = [
        f"{frame.filename}:{frame.lineno}"
        for frame in extract_tb(error.__traceback__)
        if not frame.filename.startswith(_MACHINERY)
    ]
    if plugin.builtin:
        return places[-1] if places else ""
    # Where the host refuses what a plugin hands over, the place is the plugin's that did.
    own = [place for place in places if not place.startswith(_HOST)]
    return own[-1] if own else ""
