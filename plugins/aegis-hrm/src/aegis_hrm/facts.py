"""What the engine ``hrm`` says about itself, from its settings alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aegis
from aegis_hrm.settings import design_of

if TYPE_CHECKING:
    from aegis_hrm.settings import EngineSettings

KIND: Final = "hrm"
_BYTES_PER_WEIGHT: Final = 4  # float32


def describe_engine(settings: EngineSettings) -> aegis.EngineCapabilities:
    """Return what the engine will be with these settings.

    Raises:
        ConfigError: ``shape-impossible`` or ``context-short`` if no such engine can be built.
    """
    shape = design_of(settings).shape
    return aegis.EngineCapabilities(
        kind=KIND,
        embedding_rows=shape.vocabulary,
        context_length=settings.context,
        trainable=True,
        parameters=shape.parameters,
        memory_bytes=shape.parameters * _BYTES_PER_WEIGHT,
        order_independent=True,
    )
