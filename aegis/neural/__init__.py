"""What plugins with torch engines share: the role, scoring, devices, safetensors headers.

Names are imported when they are first used: reading a safetensors header needs no torch.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aegis.neural.device import select_device as select_device
    from aegis.neural.device import use_threads as use_threads
    from aegis.neural.safetensors_header import Header as Header
    from aegis.neural.safetensors_header import TensorFacts as TensorFacts
    from aegis.neural.safetensors_header import read_header as read_header
    from aegis.neural.safetensors_header import read_headers as read_headers
    from aegis.neural.scoring import masked_log_softmax as masked_log_softmax
    from aegis.neural.scoring import normalised as normalised
    from aegis.neural.scoring import sequence_scores as sequence_scores
    from aegis.neural.scoring import token_log_probabilities as token_log_probabilities
    from aegis.neural.torch_engine import ChoiceItem as ChoiceItem
    from aegis.neural.torch_engine import TextItem as TextItem
    from aegis.neural.torch_engine import TorchEngine as TorchEngine

# Read when torch is loaded: how often a thread looks again before it sleeps while it waits for
# others (GNU OpenMP). By default it looks 300,000 times, and then processes that share the cores,
# such as an agent and a training beside it, come to a standstill.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

_HOME: Final = {
    "device": ("select_device", "use_threads"),
    "safetensors_header": ("Header", "TensorFacts", "read_header", "read_headers"),
    "scoring": (
        "masked_log_softmax",
        "normalised",
        "sequence_scores",
        "token_log_probabilities",
    ),
    "torch_engine": ("ChoiceItem", "TextItem", "TorchEngine"),
}
_MODULE_OF: Final = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted(_MODULE_OF)  # noqa: PLE0605 - every item is a string, made from the table above


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'aegis.neural' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"aegis.neural.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
