"""What an engine may remark about a decision: a few short names with numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Final

from aegis.contracts.names import NAME_RULE, is_name
from aegis.contracts.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST: Final = 16
"""Remarks that a decision may have."""

_SHOWN: Final = 40  # characters of a wrong name or number that a message repeats


def remark_faults(remarks: object) -> Iterator[str]:
    """Yield what is wrong with remarks: they map at most `MOST` names to finite numbers."""
    if not isinstance(remarks, Mapping):
        yield f"{_shown(remarks)} is no mapping of names to numbers"
    elif len(remarks) > MOST:
        yield f"{len(remarks)} of them, at most {MOST} are allowed"
    else:
        for name, value in remarks.items():
            if not isinstance(name, str) or not is_name(name):
                yield f"{_shown(name)} is no name: {NAME_RULE}"
            elif not _is_finite(value):
                yield f"{name} is {_shown(value)}, no finite number"


def _is_finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number too large for a float
        return False


def _shown(value: object) -> str:
    return one_line(repr(value), _SHOWN)
