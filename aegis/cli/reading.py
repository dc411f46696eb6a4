"""Opening a project's ledger to look, also while a run is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aegis.errors import InputError

if TYPE_CHECKING:
    from aegis.cli.invocation import Invocation
    from aegis.store.ledger import Ledger


def reading(call: Invocation) -> Ledger:
    """Return the ledger of the project, read-only.

    Raises:
        InputError: If there is none yet.
    """
    from aegis.project import run_folder
    from aegis.store.ledger import Ledger

    folder = run_folder(call.file)
    if not (folder / "ledger.sqlite").exists():
        raise InputError.of(
            "no-run",
            "there is nothing to show yet: no agent has run here",
            where=str(folder),
            fix="aegis run --steps 20",
        )
    return Ledger.open(folder, write=False)
