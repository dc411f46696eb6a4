"""Checks: what a component has to keep to, one law each, and what is likely wrong if it fails."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from attrs import frozen

from aegis.contracts.names import did_you_mean
from aegis.errors import InputError
from aegis.hookspecs import PLUGIN_API

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aegis.testing.subject import Subject

Kind = Literal["plugin", "tokenizer", "engine", "trainer", "tool", "environment", "composition"]
SUITES: Final[tuple[Kind, ...]] = get_args(Kind)
"""What can be checked, in the order of a report."""


class Broken(Exception):  # noqa: N818 - a finding
    """A law is broken.

    Args:
        message: What was seen, with figures.
        cause: What most often leads to that.
        fix: What to do.
    """

    def __init__(self, message: str, *, cause: str, fix: str) -> None:
        super().__init__(message)
        self.message, self.cause, self.fix = message, cause, fix


class NotApplicable(Exception):  # noqa: N818 - a finding
    """A check asks for something that the component does not claim to have."""


@frozen
class Check:
    """One law.

    Attributes:
        name: Its name, which begins with the kind of what it is about.
        title: The law in one sentence.
        run: Raises `Broken`, or `NotApplicable`.
        needs: Checks without which this one says nothing.
        since: Version of the plugin API that has it first.
    """

    name: str
    title: str
    run: Callable[[Any], None]
    needs: tuple[str, ...] = ()
    since: int = 1

    @property
    def kind(self) -> str:
        """What it is about."""
        return self.name.partition("-")[0]


_CHECKS: Final[dict[str, Check]] = {}


def check(
    name: str, *, needs: Iterable[str] = (), since: int = 1
) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """Declare a check; the first line of the function's docstring is its title."""

    def declare(function: Callable[[Subject], None]) -> Callable[[Subject], None]:
        title = (function.__doc__ or "").splitlines()[0]
        _CHECKS[name] = Check(name, title, function, tuple(needs), since)
        return function

    return declare


def suite(kind: Kind) -> tuple[Check, ...]:
    """Return the checks of a kind, in their order, for this host's plugin API."""
    importlib.import_module(f"aegis.testing.suites.{kind}")
    return tuple(one for one in _CHECKS.values() if one.kind == kind and one.since <= PLUGIN_API)


def all_checks() -> tuple[Check, ...]:
    """Return every check, by suite."""
    return tuple(one for kind in SUITES for one in suite(kind))


def refuse_unknown(names: Iterable[str]) -> None:
    """Raise what says that there is no check of a name.

    Raises:
        InputError: ``check-unknown``.
    """
    known = [one.name for one in all_checks()]
    for name in names:
        if name not in known:
            raise InputError.of(
                "check-unknown",
                f'there is no check "{name}"{did_you_mean(name, known)}',
                fix="aegis plugins test --list shows them",
            )
