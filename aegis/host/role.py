"""What a component says of itself: capabilities of its role, with numbers that make sense."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from aegis.contracts.capabilities import (
    EngineCapabilities,
    EnvironmentCapabilities,
    TokenizerCapabilities,
    ToolCapabilities,
    TrainerCapabilities,
)
from aegis.errors import PluginError, Problem
from aegis.host.attribution import way_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aegis.contracts.component import Kind
    from aegis.host.plugin import PluginInfo, Provided

CAPABILITIES: Final[Mapping[Kind, type]] = {
    "engine": EngineCapabilities,
    "tokenizer": TokenizerCapabilities,
    "trainer": TrainerCapabilities,
    "tool": ToolCapabilities,
    "environment": EnvironmentCapabilities,
}
"""What ``describe`` of each kind returns."""


def verify_capabilities(facts: object, provided: Provided) -> None:
    """Check what ``describe`` returned.

    Raises:
        PluginError: If it is of another kind, or a number in it makes no sense.
    """
    component = provided.component
    faults = list(capability_faults(facts, component.kind))
    if faults:
        name = f"describe of {component.kind}"
        raise PluginError(misfit(provided.plugin, name, component.name, faults))


_COUNTS: Final = ("embedding_rows", "context_length", "vocab_size")
_IDS: Final = ("tokenizer_max_id", "max_token_id")


def capability_faults(facts: object, kind: Kind, name: str = "it") -> Iterable[str]:
    """Return what is wrong with the capabilities of a component of `kind`."""
    wanted = CAPABILITIES[kind]
    if not isinstance(facts, wanted):
        yield f"{name} must be {wanted.__name__}, not {shown(facts)}"
        return
    for key, least in (*((key, 1) for key in _COUNTS), *((key, 0) for key in _IDS)):
        value = getattr(facts, key, None)
        if value is not None and (type(value) is not int or value < least):
            yield f"{key} must be an integer of at least {least}, not {value!r}"
    density = getattr(facts, "characters_per_token", None)
    if density is not None and not is_positive(density):
        yield f"characters_per_token must be a number above 0, not {density!r}"
    for key in ("accepts", "adapters", "adapter_targets"):
        labels: object = getattr(facts, key, frozenset())
        if not isinstance(labels, (frozenset, set)):
            yield f"{key} must be a frozenset, not {shown(labels)}"
    unverified = getattr(facts, "unverified", ())
    for key in unverified if isinstance(unverified, (tuple, list)) else [unverified]:
        if not isinstance(key, str) or key == "unverified" or not hasattr(facts, key):
            yield f"unverified names {key!r}, which is no fact of {wanted.__name__}"


def is_number(value: object) -> bool:
    """Return whether `value` is a finite number."""
    return isinstance(value, (int, float)) and type(value) is not bool and math.isfinite(value)


def is_positive(value: Any) -> bool:
    """Return whether `value` is a finite number above 0."""
    return is_number(value) and value > 0


def misfit(plugin: PluginInfo, kind: str, name: str, faults: list[str]) -> Problem:
    """Return the problem of something that does not fit its role."""
    return Problem(
        "plugin-interface",
        f'{plugin}: {kind} "{name}" does not fit its role: {"; ".join(faults)}',
        fix=way_out(plugin),
    )


def shown(value: object) -> str:
    """Return a value and its type, for a message."""
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:59] + '…'} ({type(value).__name__})"
