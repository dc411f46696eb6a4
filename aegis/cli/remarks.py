"""What an engine remarked about a decision, in words."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_BRIEF: Final = 2
"""Remarks that fit on a line with something else."""


def whole(remarks: Mapping[str, float]) -> str:
    """Return all remarks: ``segments 3, cut 2``."""
    return _listed(remarks.items())


def brief(remarks: Mapping[str, float]) -> str:
    """Return the first remarks, and dots for more."""
    more = ", …" if len(remarks) > _BRIEF else ""
    return _listed(itertools.islice(remarks.items(), _BRIEF)) + more


def _listed(remarks: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {value:.6g}" for name, value in remarks)
