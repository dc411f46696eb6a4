"""GPT-2, as small as serving and training it need.

Radford et al. 2019, "Language Models are Unsupervised Multitask Learners". Modules have the names
that transformers gives them (``transformer.h.0.attn.c_attn``), so that weights and adapters are
exchanged by name; projections are plain linear layers, transposed when files are read and
written. Why not transformers' own class: importing it takes 4 s, and this one computes a
decision's candidates over one shared prefix without copying it.

There is no dropout here: it belongs to training many epochs, and stands where that is computed
(`aegis_gpt2_lora.gpt2_trees`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from attrs import frozen
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the usual name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_ACTIVATIONS: Final[Mapping[str, Callable[[torch.Tensor], torch.Tensor]]] = {
    "gelu": F.gelu,
    "gelu_new": lambda x: F.gelu(x, approximate="tanh"),
    "gelu_pytorch_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
}
# Settings of transformers' GPT2Config that change the arithmetic, with the values served here.
_SERVED: Final = {
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
    "tie_word_embeddings": True,
}


@frozen
class Shape:
    """Sizes of a GPT-2, under the names of transformers' ``GPT2Config``."""

    vocab_size: int = 50257
    n_positions: int = 1024  # tokens of context
    n_embd: int = 768  # width of the residual stream
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None  # width of the feed-forward layers; 4 n_embd where None
    activation_function: str = "gelu_new"
    layer_norm_epsilon: float = 1e-5

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Shape | None:
        """Return the shape that a config.json states, or None if this class cannot serve it."""
        names = {attribute.name for attribute in cls.__attrs_attrs__}
        shape = cls(**{name: value for name, value in config.items() if name in names})
        usual = all(config.get(key, value) == value for key, value in _SERVED.items())
        known = config.get("model_type") == "gpt2" and shape.activation_function in _ACTIVATIONS
        return shape if usual and known and shape.n_embd % shape.n_head == 0 else None


class Memory(NamedTuple):
    """Keys and values of one layer, each (H, P, D/H) for a prefix of P tokens."""

    keys: torch.Tensor
    values: torch.Tensor


class Attention(nn.Module):
    """Causal self-attention of continuations to themselves and to one prefix that they share."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.n_head
        self.c_attn = nn.Linear(shape.n_embd, 3 * shape.n_embd)
        self.c_proj = nn.Linear(shape.n_embd, shape.n_embd)

    def forward(
        self, x: torch.Tensor, past: Memory | None, *, last_only: bool
    ) -> tuple[torch.Tensor, Memory]:
        """Return the output and the keys and values of `x`.

        Args:
            x: Continuations, (N, L, D).
            past: The shared prefix, or None.
            last_only: Compute the output of the last position alone, (N, 1, D).
        """
        q, k, v = self._split(self.c_attn(x))
        if last_only:
            q = q[:, :, -1:]
        if past is None:
            out = F.scaled_dot_product_attention(q, k, v, is_causal=not last_only)
        else:
            out = _attend(q, k, v, past)
        return self.c_proj(out.transpose(1, 2).flatten(2)), Memory(k, v)

    def ragged(self, x: torch.Tensor, real: torch.Tensor, past: Memory) -> torch.Tensor:
        """Return the output for the real tokens (M, D) of continuations, mask (N, L)."""
        qkv = self.c_attn(x)  # (M, 3 D)
        padded = qkv.new_zeros(*real.shape, qkv.shape[-1])
        padded[real] = qkv
        out = _attend(*self._split(padded), past)  # (N, H, L, D/H)
        return self.c_proj(out.transpose(1, 2).flatten(2)[real])  # type: ignore[no-any-return]  # modules return Any

    def _split(self, qkv: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return queries, keys and values, each (N, H, L, D/H), from (N, L, 3 D)."""
        n, length, width = qkv.shape
        heads = qkv.view(n, length, 3, self.heads, width // (3 * self.heads))
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        return q, k, v


def _attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, past: Memory
) -> torch.Tensor:  # (N, H, Q, D/H), Q <= L: the last Q positions ask
    """Attend to a prefix of all rows and to each row's own tokens under one softmax."""
    n, heads, asked, size = q.shape
    length, before = k.shape[2], past.keys.shape[1]
    q = q * size**-0.5
    flat = q.transpose(0, 1).reshape(heads, n * asked, size)
    to_prefix = flat @ past.keys.transpose(1, 2)  # (H, N Q, P)
    to_self = (q @ k.transpose(2, 3)).transpose(0, 1)  # (H, N, Q, L)
    if asked > 1:
        future = torch.ones(asked, length, dtype=torch.bool, device=q.device).triu(
            length - asked + 1
        )
        to_self = to_self.masked_fill(future, -torch.inf)
    scores = torch.cat([to_prefix, to_self.reshape(heads, n * asked, length)], dim=-1)
    weights = scores.softmax(-1)
    from_prefix = weights[..., :before] @ past.values  # (H, N Q, D/H)
    own = weights[..., before:].view(heads, n, asked, length).transpose(0, 1)
    return (own @ v) + from_prefix.view(heads, n, asked, size).transpose(0, 1)


class Mlp(nn.Module):
    """The feed-forward layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        inner = shape.n_inner or 4 * shape.n_embd
        self.c_fc = nn.Linear(shape.n_embd, inner)
        self.c_proj = nn.Linear(inner, shape.n_embd)
        self.activation = _ACTIVATIONS[shape.activation_function]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output, (..., D)."""
        return self.c_proj(self.activation(self.c_fc(x)))  # type: ignore[no-any-return]  # modules return Any


class Block(nn.Module):
    """One layer: attention and feed-forward, each normalised before and added."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(shape.n_embd, eps=shape.layer_norm_epsilon)
        self.attn = Attention(shape)
        self.ln_2 = nn.LayerNorm(shape.n_embd, eps=shape.layer_norm_epsilon)
        self.mlp = Mlp(shape)

    def forward(
        self, x: torch.Tensor, past: Memory | None, *, last_only: bool = False
    ) -> tuple[torch.Tensor, Memory]:
        """Return the residual stream after this layer and its keys and values."""
        change, memory = self.attn(self.ln_1(x), past, last_only=last_only)
        x = (x[:, -1:] if last_only else x) + change
        return x + self.mlp(self.ln_2(x)), memory

    def ragged(self, x: torch.Tensor, real: torch.Tensor, past: Memory) -> torch.Tensor:
        """Return the residual stream (M, D) of the real tokens after this layer."""
        x = x + self.attn.ragged(self.ln_1(x), real, past)
        return x + self.mlp(self.ln_2(x))  # type: ignore[no-any-return]  # modules return Any


def _embedding(rows: int, width: int) -> nn.Embedding:
    """Return an embedding that is not drawn: on the meta device that imports half of torch."""
    weight = torch.empty(rows, width)
    embedding: nn.Embedding = nn.Embedding.from_pretrained(weight, freeze=False)  # type: ignore[no-untyped-call]  # torch does not annotate it
    return embedding


class Gpt2(nn.Module):
    """The whole model; the head is the token embedding.

    Its weights are not drawn: load some, or call `initialise`.

    Args:
        shape: Its sizes.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.transformer = nn.ModuleDict(
            {
                "wte": _embedding(shape.vocab_size, shape.n_embd),
                "wpe": _embedding(shape.n_positions, shape.n_embd),
                "h": nn.ModuleList(Block(shape) for _ in range(shape.n_layer)),
                "ln_f": nn.LayerNorm(shape.n_embd, eps=shape.layer_norm_epsilon),
            }
        )

    def forward(
        self,
        ids: torch.Tensor,
        past: Sequence[Memory] | None = None,
        *,
        last_only: bool = False,
    ) -> tuple[torch.Tensor, list[Memory]]:
        """Return the final hidden states and the keys and values of every layer.

        Args:
            ids: Token ids, (N, L); with `past`, N continuations of the one prefix.
            past: Memory of the prefix by layer.
            last_only: Compute the last position's hidden state alone.

        Returns:
            Hidden states (N, L, D), or (N, 1, D); and the memory of `ids`, each (N, H, L, D/H).
        """
        before = past[0].keys.shape[1] if past else 0
        positions = torch.arange(before, before + ids.shape[1], device=ids.device)
        x = self.transformer["wte"](ids) + self.transformer["wpe"](positions)  # (N, L, D)
        memories = []
        blocks = self.blocks
        for number, block in enumerate(blocks):
            last = last_only and number == len(blocks) - 1
            x, memory = block(x, past[number] if past else None, last_only=last)
            memories.append(memory)
        return self.transformer["ln_f"](x), memories

    def branches(
        self, ids: torch.Tensor, real: torch.Tensor, past: Sequence[Memory]
    ) -> torch.Tensor:
        """Return hidden states (M, D) of the real tokens of continuations of one prefix.

        Only attention sees the padding; projections and feed-forward layers compute real tokens.

        Args:
            ids: Token ids padded on the right, (N, L).
            real: Where there is a token, boolean (N, L), M of them true.
            past: Memory of the prefix by layer.
        """
        before = past[0].keys.shape[1]
        positions = torch.arange(before, before + ids.shape[1], device=ids.device)
        places = positions.expand(ids.shape)[real]  # (M,)
        x = self.transformer["wte"](ids[real]) + self.transformer["wpe"](places)  # (M, D)
        for block, memory in zip(self.blocks, past, strict=True):
            x = block.ragged(x, real, memory)
        return self.transformer["ln_f"](x)  # type: ignore[no-any-return]  # modules return Any

    def head(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return logits (..., V) of hidden states (..., D)."""
        return F.linear(hidden, self.embedding)

    @property
    def embedding(self) -> torch.Tensor:
        """The token embedding, (V, D)."""
        embedding = self.transformer["wte"]
        assert isinstance(embedding, nn.Embedding)
        return embedding.weight

    def initialise(self, generator: torch.Generator, deviation: float = 0.02) -> Gpt2:
        """Draw the weights as GPT-2's were: normal, residual projections scaled by depth.

        Args:
            generator: Where they come from.
            deviation: Standard deviation; 0.02 is GPT-2's, at width 768.
        """
        scale = (2 * self.shape.n_layer) ** -0.5
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if weight.dim() == 1:
                    weight.fill_(float(".ln_" in name and name.endswith("weight")))
                else:
                    residual = scale if name.endswith("c_proj.weight") else 1.0
                    weight.normal_(0.0, deviation * residual, generator=generator)
        return self

    @property
    def blocks(self) -> list[Block]:
        """The layers, first to last."""
        blocks = self.transformer["h"]
        assert isinstance(blocks, nn.ModuleList)
        return [block for block in blocks if isinstance(block, Block)]

    @property
    def activation(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """What is applied inside the feed-forward layers."""
        return _ACTIVATIONS[self.shape.activation_function]
