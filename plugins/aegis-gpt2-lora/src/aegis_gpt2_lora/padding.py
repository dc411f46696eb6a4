"""How trees of token ids become one rectangle: a row for each tree, its branches behind its prompt.

Only attention sees that a row is a tree: each token looks at those of the prompt that stand before
it and at those of its own branch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis_gpt2_lora.packing import Tree

_NOTHING: Final = -1  # the segment of places that hold no token


@frozen(eq=False)
class PaddedTrees:
    """A batch of B trees in rows of L places, which ask at W places at most and want M tokens.

    The last token of a branch is predicted and never read: it is not there.

    Attributes:
        ids: Token ids, (B, L).
        positions: Their places in their texts, (B, L).
        mask: What is added to attention, (B, L, L): 0 where a place looks, at itself at least,
            else minus infinity.
        asking: Places whose hidden states predict something, (B, W); any place where a tree has
            fewer.
        rows: Which of the B W asking places predicts each token, (M,): tree by tree, branch by
            branch, token by token.
        targets: Ids of the predicted tokens, (M,).
    """

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    asking: torch.Tensor
    rows: torch.Tensor
    targets: torch.Tensor


def pad(
    trees: Sequence[Tree],
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> PaddedTrees:
    """Return trees as a rectangle, the mask in `dtype`."""
    read = [sum(len(branch) - 1 for branch in tree.branches) for tree in trees]
    shape = len(trees), max(len(t.prompt) + more for t, more in zip(trees, read, strict=True))
    ids = np.zeros(shape, np.int64)
    positions = np.zeros(shape, np.int64)
    segments = np.full(shape, _NOTHING, np.int64)
    asking = np.zeros((len(trees), 1 + max(read)), np.int64)
    rows: list[int] = []
    targets: list[int] = []
    for number, tree in enumerate(trees):
        length = len(tree.prompt)
        ids[number, :length] = tree.prompt
        positions[number, :length] = np.arange(length)
        segments[number, :length] = 0
        asking[number, 0] = length - 1
        first = number * asking.shape[1]
        at = length
        for segment, branch in enumerate(tree.branches, start=1):
            stop = at + len(branch) - 1
            ids[number, at:stop] = branch[:-1]
            positions[number, at:stop] = np.arange(length, length + len(branch) - 1)
            segments[number, at:stop] = segment
            rows.append(first)
            rows.extend(range(first + 1 + at - length, first + 1 + stop - length))
            targets.extend(branch)
            at = stop
        asking[number, 1 : 1 + at - length] = np.arange(length, at)
    there = torch.from_numpy(segments)
    own = there[:, :, None] == there[:, None, :]
    seen = (own | (there == 0)[:, None, :]).tril_()
    mask = torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, -torch.inf)
    return PaddedTrees(
        torch.from_numpy(ids).to(device),
        torch.from_numpy(positions).to(device),
        mask.to(device),
        torch.from_numpy(asking).to(device),
        torch.tensor(rows, device=device),
        torch.tensor(targets, device=device),
    )
