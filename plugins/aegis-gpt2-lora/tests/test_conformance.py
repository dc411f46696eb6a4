"""Everything that Aegis asks of a plugin, with trainings of one pass."""

from __future__ import annotations

import pytest

from aegis.testing import conformance

SETTINGS = """
[profiles.lora]
engine = "gpt2"
phases.imitate = "gpt2-lora"

[trainer.gpt2-lora]
epochs = 1
learning_rate = 0.01

[trainer.gpt2-full]
epochs = 1
"""
test_conformance = pytest.mark.slow(conformance("gpt2-lora", settings=SETTINGS))
