"""Every error that Aegis raises on purpose.

    AegisError
    ├── ConfigError      the file, an override or a flag is wrong            (exit 2)
    ├── PluginError      a plugin cannot be found, loaded, or broke its word (exit 2)
    ├── ContractError    the composition cannot work                         (exit 2)
    ├── InputError       a command was given something it cannot use         (exit 2)
    ├── StoreError       the ledger is locked, damaged or of another version (exit 1)
    ├── ToolError        a tool failed in a way that is not an outcome       (exit 1)
    ├── TrainingError    a training or a comparison did not come to its end  (exit 1)
    ├── EvaluationError  a policy could not be measured to the end           (exit 1)
    └── ModelError       a model or checkpoint is absent or unusable         (exit 2)

An error carries one or more problems, so that everything wrong with one input is told at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable


class Problem(NamedTuple):
    """One thing that is wrong: what, where, and what to do about it."""

    code: str
    message: str
    where: str = ""
    fix: str = ""

    def render(self, level: str = "error") -> str:
        """Return the problem as the command line prints it.

        Args:
            level: ``error``, or ``warning`` for what keeps nothing from going on.
        """
        lines = [f"{level}[{self.code}]: {self.message}"]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  fix:   {self.fix}")
        return "\n".join(lines)


class AegisError(Exception):
    """The root of all errors that Aegis raises on purpose.

    Args:
        problems: What is wrong; at least one.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
        super().__init__("\n".join(problem.render() for problem in self.problems))

    @classmethod
    def of(cls, code: str, message: str, *, where: str = "", fix: str = "") -> Self:
        """Return an error with a single problem."""
        return cls(Problem(code, message, where, fix))


class ConfigError(AegisError):
    """The configuration file, an override or a flag is wrong."""

    exit_code = 2


class PluginError(AegisError):
    """A plugin cannot be found, cannot be loaded, or broke its contract."""

    exit_code = 2


class ContractError(AegisError):
    """The composition of plugins cannot work."""

    exit_code = 2


class InputError(AegisError):
    """A command was given something that it cannot use."""

    exit_code = 2


class ModelError(AegisError):
    """A model or checkpoint is absent, damaged or of a kind that is not loaded."""

    exit_code = 2


class StoreError(AegisError):
    """The ledger is locked, damaged or of another version."""


class ToolError(AegisError):
    """A tool, or the process that runs it, failed in a way that is not an outcome."""


class TrainingError(AegisError):
    """A training, or the comparison that follows it, did not come to its end."""


class EvaluationError(AegisError):
    """A policy could not be measured to the end."""
