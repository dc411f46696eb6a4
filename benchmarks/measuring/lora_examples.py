"""The examples of `training.py`, and what training on them costs at the least."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

import torch

from aegis_gpt2_lora.packing import Tree, pack
from measuring.stopwatch import timed, typical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis_gpt2_lora.gpt2 import Shape

SHARED: Final = 40  # tokens of the prefix that all prompts have in the rows that say so
LONGEST: Final = 256
RANK: Final = 8


def lengths(count: int) -> tuple[list[int], list[int]]:
    """Return log-normal lengths of examples (mean 109) and how many of those are completion."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.empty(count).log_normal_(4.58, 0.42, generator=generator)
    total = drawn.round().clamp(SHARED + 24, LONGEST).long()
    completion = torch.randint(6, 25, (count,), generator=generator)
    return total.tolist(), torch.minimum(completion, total - SHARED - 8).tolist()


def examples(count: int, rows: int, *, shared: bool) -> list[Tree]:
    """Return random examples of those lengths below `rows` ids, one completion each."""
    generator = torch.Generator().manual_seed(1)

    def ids(length: int) -> tuple[int, ...]:
        return tuple(torch.randint(0, rows, (length,), generator=generator).tolist())

    prefix = ids(SHARED)
    return [
        Tree((prefix if shared else ids(SHARED)) + ids(total - SHARED - end), (ids(end),))
        for total, end in zip(*lengths(count), strict=True)
    ]


def operations(trees: Sequence[Tree], shape: Shape) -> float:
    """Return the multiplications and additions that one step on `trees` needs, exactly.

    A product of T tokens with a frozen matrix of N numbers is 2 N T forward and 2 N T for the
    gradient of its input; for the first layer's queries, keys and values nobody needs that
    gradient, and behind the last layer's attention only tokens that predict a label go on. An
    adapter (c_attn and both c_proj) is 6 N T. Attention is 12 D for every pair of a token and one
    that it looks at, the head 4 N for every predicting token. Norms, sums, activations: nothing.
    """
    stream = pack(trees)
    tokens, asking, width = len(stream.ids), len(stream.wanted), shape.n_embd
    inner = shape.n_inner or 4 * width
    into, out_of = 3 * width * width, width * width + 2 * width * inner  # attention's in, the rest
    adapter_in, adapters_out = RANK * 4 * width, RANK * (2 * width + inner + width)
    pairs = int((stream.positions + 1).sum())
    layers = shape.n_layer
    return float(
        4 * into * tokens * layers
        - 2 * into * tokens
        + 4 * out_of * (tokens * (layers - 1) + asking)
        + 6 * adapter_in * tokens * layers
        + 6 * adapters_out * (tokens * (layers - 1) + asking)
        + 12 * width * pairs * layers
        + 4 * width * shape.vocab_size * asking
    )


def multiplication_rate(shape: Shape, threads: int, tokens: int = 1024) -> float:
    """Return the operations a second of this machine's matrix products at a layer's shapes."""
    width, inner = shape.n_embd, shape.n_inner or 4 * shape.n_embd
    sides = ((width, 3 * width), (width, width), (width, inner), (inner, width))
    inputs = [torch.randn(tokens, read) for read, _ in sides]
    weights = [torch.randn(written, read) for read, written in sides]
    outputs = [torch.randn(tokens, written) for _, written in sides]

    def both_ways() -> None:
        for x, weight, dy in zip(inputs, weights, outputs, strict=True):
            torch.mm(x, weight.T)
            torch.mm(dy, weight)

    both_ways()
    seconds = typical([timed(both_ways) for _ in range(5)], threads)
    return 4 * tokens * sum(read * written for read, written in sides) / seconds


def batches(trees: Sequence[Tree], size: int, *, by_length: bool) -> list[list[Tree]]:
    """Return all examples in batches, in random order or with those of like length together."""
    order = sorted(trees, key=_length) if by_length else list(trees)
    return [order[at : at + size] for at in range(0, len(order), size)]


def padded_tokens(batch: Sequence[Tree], longest: int | None = None) -> int:
    """Return the tokens that a padded batch has."""
    return len(batch) * (longest or max(map(_length, batch)))


def packed_tokens(batch: Sequence[Tree]) -> int:
    """Return the tokens that a packed batch has."""
    return len(pack(batch).ids)


def nearest_mean(costs: Sequence[int], count: int) -> list[int]:
    """Return the numbers of the `count` batches whose cost is nearest to the mean."""
    mean = statistics.mean(costs)
    return sorted(range(len(costs)), key=lambda number: abs(costs[number] - mean))[:count]


def _length(tree: Tree) -> int:
    return len(tree.prompt) + len(tree.branches[0])
