"""Files of weights and what belongs to them: either whole or not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aegis.whole_file import sync, unfinished, whole_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch


def save_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, durably, replacing what was there in one step."""
    with whole_file(path) as stream:
        stream.write(data)


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
    with unfinished(path) as beside:
        save_file(whole, beside, metadata=strings)


def adopt(source: Path, directory: Path) -> None:
    """Move a file that another library wrote into `directory`, durably."""
    sync(source)
    source.replace(directory / source.name)
    sync(directory)
