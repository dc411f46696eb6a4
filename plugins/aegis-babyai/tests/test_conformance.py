"""Everything that Aegis asks of a plugin."""

from __future__ import annotations

import pytest

from aegis.testing import conformance

test_conformance = pytest.mark.slow(conformance("babyai"))
