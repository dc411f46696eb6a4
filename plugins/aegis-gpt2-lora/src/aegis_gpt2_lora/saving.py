"""Files that are either whole or not there: written beside, synced, renamed."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch


def save_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, durably, replacing what was there in one step."""
    _save(path, lambda part: part.write_bytes(data))


def save_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON."""
    save_bytes(path, json.dumps(value, indent=2, sort_keys=True).encode("ascii") + b"\n")


def save_tensors(
    path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors as a safetensors file, with strings of one's own in its header."""
    from safetensors.torch import save_file

    strings = {"format": "pt", **(metadata or {})}
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    _save(path, lambda part: save_file(whole, part, metadata=strings))


def adopt(source: Path, directory: Path) -> None:
    """Move a file that another library wrote into `directory`, durably."""
    _sync(source)
    source.replace(directory / source.name)
    _sync(directory)


def _save(path: Path, write: Callable[[Path], object]) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(descriptor)
    part = Path(name)
    try:
        write(part)
        part.chmod(0o644)
        _sync(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
