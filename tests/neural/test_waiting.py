"""Threads of torch do not spin for long while they wait, so that processes may share the cores."""

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
            print(os.environ.get("OMP_WAIT_POLICY"), os.environ.get("GOMP_SPINCOUNT"))
            raise SystemExit
        return None

sys.meta_path.insert(0, Spy())
import aegis.neural.device
"""


NAMES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, "None 10000"),
        ({"GOMP_SPINCOUNT": "7"}, "None 7"),
        ({"OMP_WAIT_POLICY": "PASSIVE"}, "PASSIVE None"),
    ],
)
def test_it_is_settled_before_torch_is_loaded_unless_a_person_has_done_so(given, found):
    environment = {k: v for k, v in os.environ.items() if k not in NAMES} | given
    done = subprocess.run(
        [sys.executable, "-c", SPY], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == found
