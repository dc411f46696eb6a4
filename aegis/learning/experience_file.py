"""Experience in a file, used without becoming part of the agent's ledger."""

from __future__ import annotations

import contextlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from aegis.learning.exchange import import_file
from aegis.store.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aegis.config.settings import RewardSettings
    from aegis.contracts.experience import Experience


@contextlib.contextmanager
def ledger_of(file: Path, rewards: RewardSettings) -> Iterator[Ledger]:
    """Give a ledger that holds what a file holds, and is gone afterwards.

    Args:
        file: Aegis JSONL, or the old system's JSON.
        rewards: What an outcome of the old system is worth.

    Raises:
        InputError: If the file is neither, or damaged (with line and column).
    """
    with TemporaryDirectory(prefix="aegis-data-") as folder, Ledger.open(Path(folder)) as ledger:
        import_file(ledger, file, rewards=rewards)
        yield ledger


def from_file(file: Path, rewards: RewardSettings) -> Iterator[Experience]:
    """Yield the experience of a file, in order; arguments and errors as `ledger_of`."""
    with ledger_of(file, rewards) as ledger:
        yield from ledger.experiences()
