"""The gym's index on disk: built once for a corpus, kept as arrays without pickles."""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
import time
import zipfile
import zlib
from pathlib import Path
from typing import Final

import numpy as np

from aegis.evaluation.gym.corpus import corpus_digest, read_corpus
from aegis.evaluation.gym.index import FORMAT, GymIndex, build_index

_DAMAGED: Final = (
    OSError,  # absent, too
    EOFError,
    KeyError,
    ValueError,
    TypeError,
    MemoryError,  # a damaged shape asks for more than there is
    OverflowError,
    RuntimeError,  # zipfile: flags or methods that it does not know
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


KEPT: Final = 8
"""Indices that a cache keeps: that of a library is another one after every edit."""

_ABANDONED: Final = 86_400
"""Seconds after which a file that is being written is taken for one that nobody goes on with."""


def load_index(path: Path, cache: Path | None = None) -> GymIndex:
    """Return the index of the corpus at `path`.

    Args:
        path: A folder of notes or a file of rows (`aegis.evaluation.gym.corpus`).
        cache: Folder where the built index is kept, named by the corpus' digest and the format's
            version, beside `KEPT` - 1 older ones; None keeps nothing, and so does a folder that
            cannot be written: the index is built again then. A damaged file is built again, too.

    Raises:
        InputError: If the corpus is absent or unusable.
    """
    if cache is None:
        return build_index(read_corpus(path))
    found = _read(cache, corpus_digest(path))
    if found is None:
        # What is read now may be another content than before.
        found = build_index(read_corpus(path))
        with contextlib.suppress(OSError):
            _write(found, cache)
    return found


def _file(cache: Path, digest: str) -> Path:
    return cache / f"{digest[:32]}-{FORMAT}.npz"


def _read(cache: Path, digest: str) -> GymIndex | None:
    try:
        # Each array is checked by its CRC-32.
        with (
            _file(cache, digest).open("rb") as stream,
            np.load(stream, allow_pickle=False) as arrays,
        ):
            found = GymIndex.from_arrays(str(arrays["digest"]), dict(arrays))
    except _DAMAGED:
        return None
    return found if found.digest == digest else None


def _write(index: GymIndex, cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    file = _file(cache, index.digest)
    handle, name = tempfile.mkstemp(dir=cache, prefix=file.stem, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez(stream, digest=np.array(index.digest), **index.arrays())  # type: ignore[arg-type]  # numpy's stub takes the arrays for its own flag
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _prune(cache)


def _prune(cache: Path) -> None:
    """Remove all but the newest indices, and what was never written to its end."""
    made = sorted(cache.glob("*.npz"), key=lambda file: file.stat().st_mtime, reverse=True)
    now = time.time()
    left = [file for file in cache.glob("*.tmp") if now - file.stat().st_mtime > _ABANDONED]
    for file in (*made[KEPT:], *left):
        file.unlink(missing_ok=True)
