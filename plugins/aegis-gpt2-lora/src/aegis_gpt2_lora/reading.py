"""Reading with a `Decoder`: one text and its branches, or several texts at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from aegis_gpt2_lora.decoding import Decoder, Group, Piece
from aegis_gpt2_lora.language_model import Prefix
from aegis_gpt2_lora.token_tree import TokenTree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from aegis_gpt2_lora.gpt2 import Gpt2
    from aegis_gpt2_lora.language_model import Branches

_ROWS: Final = 512  # most rows of branches that one text is considered with at once
_RIDING: Final = 32  # rows of branches that are computed together with their text
_GROUP: Final = 64  # rows of a tree that attend together; each sees little of the whole tree
_HEAD_ROWS: Final = 128  # rows whose logits are held at once: 25 MB at 50,257 tokens


class Reader:
    """Reads texts without gradients, at the speed of the machine.

    There is one memory: reading after a prefix writes over what was read after it before, and a
    prefix that was written over is refused.

    Args:
        module: A GPT-2 whose projections are plain linear layers.
    """

    def __init__(self, module: Gpt2) -> None:
        self._capacity = module.shape.n_positions + _ROWS
        self._decoder = Decoder(module, self._capacity)
        self._device = self._decoder.memory.device
        self._held: list[object] = []  # a mark for each reading that the memory holds, in order

    def read(self, ids: Sequence[int], after: Prefix | None = None) -> Prefix:
        """Return the prefix `after` with ids added."""
        before, held = self._before(after)
        del self._held[held:]
        places = torch.arange(before, before + len(ids), device=self._device)
        last = len(ids) - 1
        hidden = self._decoder.hidden(
            self._tensor(ids), places, [Piece(0, len(ids), asks=last, before=before)]
        )
        return self._prefix(ids, after, self._decoder.logits(hidden)[0])

    def consider(
        self, ids: Sequence[int], branches: Branches, after: Prefix | None = None
    ) -> tuple[Prefix, list[torch.Tensor]]:
        """Return the prefix `after` with ids added, and the log-probabilities of branches, (L,).

        The first rows of the branches are computed together with the text, since small matrices
        are slow. The places for them are there whether or not they are taken: the shape of the
        computation, and with it the last bit of the text's keys and values, depends on the text
        alone.
        """
        before, held = self._before(after)
        del self._held[held:]
        length = before + len(ids)
        groups = list(_grouped(branches))
        tree = TokenTree.of(groups[0] if groups else ())
        riding = min(_RIDING, len(tree.tokens))
        idle = [0] * (_RIDING - riding)
        places = [*range(before, length), *(length + depth for depth in tree.depths)]
        pieces = [Piece(0, len(ids), asks=len(ids) - 1, before=before)]
        if riding:
            pieces.append(self._piece(tree, len(ids), length, range(riding)))
        rows = self._decoder.hidden(
            self._tensor([*ids, *tree.tokens[:riding], *idle]),
            self._tensor([*places[: len(ids) + riding], *idle]),
            pieces,
        )
        if len(tree.tokens) > riding:
            rest = self._piece(tree, 0, length, range(riding, len(tree.tokens)))
            later = self._tensor(tree.tokens[riding:])
            at = self._tensor(places[len(ids) + riding :])
            rows = torch.cat([rows, self._decoder.hidden(later, at, [rest])])
        found, logits = self._values(rows, [tree])
        prefix = self._prefix(ids, after, logits)
        for group in groups[1:]:
            tree = TokenTree.of(group)
            found += self._values(torch.cat([rows[:1], self._tree(prefix, tree)]), [tree])[0]
        return prefix, found

    def branch(self, prefix: Prefix, branches: Branches) -> torch.Tensor:
        """Return logits (M, V) of what follows each token of branches, all of them at once."""
        # An id that no token has ends each branch, so that its last token is a row as well.
        tree = TokenTree.of([(*branch, -1) for branch in branches])
        rows = [tree.sources[node] for nodes in tree.branches for node in nodes[1:]]
        return self._decoder.logits(self._tree(prefix, tree))[self._tensor(rows)]

    def batch(
        self, items: Sequence[tuple[Sequence[int], Branches]], after: Prefix | None = None
    ) -> list[list[torch.Tensor]]:
        """Return the log-probabilities of the branches of several texts after one prefix."""
        found: list[list[torch.Tensor]] = []
        for group in self._packed(items, len(after.ids) if after is not None else 0):
            if len(group) == 1:
                found.append(self.consider(*group[0], after)[1])
            else:
                found += self._together(group, after)
        return found

    def _packed(
        self, items: Sequence[tuple[Sequence[int], Branches]], before: int
    ) -> Iterator[list[tuple[Sequence[int], Branches]]]:
        """Yield the items in groups that the memory holds; an item too large for it is alone."""
        group: list[tuple[Sequence[int], Branches]] = []
        used = 0
        for ids, branches in items:
            size = before + len(ids) + sum(len(branch) - 1 for branch in branches)
            if group and used + size > self._capacity:
                yield group
                group, used = [], 0
            group.append((ids, branches))
            used += size
        if group:
            yield group

    def _together(
        self, group: Sequence[tuple[Sequence[int], Branches]], after: Prefix | None
    ) -> list[list[torch.Tensor]]:
        """Return the log-probabilities of branches, computed in one pass."""
        before, held = self._before(after)
        del self._held[held:]
        ids: list[int] = []
        places: list[int] = []
        pieces, trees, base = [], [], 0
        for text, branches in group:
            if base:
                self._decoder.copy(before, base)
            pieces.append(
                Piece(len(ids), len(ids) + len(text), base, before, asks=len(ids) + len(text) - 1)
            )
            ids += text
            places += range(before, before + len(text))
            trees.append(TokenTree.of(branches))
            base += before + len(text) + len(trees[-1].tokens)
        for number, tree in enumerate(trees):
            if tree.tokens:
                own = pieces[number]
                length = before + own.stop - own.start
                rows = range(len(tree.tokens))
                pieces.append(self._piece(tree, len(ids), length, rows, base=own.base))
                ids += tree.tokens
                places += [length + depth for depth in tree.depths]
        hidden = self._decoder.hidden(self._tensor(ids), self._tensor(places), pieces)
        values = iter(self._values(hidden, trees)[0])
        return [[next(values) for _ in branches] for _, branches in group]

    def _tree(self, prefix: Prefix, tree: TokenTree) -> torch.Tensor:
        """Return the hidden states (R, D) of the rows of a tree."""
        length, held = self._before(prefix)
        del self._held[held:]
        places = [length + depth for depth in tree.depths]
        piece = self._piece(tree, 0, length, range(len(tree.tokens)))
        return self._decoder.hidden(self._tensor(tree.tokens), self._tensor(places), [piece])

    def _piece(self, tree: TokenTree, at: int, length: int, rows: range, *, base: int = 0) -> Piece:
        """Return some rows of a tree as a piece.

        Args:
            tree: The tree.
            at: Which row of the pass the first of them is.
            length: Tokens of the text before the tree.
            rows: Which of them.
            base: Where the text begins in the memory.
        """
        seen = tree.seen()
        groups = []
        for start in range(rows.start, rows.stop, _GROUP):
            stop = min(start + _GROUP, rows.stop)
            (wanted,) = np.nonzero(seen[start:stop].any(0))
            mask = np.zeros((stop - start, length + len(wanted)), dtype=np.float32)
            mask[:, length:][~seen[start:stop][:, wanted]] = -np.inf
            every = len(wanted) == wanted[-1] + 1  # no row before them is left out
            groups.append(
                Group(
                    start - rows.start,
                    stop - rows.start,
                    None if every else self._tensor(wanted),
                    torch.from_numpy(mask).to(self._device, self._decoder.memory.dtype),
                )
            )
        before = length + rows.start
        return Piece(at, at + len(rows), base, before, length, tuple(groups))

    def _values(
        self, rows: torch.Tensor, trees: Sequence[TokenTree]
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Return the log-probabilities of all branches, (L,) each, and the first row's logits.

        Args:
            rows: Hidden states of the last token of each tree's text, and after them of the rows
                of all trees, (texts + R, D).
            trees: The trees.
        """
        sources: list[int] = []  # by node of all trees, the row that predicts it
        read = len(trees)
        for number, tree in enumerate(trees):
            sources += [number if source < 0 else read + source for source in tree.sources]
            read += len(tree.tokens)
        source = np.array(sources, dtype=np.int64)
        target = np.array([token for tree in trees for token in tree.targets], dtype=np.int64)
        values = rows.new_empty(len(source))
        first = rows.new_empty(0)
        for start in range(0, read, _HEAD_ROWS):
            logits = self._decoder.logits(rows[start : start + _HEAD_ROWS])
            if start == 0:
                first = logits[0].clone()
            (nodes,) = np.nonzero((source >= start) & (source < start + _HEAD_ROWS))
            at = self._tensor(source[nodes] - start)
            taken = logits[at, self._tensor(target[nodes])]
            # logsumexp in place: a row has as many entries as the vocabulary
            largest = logits.amax(-1, keepdim=True)
            total = logits.sub_(largest).exp_().sum(-1).log_() + largest[:, 0]
            values[self._tensor(nodes)] = taken - total[at]
        found, start = [], 0
        for tree in trees:
            found += [values[[start + node for node in nodes]] for nodes in tree.branches]
            start += len(tree.targets)
        return found, first

    def _prefix(self, ids: Sequence[int], after: Prefix | None, logits: torch.Tensor) -> Prefix:
        mark = object()
        self._held.append(mark)
        whole = (*after.ids, *ids) if after is not None else tuple(ids)
        return Prefix(whole, (mark, len(self._held) - 1), logits)

    def _before(self, prefix: Prefix | None) -> tuple[int, int]:
        """Return how many tokens stand before what follows a prefix, and how many readings."""
        if prefix is None:
            return 0, 0
        mark, held = prefix.memory
        if held >= len(self._held) or self._held[held] is not mark:
            raise RuntimeError("this prefix was written over by another text")
        return len(prefix.ids), held + 1

    def _tensor(self, ids: Sequence[int] | NDArray[np.int64]) -> torch.Tensor:
        return torch.as_tensor(ids, dtype=torch.long, device=self._device)


def _grouped(branches: Branches) -> Iterator[list[Sequence[int]]]:
    """Yield branches in groups of at most `_ROWS` rows; a longer one is alone."""
    group: list[Sequence[int]] = []
    rows = 0
    for branch in branches:
        if group and rows + len(branch) > _ROWS:
            yield group
            group, rows = [], 0
        group.append(branch)
        rows += len(branch)
    if group:
        yield group
