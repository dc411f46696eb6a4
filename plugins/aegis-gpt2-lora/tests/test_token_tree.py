"""Continuations as a tree."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from aegis_gpt2_lora.token_tree import TokenTree

_BRANCHES = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=8)


def test_what_begins_alike_is_one_row():
    tree = TokenTree.of([[1, 2, 3], [1, 2, 4, 5], [6]])

    assert tree.tokens == (1, 2, 4)  # 3, 5 and 6 end their branches: nothing follows them
    assert tree.depths == (0, 1, 2)
    assert tree.above == (-1, 0, 1)
    assert [tree.targets[node] for node in tree.branches[1]] == [1, 2, 4, 5]
    assert [tree.sources[node] for node in tree.branches[1]] == [-1, 0, 1, 2]
    assert tree.branches[0][:2] == tree.branches[1][:2]


@given(branches=_BRANCHES)
def test_every_branch_reads_the_tokens_before_each_of_its_own(branches):
    tree = TokenTree.of(branches)
    seen_by = tree.seen()

    for branch, nodes in zip(branches, tree.branches, strict=True):
        assert [tree.targets[node] for node in nodes] == branch
        for place, node in enumerate(nodes):
            row = tree.sources[node]
            if place == 0:
                assert row == -1
                continue
            seen = [i for i in range(len(tree.tokens)) if seen_by[row, i]]
            assert [tree.tokens[i] for i in seen] == branch[:place]
            assert tree.depths[row] == place - 1
    unique = {tuple(branch[:i]) for branch in branches for i in range(1, len(branch))}
    assert len(tree.tokens) == len(unique)
