"""GPT-2 on trees with a gradient for every weight: how a small model is trained whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812 - the usual name

from aegis_gpt2_lora.packed_model import States
from aegis_gpt2_lora.padding import pad

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis_gpt2_lora.gpt2 import Block, Gpt2
    from aegis_gpt2_lora.packing import Tree
    from aegis_gpt2_lora.padding import PaddedTrees


class Gpt2Trees:
    """Log-probabilities of branches, differentiable by all weights of a model.

    Args:
        module: The model.
        dropout: Share of the embedding and of what each layer adds that is left out in training,
            as ``embd_pdrop`` and ``resid_pdrop`` of GPT-2; branches share that of their prompt.
    """

    def __init__(self, module: Gpt2, dropout: float = 0.0) -> None:
        self._module = module
        self._dropout = dropout

    def states(self, trees: Sequence[Tree], *, training: bool) -> States:
        """Return the hidden states from which the head predicts the branches' tokens."""
        table = self._module.embedding
        padded = pad(trees, device=table.device, dtype=table.dtype)
        dropout = self._dropout if training else 0.0
        return States(self._run(padded, dropout), padded.rows, padded.targets)

    def target_log_probabilities(self, states: States) -> torch.Tensor:
        """Return the log-probability of each predicted token, (M,)."""
        logits = self._module.head(states.hidden)  # (R, V)
        return logits[states.rows, states.targets] - logits.logsumexp(-1)[states.rows]

    def _run(self, padded: PaddedTrees, dropout: float) -> torch.Tensor:
        transformer = self._module.transformer
        x = transformer["wte"](padded.ids) + transformer["wpe"](padded.positions)  # (B, L, D)
        x = F.dropout(x, dropout, training=dropout > 0)
        blocks = self._module.blocks
        for block in blocks[:-1]:
            x = x + F.dropout(_attended(block, x, padded.mask), dropout, training=dropout > 0)
            x = x + F.dropout(block.mlp(block.ln_2(x)), dropout, training=dropout > 0)
        last = blocks[-1]
        tree = torch.arange(len(x), device=x.device)[:, None]
        change = _attended(last, x, padded.mask[tree, padded.asking], padded.asking)
        x = x[tree, padded.asking] + F.dropout(change, dropout, training=dropout > 0)  # (B, W, D)
        x = x + F.dropout(last.mlp(last.ln_2(x)), dropout, training=dropout > 0)
        return transformer["ln_f"](x).flatten(0, 1)  # type: ignore[no-any-return]  # modules return Any


def _attended(
    block: Block, x: torch.Tensor, mask: torch.Tensor, asking: torch.Tensor | None = None
) -> torch.Tensor:
    """Return what a layer's attention adds, (B, Q, D), at all places or those that ask."""
    attention = block.attn
    h = block.ln_1(x)
    if asking is None:
        q, k, v = attention.c_attn(h).chunk(3, dim=-1)
    else:
        width, projection = h.shape[-1], attention.c_attn
        k, v = F.linear(h, projection.weight[width:], projection.bias[width:]).chunk(2, dim=-1)
        h = h[torch.arange(len(x), device=x.device)[:, None], asking]
        q = F.linear(h, projection.weight[:width], projection.bias[:width])
    q, k, v = (part.unflatten(-1, (attention.heads, -1)).transpose(1, 2) for part in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None])  # (B, H, Q, D/H)
    return attention.c_proj(out.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]  # modules return Any
