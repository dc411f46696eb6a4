"""Owning a run's folder: the lock and the writing connection, taken and given back together."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from aegis.store.ledger import Ledger
from aegis.store.lock import RunLock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def owning(folder: Path) -> Iterator[Ledger]:
    """Give the ledger of a run's folder, opened to write by the only process that may.

    Raises:
        StoreError: ``locked`` if another process owns the folder, and as `Ledger.open`.
    """
    with RunLock(folder), Ledger.open(folder) as ledger:
        yield ledger
