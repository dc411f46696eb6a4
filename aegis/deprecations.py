"""Public names that are on their way out: the one place where that is said.

A name stays for at least two minor versions after the release that deprecates it (see
docs/stability.md). Using it warns once a place with `AegisDeprecationWarning`, which names what to
use instead and the version that removes it.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class AegisDeprecationWarning(DeprecationWarning):
    """A public name of Aegis will be removed."""


@frozen
class Deprecated:
    """A public name that will be removed.

    Attributes:
        since: Version that deprecates it.
        removed_in: First version without it.
        instead: What to use, as code.
        value: Returns what the name stands for until then.
    """

    since: str
    removed_in: str
    instead: str
    value: Callable[[], Any]


DEPRECATED: Final[Mapping[str, Deprecated]] = {}
"""By full name: ``aegis.Name``, ``aegis.neural.name``, ``aegis.testing.name``. None at present."""


def deprecated(module: str, name: str) -> Any:
    """Return what a deprecated name stands for, with a warning.

    Args:
        module: The package that was asked, such as ``aegis.neural``.
        name: The name that it does not have any more.

    Raises:
        AttributeError: If it is no deprecated name either.
    """
    found = DEPRECATED.get(f"{module}.{name}")
    if found is None:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    warnings.warn(
        f"{module}.{name} is deprecated since {found.since} and will be removed in "
        f"{found.removed_in}: use {found.instead}",
        AegisDeprecationWarning,
        stacklevel=3,
    )
    return found.value()
