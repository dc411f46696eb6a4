"""What ships in the host keeps to what is asked of everybody."""

from __future__ import annotations

import pytest

from aegis.host.builtins import BUILTINS
from aegis.testing import conformance

NAMES = [f"builtin:{module.rpartition('.')[2]}" for module in BUILTINS]


@pytest.mark.parametrize("name", NAMES)
def test_a_builtin_plugin_passes_every_check(tmp_path, name):
    conformance(name, settings='[profiles.calm]\nengine = "rules"\n')(tmp_path)
