"""GPT-2 under low-rank adapters on packed trees: the arithmetic of training, exact and lean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from aegis import ModelError
from aegis_gpt2_lora.fused import (
    LoraLinear,
    TanhGelu,
    TargetLogProbabilities,
    TreeAttention,
    dropout_mask,
)
from aegis_gpt2_lora.gpt2 import Block
from aegis_gpt2_lora.packing import pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis_gpt2_lora.gpt2 import Gpt2
    from aegis_gpt2_lora.packing import Stream, Tree

_TANH_GELU: Final = ("gelu_new", "gelu_pytorch_tanh")


class States(NamedTuple):
    """What predicts the tokens of the branches of some trees.

    Attributes:
        hidden: Final hidden states, (R, D), differentiable.
        rows: Which of them predicts each token, (M,): tree by tree, branch by branch.
        targets: Ids of the tokens, (M,).
    """

    hidden: torch.Tensor
    rows: torch.Tensor
    targets: torch.Tensor


class PackedModel:
    """Log-probabilities of branches, differentiable by the adapters of a model.

    The base weights are constants: no gradient reaches them, and the backward pass ends at the
    lowest adapter. Shared tokens of a batch share their dropout, too.

    Args:
        module: The model; linear layers that PEFT has wrapped are read with their adapters.
        generator: Where dropout is drawn from; torch's own where None.

    Attributes:
        module: The model.
    """

    def __init__(self, module: Gpt2, generator: torch.Generator | None = None) -> None:
        self.module = module
        self._generator = generator

    def logits(self, trees: Sequence[Tree], *, training: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits (M, V) of all tokens of all branches, and the tokens' ids (M,).

        Args:
            trees: The batch; M is tree by tree, branch by branch, token by token.
            training: Apply the adapters' dropout.
        """
        states = self.states(trees, training=training)
        hidden = states.hidden.index_select(0, states.rows)
        return F.linear(hidden, self._table), states.targets

    def log_probabilities(self, trees: Sequence[Tree], *, training: bool) -> torch.Tensor:
        """Return the log-probabilities (M,) of the tokens that `logits` is about."""
        return self.target_log_probabilities(self.states(trees, training=training))

    def target_log_probabilities(self, states: States) -> torch.Tensor:
        """Return the log-probabilities (M,) of the targets; no (M, V) tensor comes to be."""
        return TargetLogProbabilities.apply(  # type: ignore[no-any-return, no-untyped-call]  # torch does not annotate it
            states.hidden, self._table, states.rows, states.targets
        )

    def states(self, trees: Sequence[Tree], *, training: bool) -> States:
        """Return the hidden states from which the head predicts the branches' tokens.

        Raises:
            ModelError: If a layer has adapters that are not served here.
        """
        stream = pack(trees, device=self._table.device, dtype=self._table.dtype)
        return States(self._run(stream, training=training), stream.rows, stream.targets)

    @property
    def _table(self) -> torch.Tensor:
        return self.module.embedding.detach()

    def _run(self, stream: Stream, *, training: bool) -> torch.Tensor:
        transformer, shape = self.module.transformer, self.module.shape
        places = transformer["wpe"]
        assert isinstance(places, nn.Embedding)
        x = F.embedding(stream.ids, self._table)
        x = x + F.embedding(stream.positions, places.weight.detach())  # (T, D)

        def linear(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
            return _linear(layer, x, training=training, generator=self._generator)

        blocks = list(self._blocks())
        for number, block in enumerate(blocks):
            qkv = linear(block.attn.c_attn, _normalised(block.ln_1, x))
            change = TreeAttention.apply(qkv, shape.n_head, stream.units)  # type: ignore[no-untyped-call]  # torch does not annotate it
            if number == len(blocks) - 1:  # nothing more passes between tokens
                change = change.index_select(0, stream.wanted)
                x = x.index_select(0, stream.wanted)
            x = x + linear(block.attn.c_proj, change)
            inner = linear(block.mlp.c_fc, _normalised(block.ln_2, x))
            x = x + linear(block.mlp.c_proj, _activated(block, shape.activation_function, inner))
        last = transformer["ln_f"]
        assert isinstance(last, nn.LayerNorm)
        return _normalised(last, x)

    def _blocks(self) -> Sequence[Block]:
        blocks = self.module.transformer["h"]
        assert isinstance(blocks, nn.ModuleList)
        return [block for block in blocks if isinstance(block, Block)]


class _Adapter(NamedTuple):
    """What PEFT put beside a linear layer."""

    base: nn.Linear
    a: torch.Tensor  # (r, in)
    b: torch.Tensor  # (out, r)
    scale: float
    dropout: float

    @classmethod
    def of(cls, layer: nn.Module) -> _Adapter | None:
        """Return the adapter of a layer, or None if it has none that is switched on."""
        if isinstance(layer, nn.Linear):
            return None
        # Not by PEFT's class: importing PEFT takes seconds, and models without adapters come here.
        found: Any = layer
        if found.disable_adapters:
            return None
        names = [name for name in found.active_adapters if name in found.lora_A]
        if not names:
            return None
        name, *others = names
        if others or found.merged or name in found.lora_variant or found.lora_bias[name]:
            text = f"adapters {names} are several, merged, with a bias, or a variant of LoRA"
            raise ModelError.of("adapter-unsupported", text, fix="use one plain LoRA adapter")
        return cls(
            found.base_layer,
            found.lora_A[name].weight,
            found.lora_B[name].weight,
            float(found.scaling[name]),
            float(getattr(found.lora_dropout[name], "p", 0.0)),  # an identity has none
        )


def _linear(
    layer: nn.Module, x: torch.Tensor, *, training: bool, generator: torch.Generator | None
) -> torch.Tensor:
    adapter = _Adapter.of(layer)
    if adapter is None:
        base = layer if isinstance(layer, nn.Linear) else layer.base_layer
        assert isinstance(base, nn.Linear)
        return F.linear(x, base.weight.detach(), base.bias.detach())
    keep, share = None, 1.0
    if training and adapter.dropout > 0:
        keep, share = dropout_mask((len(x), x.shape[1]), adapter.dropout, x.device, generator)
    base, a, b, scale, _ = adapter
    return LoraLinear.apply(  # type: ignore[no-any-return, no-untyped-call]  # torch does not annotate it
        x, base.weight.detach(), base.bias.detach(), a, b, scale / share, keep
    )


def _normalised(layer: nn.LayerNorm, x: torch.Tensor) -> torch.Tensor:
    weight, bias = layer.weight.detach(), layer.bias.detach()
    return F.layer_norm(x, layer.normalized_shape, weight, bias, layer.eps)


def _activated(block: Block, name: str, x: torch.Tensor) -> torch.Tensor:
    if name in _TANH_GELU:
        return TanhGelu.apply(x)  # type: ignore[no-any-return, no-untyped-call]  # torch does not annotate it
    return block.mlp.activation(x)
