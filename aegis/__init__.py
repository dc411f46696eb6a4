"""Aegis: small agents on your own machine that learn from what they do.

Names are imported when they are first used, so that ``import aegis`` and ``aegis --help`` are
instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aegis.agent.assembly import open_agent as open  # noqa: A004, F401 - `aegis.open` is the public name
    from aegis.contracts.action import SLOT_MARK as SLOT_MARK
    from aegis.contracts.action import Action as Action
    from aegis.contracts.capabilities import EngineCapabilities as EngineCapabilities
    from aegis.contracts.capabilities import EnvironmentCapabilities as EnvironmentCapabilities
    from aegis.contracts.capabilities import TokenizerCapabilities as TokenizerCapabilities
    from aegis.contracts.capabilities import ToolCapabilities as ToolCapabilities
    from aegis.contracts.capabilities import TrainerCapabilities as TrainerCapabilities
    from aegis.contracts.component import Component as Component
    from aegis.contracts.component import Part as Part
    from aegis.contracts.component import Runtime as Runtime
    from aegis.contracts.component import setting as setting
    from aegis.contracts.experience import Decision as Decision
    from aegis.contracts.experience import Experience as Experience
    from aegis.contracts.names import did_you_mean as did_you_mean
    from aegis.contracts.outcome import Document as Document
    from aegis.contracts.outcome import Outcome as Outcome
    from aegis.contracts.outcome import Reading as Reading
    from aegis.contracts.outcome import StepResult as StepResult
    from aegis.contracts.outcome import ToolResult as ToolResult
    from aegis.contracts.published import Published as Published
    from aegis.contracts.roles import Engine as Engine
    from aegis.contracts.roles import Environment as Environment
    from aegis.contracts.roles import ExperienceDataset as ExperienceDataset
    from aegis.contracts.roles import Tokenizer as Tokenizer
    from aegis.contracts.roles import Tool as Tool
    from aegis.contracts.roles import ToolContext as ToolContext
    from aegis.contracts.roles import ToolSpec as ToolSpec
    from aegis.contracts.roles import Trainer as Trainer
    from aegis.contracts.roles import TrainingContext as TrainingContext
    from aegis.contracts.roles import TrainingResult as TrainingResult
    from aegis.contracts.roles import Written as Written
    from aegis.contracts.scores import Scores as Scores
    from aegis.contracts.shortening import shorten as shorten
    from aegis.contracts.text import escape as escape
    from aegis.contracts.text import one_line as one_line
    from aegis.contracts.text import unescape as unescape
    from aegis.contracts.view import Recent as Recent
    from aegis.contracts.view import Seen as Seen
    from aegis.contracts.view import View as View
    from aegis.errors import AegisError as AegisError
    from aegis.errors import ConfigError as ConfigError
    from aegis.errors import ContractError as ContractError
    from aegis.errors import InputError as InputError
    from aegis.errors import ModelError as ModelError
    from aegis.errors import Problem as Problem
    from aegis.hookspecs import hookimpl as hookimpl
    from aegis.host.functions import tool as tool

__version__ = "0.1.0"

_HOME: Final = {
    "contracts.action": ("Action", "SLOT_MARK"),
    "contracts.capabilities": (
        "EngineCapabilities",
        "EnvironmentCapabilities",
        "TokenizerCapabilities",
        "ToolCapabilities",
        "TrainerCapabilities",
    ),
    "contracts.component": ("Component", "Part", "Runtime", "setting"),
    "contracts.experience": ("Decision", "Experience"),
    "contracts.names": ("did_you_mean",),
    "contracts.outcome": ("Document", "Outcome", "Reading", "StepResult", "ToolResult"),
    "contracts.published": ("Published",),
    "contracts.roles": (
        "Engine",
        "Environment",
        "ExperienceDataset",
        "Tokenizer",
        "Tool",
        "ToolContext",
        "ToolSpec",
        "Trainer",
        "TrainingContext",
        "TrainingResult",
        "Written",
    ),
    "contracts.scores": ("Scores",),
    "contracts.shortening": ("shorten",),
    "contracts.text": ("escape", "one_line", "unescape"),
    "contracts.view": ("Recent", "Seen", "View"),
    "errors": (
        "AegisError",
        "ConfigError",
        "ContractError",
        "InputError",
        "ModelError",
        "Problem",
    ),
    "hookspecs": ("hookimpl",),
    "host.functions": ("tool",),
}
_MODULE_OF: Final = {name: module for module, names in _HOME.items() for name in names} | {
    "open": "agent.assembly"
}
_NAMED_THERE: Final = {"open": "open_agent"}
"""Public names that differ from the name in their module."""

__all__ = [*sorted(_MODULE_OF), "__version__"]  # noqa: PLE0604 - every item is a string, made from the table above


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        from aegis.deprecations import deprecated

        return deprecated("aegis", name)
    value = getattr(importlib.import_module(f"aegis.{module}"), _NAMED_THERE.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
