"""Everything that Aegis asks of a plugin; policy distillation with an engine of the other plugin."""

from __future__ import annotations

import pytest

from aegis.testing import conformance

SETTINGS = """
[profiles.values]
engine = "action-values"
environment = "research-gym"
phases.reinforce = "fitted-q"

[profiles.own]
engine = "hrm"
environment = "research-gym"
phases.reinforce = "policy-distillation"
"""
test_conformance = pytest.mark.slow(conformance("reinforce", settings=SETTINGS, plugins=["hrm"]))
