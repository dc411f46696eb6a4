"""How trees of token ids become one stream in which every shared prefix stands once.

Prompts that begin alike share their beginning, branches hang off their prompt's end. Only
attention sees that the stream is a tree: every other layer computes the stream's tokens as they
stand. Attention is computed in `Unit`s, short ranges of the stream that ask, each together with
the ranges that they may look at.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import torch
from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Range = tuple[int, int]
"""First token of the stream, and the token after the last one."""

_SPAN: Final = 96  # most tokens that ask in one unit: more waste in the mask, fewer calls
_WORTH: Final = 8  # tokens that sharing must save before a prefix becomes a segment of its own


@frozen
class Tree:
    """One example: a prompt and the continuations that branch off its end.

    Log-probabilities are wanted for every token of every branch and for nothing else.

    Attributes:
        prompt: Token ids, at least one.
        branches: Token ids of each continuation, at least one each.
    """

    prompt: tuple[int, ...]
    branches: tuple[tuple[int, ...], ...]

    def __attrs_post_init__(self) -> None:
        if not self.prompt or not self.branches or not all(self.branches):
            raise ValueError("a tree has a prompt and branches of at least one token each")


@frozen(eq=False)
class Unit:
    """Tokens whose attention is computed at once.

    Attributes:
        start: First asking token of the stream.
        stop: The token after the last one, Q = stop - start.
        keys: Ranges of the stream that are looked at, K tokens in all; the last range ends with
            the asking tokens.
        mask: What is added to scores, (Q, K): 0 where a token may look, else minus infinity.
    """

    start: int
    stop: int
    keys: tuple[Range, ...]
    mask: torch.Tensor


@frozen(eq=False)
class Stream:
    """A batch of trees as one stream of T tokens, with R wanted states and M wanted tokens.

    The last token of a branch is predicted and never read: it is not in the stream.

    Attributes:
        ids: Token ids, (T,).
        positions: Their places in their own tree, (T,).
        units: What attends to what; the units' ranges cover the stream in order.
        wanted: Tokens of the stream whose hidden states predict something, (R,), each once.
        rows: Which of the wanted states predicts, (M,): tree by tree, branch by branch, token by
            token.
        targets: Ids of the predicted tokens, (M,).
    """

    ids: torch.Tensor
    positions: torch.Tensor
    units: tuple[Unit, ...]
    wanted: torch.Tensor
    rows: torch.Tensor
    targets: torch.Tensor


@define(eq=False)
class _Segment:
    """Tokens in a row; its descendants follow it in the stream."""

    tokens: tuple[int, ...]
    parent: _Segment | None
    depth: int  # position of its first token
    children: list[_Segment] = field(factory=list)
    start: int = 0  # first token in the stream
    end: int = 0  # the token after its last descendant

    @property
    def stop(self) -> int:
        return self.start + len(self.tokens)

    def grow(self, tokens: tuple[int, ...]) -> _Segment:
        """Return the last segment of a chain that ends in `tokens`, none longer than a unit."""
        parent = self
        for at in range(0, len(tokens), _SPAN):
            depth = parent.depth + len(parent.tokens)
            child = _Segment(tokens[at : at + _SPAN], parent, depth)
            parent.children.append(child)
            parent = child
        return parent

    def place(self, start: int) -> int:
        """Give the stream's places from `start` on to it and its descendants; return their end."""
        self.start = start
        end = self.stop
        for child in self.children:
            end = child.place(end)
        self.end = end
        return end

    def walk(self) -> Iterator[_Segment]:
        """Yield it and its descendants as the stream has them."""
        yield self
        for child in self.children:
            yield from child.walk()


def pack(
    trees: Sequence[Tree],
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Stream:
    """Return the stream of a batch of trees, masks in `dtype`."""
    root = _Segment((), None, 0)
    ends: dict[tuple[int, ...], _Segment] = {}
    _share(sorted({tree.prompt for tree in trees}), root, 0, ends)
    branches = [[ends[tree.prompt].grow(b[:-1]) for b in tree.branches] for tree in trees]
    length = root.place(0)
    segments = [segment for segment in root.walk() if segment.tokens]
    asking = [
        place
        for tree, leaves in zip(trees, branches, strict=True)
        for branch, leaf in zip(tree.branches, leaves, strict=True)
        for place in _predicting(ends[tree.prompt], leaf, len(branch))
    ]
    wanted = sorted(set(asking))
    row = {place: number for number, place in enumerate(wanted)}

    def tensor(values: Sequence[int]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.long, device=device)

    ids = tensor([token for segment in segments for token in segment.tokens])
    assert len(ids) == length
    return Stream(
        ids=ids,
        positions=tensor([s.depth + i for s in segments for i in range(len(s.tokens))]),
        units=tuple(_unit(*facts, device, dtype) for facts in _units(root, [])),
        wanted=tensor(wanted),
        rows=tensor([row[place] for place in asking]),
        targets=tensor([token for tree in trees for b in tree.branches for token in b]),
    )


def _share(
    prompts: Sequence[tuple[int, ...]],
    parent: _Segment,
    start: int,
    ends: dict[tuple[int, ...], _Segment],
) -> None:
    """Grow segments for distinct, sorted prompts that agree up to `start`, where `parent` ends.

    What all of them share becomes a segment where that saves enough tokens; the groups that agree
    on the next token are treated in the same way, so that prompts may share more and more.
    """
    agreed = _agreed(prompts[0], prompts[-1])  # of all: they are sorted
    if (agreed - start) * (len(prompts) - 1) >= _WORTH or len(prompts) == 1:
        parent = parent.grow(prompts[0][start:agreed])
        start = agreed
        if len(prompts[0]) == agreed:
            ends[prompts[0]] = parent
            prompts = prompts[1:]
    for _, group in itertools.groupby(prompts, lambda ids: ids[agreed : agreed + 1]):
        _share(list(group), parent, start, ends)


def _agreed(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """Return how many tokens two prompts have in common at their beginning."""
    shortest = min(len(a), len(b))
    return next((i for i in range(shortest) if a[i] != b[i]), shortest)


def _predicting(prompt: _Segment, leaf: _Segment, length: int) -> list[int]:
    """Return the tokens of the stream that predict a branch of `length` tokens, in its order."""
    chain = []
    segment = leaf
    while segment is not prompt:
        chain.append(segment)
        assert segment.parent is not None
        segment = segment.parent
    places = [prompt.stop - 1]
    places += [place for s in reversed(chain) for place in range(s.start, s.stop)]
    assert len(places) == length
    return places


def _units(
    segment: _Segment, before: list[_Segment]
) -> Iterator[tuple[list[_Segment], list[_Segment]]]:
    """Yield the segments of each unit below `segment` and the segments before all of them.

    A unit is as many subtrees of one parent as fit; a subtree that does not fit is divided, its
    own tokens beginning a unit that goes on with its first children.
    """
    own = [segment] if segment.tokens else []
    inside, size, outside = list(own), len(segment.tokens), before
    for child in segment.children:
        more = child.end - child.start
        if size + more > _SPAN:
            if inside:
                yield inside, outside
            inside, size, outside = [], 0, [*before, *own]
        if more > _SPAN:
            yield from _units(child, [*before, *own])
        else:
            inside += child.walk()
            size += more
    if inside:
        yield inside, outside


def _unit(
    inside: list[_Segment],
    outside: list[_Segment],
    device: torch.device | str,
    dtype: torch.dtype,
) -> Unit:
    start, stop = inside[0].start, inside[-1].stop
    own = torch.zeros(stop - start, stop - start, dtype=torch.bool)  # where a token may look
    for segment in inside:
        rows = slice(segment.start - start, segment.stop - start)
        if segment.parent is not None and segment.parent.start >= start and segment.parent.tokens:
            own[rows] = own[segment.parent.stop - start - 1].clone()
        own[rows, rows] = torch.ones(len(segment.tokens), len(segment.tokens)).tril().bool()
    keys: list[Range] = []
    for first, last in [*((s.start, s.stop) for s in outside), (start, stop)]:
        if keys and keys[-1][1] == first:
            keys[-1] = (keys[-1][0], last)
        else:
            keys.append((first, last))
    mask = torch.zeros(stop - start, sum(last - first for first, last in keys), dtype=dtype)
    mask[:, mask.shape[1] - (stop - start) :].masked_fill_(~own, -torch.inf)
    return Unit(start, stop, tuple(keys), mask.to(device))
