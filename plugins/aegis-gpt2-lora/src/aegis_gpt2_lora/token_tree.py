"""Several continuations of one text as a tree: what they begin with in common is computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@frozen(eq=False)
class TokenTree:
    """Continuations merged where they begin alike.

    A node is a token after the tokens above it. Nodes with something below them are rows: a model
    has to read them to know what follows. Rows are numbered in the order of the tree, a row's own
    row above it before it.

    Attributes:
        tokens: Id of each row's token, (R,).
        depths: Tokens above each row's token, (R,).
        above: Row above each row, (R,); -1 where that is the text itself.
        sources: By node, the row whose logits predict it, (N,); -1 for the text's own logits.
        targets: By node, its id, (N,).
        branches: By continuation, its nodes in order.
    """

    tokens: tuple[int, ...]
    depths: tuple[int, ...]
    above: tuple[int, ...]
    sources: tuple[int, ...]
    targets: tuple[int, ...]
    branches: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, branches: Sequence[Sequence[int]]) -> TokenTree:
        """Return the tree of continuations, each of at least one token."""
        nodes: dict[tuple[int, int], int] = {}  # (row above, token): node
        row_of: dict[int, int] = {}  # node: its row
        rows: list[tuple[int, int, int]] = []  # token, depth, row above
        found = []
        for branch in branches:
            path: list[int] = []
            source = -1
            for depth, token in enumerate(branch):
                if path:  # something follows the node before: it is read
                    if path[-1] not in row_of:
                        row_of[path[-1]] = len(rows)
                        rows.append((branch[depth - 1], depth - 1, source))
                    source = row_of[path[-1]]
                path.append(nodes.setdefault((source, token), len(nodes)))
            found.append(tuple(path))
        tokens, depths, above = zip(*rows, strict=True) if rows else ((), (), ())
        sources, targets = zip(*nodes, strict=True) if nodes else ((), ())
        return cls(tokens, depths, above, sources, targets, tuple(found))

    def seen(self) -> NDArray[np.bool_]:
        """Return what each row sees of the others: those above it, and itself, (R, R)."""
        seen = np.zeros((len(self.above), len(self.above)), dtype=np.bool_)
        for row, above in enumerate(self.above):
            if above >= 0:
                seen[row] = seen[above]
            seen[row, row] = True
        return seen
