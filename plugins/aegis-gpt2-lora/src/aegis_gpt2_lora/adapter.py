"""Adapters on a module: put on by PEFT for training, merged into the weights for serving.

Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685): a linear layer's weight W (out, in) becomes
W + (alpha / r) B A with A (r, in) and B (out, r); only A and B are trained, and B begins at 0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from aegis import ModelError
from aegis_gpt2_lora.adapter_file import AdapterShape, Pair
from aegis_gpt2_lora.targets import adapter_modules, is_linear, is_transposed, short_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NAME: Final = "default"  # PEFT's name of the one adapter


def merge(module: nn.Module, pairs: Mapping[str, Pair], scaling: float) -> None:
    """Add adapters to the weights of a module, in place.

    Args:
        module: Without PEFT's wrappers.
        pairs: Matrices by the name of the module that they stand on.
        scaling: alpha / r.

    Raises:
        ModelError: ``adapter-mismatch`` if the module has no such layers; nothing is changed.
    """
    check_fit(module, pairs)
    with torch.no_grad():
        for name, (a, b) in pairs.items():
            layer: Any = module.get_submodule(name)
            weight = layer.weight
            change = (b.to(weight.device) @ a.to(weight.device)).mul_(scaling)  # (out, in)
            weight.add_(change.T if is_transposed(layer) else change)


def check_fit(module: nn.Module, pairs: Mapping[str, Pair]) -> None:
    """Require that a module has the layers that adapters stand on, in their sizes.

    Raises:
        ModelError: ``adapter-mismatch``, naming every layer that does not fit.
    """
    layers = dict(module.named_modules())
    wrong = []
    for name, pair in pairs.items():
        layer: Any = layers.get(name)
        if layer is None or not is_linear(layer):
            wrong.append(f"there is no linear layer {name}")
            continue
        sizes = tuple(layer.weight.shape)
        found = sizes if is_transposed(layer) else sizes[::-1]  # (in, out)
        if found != (pair.a.shape[1], pair.b.shape[0]):
            wrong.append(
                f"{name} maps {found[0]} to {found[1]}, the adapter "
                f"{pair.a.shape[1]} to {pair.b.shape[0]}"
            )
    if wrong:
        raise ModelError.of(
            "adapter-mismatch",
            f"the adapter does not fit {type(module).__name__}: {'; '.join(wrong)}",
            fix="serve it with the base model that it was trained on",
        )


class Adapter:
    """Adapters that are on a module, wrapped by PEFT, the rest of it frozen.

    Args:
        module: A causal language model; its linear layers are replaced until `take_off`.
        modules: Full names of the layers to adapt.
        rank: Rank of the matrices.
        alpha: Scale of the adapters is alpha / rank.
        dropout: Share of inputs left out in training.
        seed: What A begins at depends on it and on nothing else.

    Attributes:
        shape: Rank, scale and targets.
        transposed: Whether the module's layers are stored (in, out).
    """

    def __init__(
        self,
        module: nn.Module,
        modules: Sequence[str],
        *,
        rank: int,
        alpha: int,
        dropout: float,
        seed: int,
    ) -> None:
        from peft import LoraConfig, LoraModel

        self.shape = AdapterShape(rank, alpha, short_names(module, modules))
        self.transposed = any(is_transposed(module.get_submodule(name)) for name in modules)
        self._total = sum(weight.numel() for weight in module.parameters())
        self._trained = {name: w.requires_grad for name, w in module.named_parameters()}
        config = LoraConfig(
            r=rank,
            lora_alpha=alpha,
            lora_dropout=dropout,
            target_modules=list(modules),
            fan_in_fan_out=self.transposed,
            task_type="CAUSAL_LM",
        )
        with torch.random.fork_rng(devices=[]):  # PEFT draws from the generator of all
            self._peft: Any = LoraModel(module, config, _NAME)
        for name in modules:
            module.get_submodule(name).eval()  # new dropout is in training mode
        self._module = module
        self._own = {name: Pair(*_matrices(module.get_submodule(name))) for name in modules}
        self.initialise(seed)

    def initialise(self, seed: int) -> None:
        """Draw A as PEFT does, uniform with Kaiming's bound at a = sqrt(5), and set B to 0."""
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for a, b in self._own.values():
                start = torch.empty(a.shape)
                nn.init.kaiming_uniform_(start, a=math.sqrt(5), generator=generator)
                a.copy_(start)
                b.zero_()

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is trained, in the module's order: A and B of each layer."""
        return [matrix for pair in self._own.values() for matrix in pair]  # type: ignore[misc]  # a Pair here holds parameters

    @property
    def width(self) -> int:
        """Width of the model: what the first adapted layer reads."""
        return next(iter(self._own.values())).a.shape[1]

    @property
    def trainable(self) -> int:
        """Number of weights that are trained."""
        return sum(weight.numel() for weight in self.parameters)

    @property
    def total(self) -> int:
        """Number of all weights: the module's and the adapters'."""
        return self._total + self.trainable

    def pairs(self) -> dict[str, Pair]:
        """Return a copy of the matrices, on the CPU, by the name of their module."""
        return {
            name: Pair(*(matrix.detach().to("cpu", copy=True) for matrix in pair))
            for name, pair in self._own.items()
        }

    def load(self, pairs: Mapping[str, Pair]) -> None:
        """Set the matrices; the names and sizes are those of `pairs`."""
        with torch.no_grad():
            for name, own in self._own.items():
                for old, new in zip(own, pairs[name], strict=True):
                    old.copy_(new)

    def take_off(self) -> None:
        """Give the module its own layers back, unchanged, as trainable as they were."""
        self._peft.unload()
        for name, weight in self._module.named_parameters():
            weight.requires_grad_(self._trained[name])


def put_on(
    module: nn.Module,
    names: Sequence[str],
    *,
    rank: int,
    alpha: int,
    dropout: float,
    seed: int,
) -> Adapter:
    """Return new adapters on a module.

    Args:
        module: A causal language model.
        names: Last parts of the names of the layers to adapt; none: by the architecture.
        rank: Rank of the matrices.
        alpha: Scale of the adapters is alpha / rank.
        dropout: Share of inputs left out in training.
        seed: What the adapters begin at depends on it.

    Raises:
        ModelError: ``adapter-target`` if there are no such layers.
    """
    modules = adapter_modules(module, names)
    return Adapter(module, modules, rank=rank, alpha=alpha, dropout=dropout, seed=seed)


def _matrices(layer: Any) -> Iterator[nn.Parameter]:
    """Yield the A and the B that PEFT put beside a layer."""
    yield layer.lora_A[_NAME].weight
    yield layer.lora_B[_NAME].weight
