"""What may lie in a checkpoint: plain files of four kinds, none of which can run code.

Nothing here opens a file; names, kinds and sizes are enough.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Final

from aegis.errors import ModelError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANIFEST: Final = "manifest.json"
SIZES: Final = {".safetensors": 1 << 50, ".json": 64 << 20, ".md": 16 << 20, ".txt": 16 << 20}
"""Kinds of files, and how many bytes one may have; JSON is read whole, tensors are not."""
MOST: Final = 4096
"""Files and folders of one checkpoint."""
_DEEPEST: Final = 4
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}")


def refusal(name: str, size: int) -> str | None:
    """Return why a file may not be part of a checkpoint, or None.

    Args:
        name: Its name relative to the checkpoint, with ``/`` between folders.
        size: Its bytes.
    """
    segments = name.split("/")
    if len(segments) > _DEEPEST or not all(map(_SEGMENT.fullmatch, segments)):
        return f"{name!r} is no name of a file of a checkpoint"
    suffix = os.path.splitext(name)[1]  # noqa: PTH122 - it is a name, not a path
    if suffix not in SIZES:
        return f"{name!r} is of a kind that is never loaded"
    if name == MANIFEST:
        return f"{name!r} is written by Aegis alone"
    if size > SIZES[suffix]:
        return f"{name!r} has {size} bytes, at most {SIZES[suffix]} are read"
    return None


def listing(folder: Path) -> dict[str, int]:
    """Return the files below a folder with their sizes, by relative name; none is opened.

    The manifest is left out.

    Raises:
        ModelError: ``checkpoint-foreign-file`` with every file that no checkpoint may hold: of
            another kind, a link, a device, one whose name or size is not allowed.
    """
    found: dict[str, int] = {}
    wrong: list[str] = []
    for count, entry in enumerate(_entries(folder.absolute(), "")):
        name, mode, size = entry
        if count >= MOST:
            wrong.append(f"there are more than {MOST} files")
            break
        if not stat.S_ISREG(mode):
            wrong.append(f"{name!r} is {_what(mode)}")
        elif name != MANIFEST:
            refused = refusal(name, size)
            if refused is None:
                found[name] = size
            else:
                wrong.append(refused)
    if wrong:
        raise foreign(folder, wrong)
    return dict(sorted(found.items()))


def foreign(folder: Path, wrong: list[str]) -> ModelError:
    """Return the error for what no checkpoint may hold."""
    kinds = ", ".join(sorted(SIZES))
    fix = f"a checkpoint holds only what its manifest names, and only {kinds}"
    return ModelError(
        Problem("checkpoint-foreign-file", message, str(folder), fix) for message in wrong[:20]
    )


def _what(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a link"
    return "an empty folder, or one too deep" if stat.S_ISDIR(mode) else "no plain file"


def _entries(folder: Path, above: str, depth: int = 1) -> Iterator[tuple[str, int, int]]:
    """Yield name, mode and size of everything below a folder that is no folder to go into."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            name = f"{above}{entry.name}"
            facts = entry.stat(follow_symlinks=False)
            if not stat.S_ISDIR(facts.st_mode):
                yield name, facts.st_mode, facts.st_size
            elif depth >= _DEEPEST or not _SEGMENT.fullmatch(entry.name):
                yield name, facts.st_mode, 0
            else:
                inside = False
                for found in _entries(folder / entry.name, f"{name}/", depth + 1):
                    inside = True
                    yield found
                if not inside:
                    yield name, facts.st_mode, 0
