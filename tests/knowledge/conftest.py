from __future__ import annotations

import pytest

from aegis.store.connection import close, connect


@pytest.fixture
def connection(tmp_path):
    """A writing connection to a new ledger's database."""
    opened = connect(tmp_path / "ledger.sqlite", write=True)
    yield opened
    close(opened)
