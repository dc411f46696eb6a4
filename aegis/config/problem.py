"""What is wrong with one value, and how it is told with its place in the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from aegis.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[str | int, ...]
"""Keys and list positions from the top of the data down to one value."""

_LINE: Final = re.compile(r":(\d+)(?::\d+)?$")


class ConfigProblem(Problem):
    """One mistake in the configuration, rendered with its place first as compilers do.

    ``error[unknown-key]: aegis.toml:14: [engine.gpt2].modle: unknown key; did you mean "model"?``
    """

    __slots__ = ()

    def render(self, level: str = "error") -> str:
        """Return the problem as the command line prints it."""
        place = f"{self.where}: " if self.where else ""
        return Problem(self.code, place + self.message, "", self.fix).render(level)


class Fault(NamedTuple):
    """What is wrong with the value at `path`, counted from the value that was looked at."""

    path: Path
    code: str
    message: str
    fix: str = ""

    def under(self, key: str | int) -> Fault:
        """Return the same fault as seen from the table or list that holds the value."""
        return self._replace(path=(key, *self.path))


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems in the order of the file's lines, those without a line last."""
    return sorted(problems, key=_line)


def _line(problem: Problem) -> float:
    match = _LINE.search(problem.where)
    return int(match[1]) if match else float("inf")
