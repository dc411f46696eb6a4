"""The gym's index on disk: built once for a corpus, kept as arrays without pickles."""

from __future__ import annotations

import os
import struct
import tempfile
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


def load_index(path: Path, cache: Path | None = None) -> GymIndex:
    """Return the index of the corpus at `path`.

    Args:
        path: A folder of notes or a file of rows (`aegis.evaluation.gym.corpus`).
        cache: Folder where the built index is kept, named by the corpus' digest and the format's
            version; None keeps nothing. A damaged file there is built again.

    Raises:
        InputError: If the corpus is absent or unusable.
    """
    if cache is None:
        return build_index(read_corpus(path))
    file = cache / f"{corpus_digest(path)[:32]}-{FORMAT}.npz"
    found = _read(file)
    if found is None:
        found = build_index(read_corpus(path))
        _write(found, file)
    return found


def _read(file: Path) -> GymIndex | None:
    try:
        # Each array is checked by its CRC-32.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return GymIndex.from_arrays(str(arrays["digest"]), dict(arrays))
    except _DAMAGED:
        return None


def _write(index: GymIndex, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.stem, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez(stream, digest=np.array(index.digest), **index.arrays())  # type: ignore[arg-type]  # numpy's stub takes the arrays for its own flag
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
