"""Alembic migrations of the ledger, run in the process that opens it.

New versions go into ``versions`` and `aegis.store.tables.HEAD` names the newest one. A migration
that has shipped is not edited: it says what the tables were then.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config


def configuration() -> Config:
    """Return the configuration that alembic needs; there is no ``alembic.ini``."""
    from alembic.config import Config

    config = Config()
    # "%" begins an interpolation in alembic's settings, and may stand in a path.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
