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
_BYTES: Final = 256


def tiny_component(kind: str = "tiny") -> Component:
    """Return the manifest of an engine of 8,448 weights with the role `TorchEngine`.

    A candidate's score is how well the mean of its bytes' embeddings fits that of the view's.

    Args:
        kind: What it gives itself out as, for trainers that accept that kind.
    """
    facts = EngineCapabilities(
        kind=kind,
        embedding_rows=_BYTES,
        trainable=True,
        tokenizer_max_id=_BYTES - 1,
        order_independent=True,
    )

    def build(_: Any, __: Mapping[str, Any], runtime: Runtime) -> Any:
        from aegis.neural.tiny import TinyEngine

        return TinyEngine.build(facts, runtime)

    return Component(
        kind="engine",
        name=NAME,
        summary="A few thousand weights over the bytes of a text.",
        describe=lambda _: facts,
        build=build,
    )


def tiny_engine(kind: str = "tiny") -> Chosen:
    """Return the tiny engine as a chosen component."""
    info = PluginInfo("aegis.testing", "aegis-agents", "", builtin=True)
    component = tiny_component(kind)
    return Chosen("engine", Provided(component, info), None, f'engine "{NAME}" of the kit')
