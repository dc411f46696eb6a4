"""Threads of torch wait without spinning, so that several processes may share the cores."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SPY = """
import importlib.abc, os, sys

class Spy(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torch":
            print(os.environ.get("OMP_WAIT_POLICY"))
            raise SystemExit
        return None

sys.meta_path.insert(0, Spy())
import aegis.neural.device
"""


@pytest.mark.parametrize(("given", "found"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_the_policy_is_set_before_torch_is_loaded_unless_a_person_has_set_it(given, found):
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    if given is not None:
        environment["OMP_WAIT_POLICY"] = given
    done = subprocess.run(
        [sys.executable, "-c", SPY], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == found
