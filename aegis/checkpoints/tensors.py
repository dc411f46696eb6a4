"""How far the numbers of two checkpoints lie apart, tensor by tensor, read without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import frozen

from aegis.neural.safetensors_header import read_header

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aegis.neural.safetensors_header import TensorFacts

_BLOCK: Final = 1 << 20
"""Numbers that are compared at once."""
_TYPES: Final[dict[str, Any]] = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


@frozen
class Distance:
    """How one tensor differs.

    Attributes:
        file: File that it is in.
        name: Its name.
        shape: Its shape; in the second checkpoint where it is in both.
        relative: The norm of the difference over the norm of the first, ||b - a|| / ||a||;
            infinite where the first is zero and the second is not. None where it is in one
            checkpoint only, has another shape there, or is of a type that is no float.
        only: ``a`` or ``b`` where it is in one checkpoint only.
    """

    file: str
    name: str
    shape: tuple[int, ...]
    relative: float | None
    only: str | None = None


def distances(a: Path, b: Path, file: str) -> list[Distance]:
    """Return how the tensors of a file differ between two folders, by name.

    Raises:
        ModelError: If one of the files is no whole safetensors file.
    """
    old, new = (read_header(folder / file).tensors for folder in (a, b))
    found = []
    for name in sorted({*old, *new}):
        if name in old and name in new:
            relative = _relative((a / file, old[name]), (b / file, new[name]))
            found.append(Distance(file, name, new[name].shape, relative))
        else:
            only, facts = ("a", old[name]) if name in old else ("b", new[name])
            found.append(Distance(file, name, facts.shape, None, only))
    return found


def _relative(a: tuple[Path, TensorFacts], b: tuple[Path, TensorFacts]) -> float | None:
    if a[1].shape != b[1].shape or not {a[1].dtype, b[1].dtype} <= _TYPES.keys():
        return None
    difference = norm = 0.0
    for old, new in zip(_blocks(*a), _blocks(*b), strict=True):
        gap = new - old
        difference += float(gap @ gap)
        norm += float(old @ old)
    if norm == 0.0:
        return 0.0 if difference == 0.0 else float("inf")
    return float(np.sqrt(difference / norm))


def _blocks(path: Path, facts: TensorFacts) -> Iterator[np.ndarray[Any, np.dtype[np.float64]]]:
    """Yield the numbers of a tensor in float64, a block at a time."""
    kind = np.dtype(_TYPES[facts.dtype])
    with path.open("rb") as file:
        file.seek(facts.start)
        for first in range(0, facts.size, _BLOCK):
            count = min(_BLOCK, facts.size - first)
            raw = np.frombuffer(file.read(count * kind.itemsize), dtype=kind)
            if facts.dtype == "BF16":  # the upper half of a float32
                raw = (raw.astype("<u4") << 16).view("<f4")
            yield raw.astype(np.float64)
