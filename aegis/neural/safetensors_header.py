"""Shapes and types of the tensors in a safetensors file, from its header alone.

A file begins with the header's length (8 bytes, little endian) and the header in JSON; see the
format's description at https://github.com/huggingface/safetensors. Nothing else is read here, so
that a model can be described without torch and without its weights.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from aegis.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_LENGTH: Final = 8  # bytes of the header's length
_LARGEST: Final = 100_000_000  # bytes of a header, the format's own limit
_BITS: Final = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8,
    "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64, "C64": 64,
}  # fmt: skip


@frozen
class TensorFacts:
    """Type and shape of one tensor; ``dtype`` as the format writes it (F16, F32, ...).

    ``start`` is the byte of the file where its numbers begin, row by row, little endian.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int = field(default=0, eq=False)

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)


@frozen
class Header:
    """What the headers of one or several files say.

    Attributes:
        tensors: Facts by tensor name.
        metadata: The files' own strings.
    """

    tensors: Mapping[str, TensorFacts]
    metadata: Mapping[str, str] = field(factory=dict)

    @property
    def parameters(self) -> int:
        """Number of entries of all tensors."""
        return sum(tensor.size for tensor in self.tensors.values())


def read_header(path: Path) -> Header:
    """Return the header of a safetensors file, checked against the file's size.

    Raises:
        ModelError: If the file is not there, is cut, or has no sound header.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH), "little")
            _check_length(length, size)
            raw = json.loads(file.read(length))
        return _structured(raw, _LENGTH + length, size)
    except OSError as error:
        raise ModelError.of("model-unreadable", f"cannot read {path}: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError.of(
            "model-damaged",
            f"{path.name} is not a whole safetensors file: {error}",
            where=str(path),
            fix="fetch or save the model again",
        ) from error


def read_headers(paths: Iterable[Path]) -> Header:
    """Return the headers of the shards of one model as one."""
    headers = [read_header(path) for path in paths]
    tensors = {name: facts for header in headers for name, facts in header.tensors.items()}
    if len(tensors) != sum(len(header.tensors) for header in headers):
        raise ModelError.of("model-damaged", "two shards hold a tensor of the same name")
    metadata = {key: value for header in headers for key, value in header.metadata.items()}
    return Header(tensors, metadata)


def _check_length(length: int, size: int) -> None:
    if not 2 <= length <= min(_LARGEST, size - _LENGTH):
        raise ValueError(f"a header of {length} bytes in a file of {size}")


def _structured(raw: dict[str, Any], begins: int, size: int) -> Header:
    metadata = raw.pop("__metadata__", {})
    tensors, spans = {}, []
    for name, entry in raw.items():
        start, end = entry["data_offsets"]
        facts = TensorFacts(entry["dtype"], tuple(entry["shape"]), begins + start)
        if end - start != facts.size * _BITS[facts.dtype] // 8:
            raise ValueError(f"tensor {name!r} has {end - start} bytes for shape {facts.shape}")
        tensors[name] = facts
        spans.append((start, end))
    _check_cover(sorted(spans), size - begins)
    return Header(tensors, metadata)


def _check_cover(spans: list[tuple[int, int]], data_bytes: int) -> None:
    """Require that the tensors fill the file without holes, as the format demands."""
    position = 0
    for start, end in spans:
        if start != position:
            raise ValueError(f"a hole or an overlap at byte {position}")
        position = end
    if position != data_bytes:
        raise ValueError(f"tensors of {position} bytes, but {data_bytes} follow the header")
