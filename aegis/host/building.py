"""Building: from a checked composition to objects, with every failure attributed."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from attrs import evolve

from aegis.contracts.check import verify_built
from aegis.host.attribution import attributed
from aegis.host.interface import verify_interface

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aegis.contracts.component import Runtime
    from aegis.contracts.facts import Stored
    from aegis.contracts.roles import Engine
    from aegis.host.composition import Chosen, Composition


def build(chosen: Chosen, runtime: Runtime) -> Any:
    """Build a component and its parts, deepest first.

    A part is built for the folder of its name in the checkpoint, where the checkpoint has one;
    otherwise for no checkpoint.

    Raises:
        PluginError: If ``build`` raises, or what it returns does not fit its role. Parts that
            were built by then are closed.
        AegisError: What ``build`` raised on purpose, with the plugin in its ``where``.
    """
    return build_all(chosen, runtime)[chosen.path]


def build_all(chosen: Chosen, runtime: Runtime) -> dict[str, Any]:
    """Build a component and its parts, and return all of them by path.

    Raises:
        AegisError: As `build`.
    """
    built: dict[str, Any] = {}
    with ExitStack() as undo:
        undo.callback(_close, built.values())
        _build(chosen, runtime, built)
        undo.pop_all()
    return built


def build_engine(
    composition: Composition, runtime: Runtime, stored: Stored | None = None
) -> Engine:
    """Build the engine of a composition and check the facts that could not be known before.

    Args:
        composition: What is built from.
        runtime: What it is built for.
        stored: What is known of the runtime's checkpoint, where it has one.

    Raises:
        ContractError: If what was built cannot work together; it is closed then.
        AegisError: As `build`.
    """
    built = build_all(composition.engine, runtime)
    with ExitStack() as undo:
        undo.callback(_close, built.values())
        verify_built(composition, built, stored).raise_problems()
        undo.pop_all()
    engine: Engine = built[composition.engine.path]
    return engine


def _build(chosen: Chosen, runtime: Runtime, built: dict[str, Any]) -> Any:
    parts = {
        name: _build(part, _for_part(runtime, name), built) for name, part in chosen.parts.items()
    }
    with attributed(chosen.plugin, f"build of {chosen.label}"):
        made = chosen.component.build(chosen.config, parts, runtime)
        verify_interface(made, chosen.provided)
    built[chosen.path] = made
    return made


def _for_part(runtime: Runtime, name: str) -> Runtime:
    folder = runtime.checkpoint / name if runtime.checkpoint is not None else None
    return evolve(runtime, checkpoint=folder if folder is not None and folder.is_dir() else None)


def _close(built: Iterable[Any]) -> None:
    """Close what has something to close, whole before part."""
    for made in reversed(list(built)):
        close = getattr(made, "close", None)
        if callable(close):
            close()
