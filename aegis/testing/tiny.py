"""A tiny engine of torch, which plays any kind: for trainers where no other is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aegis.contracts.capabilities import EngineCapabilities
from aegis.contracts.component import Component
from aegis.host.composition import Chosen
from aegis.host.plugin import PluginInfo, Provided

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aegis.contracts.component import Runtime

NAME: Final = "tiny"
ROWS: Final = 256
"""Rows of its embedding: one a byte."""
WIDTH: Final = 16


def tiny_component(kind: str = "tiny") -> Component:
    """Return the manifest of an engine of about 4,000 weights with the role `TorchEngine`.

    A candidate's score is how well the mean of its bytes' embeddings fits that of the view's.

    Args:
        kind: What it gives itself out as, for trainers that accept that kind.
    """

    def describe(_: Any) -> EngineCapabilities:
        return EngineCapabilities(
            kind=kind,
            embedding_rows=ROWS,
            trainable=True,
            tokenizer_max_id=ROWS - 1,
            order_independent=True,
        )

    def build(_: Any, __: Mapping[str, Any], runtime: Runtime) -> Any:
        from aegis.neural.tiny import TinyEngine

        return TinyEngine.build(kind, runtime)

    return Component(
        kind="engine",
        name=NAME,
        summary="A few thousand weights over the bytes of a text.",
        describe=describe,
        build=build,
    )


def tiny_engine(kind: str = "tiny") -> Chosen:
    """Return the tiny engine as a chosen component."""
    info = PluginInfo("aegis.testing", "aegis-agents", "", builtin=True)
    component = tiny_component(kind)
    return Chosen("engine", Provided(component, info), None, f'engine "{NAME}" of the kit')
