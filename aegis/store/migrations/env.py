"""What alembic runs: the migrations, over the connection that the caller holds.

The caller's transaction is used, so that an upgrade is whole or not there at all.
"""

from __future__ import annotations

from alembic import context

from aegis.store import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    transactional_ddl=True,
)
context.run_migrations()
