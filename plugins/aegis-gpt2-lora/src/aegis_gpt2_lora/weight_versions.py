"""Whether a module's weights are still those that something was computed with."""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class WeightVersions:
    """Notices weights that were changed in place or exchanged, and submodules that were wrapped.

    Walking a module of 150 parameters takes torch ten times as long as looking at what was found
    on the last walk. A change through ``weight.data`` leaves no trace in torch and is not noticed.

    Args:
        module: Whose weights are watched.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._module = module
        self._look()

    def changed(self) -> bool:
        """Return whether anything changed since the last call that returned true, or the start."""
        same = all(
            len(now) == len(seen) and all(map(is_, now.values(), seen)) for now, seen in self._parts
        ) and all(weight._version == version for weight, version in self._weights)
        if not same:
            self._look()
        return not same

    def _look(self) -> None:
        registries = [
            registry
            for part in self._module.modules()
            for registry in (part._modules, part._parameters)
        ]
        self._parts = [(registry, tuple(registry.values())) for registry in registries]
        self._weights = [(weight, weight._version) for weight in self._module.parameters()]
