"""The order of the examples: all of them in every epoch, alike ones together, by the seed."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
from hypothesis import given

from aegis_gpt2_lora.batches import batches, pieces
from aegis_gpt2_lora.examples import Choice, Example
from aegis_gpt2_lora.packing import Tree


def of_lengths(lengths):
    return [Example(1.0, Choice(Tree((1,) * n, ((2,), (3,))), 0), None) for n in lengths]


_LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=80)


@given(lengths=_LENGTHS, size=st.integers(1, 9), seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_every_example_is_in_one_batch_of_an_epoch(lengths, size, seed, epoch):
    found = batches(of_lengths(lengths), size, seed, epoch)

    assert sorted(i for batch in found for i in batch) == list(range(len(lengths)))
    assert len(found) == -(-len(lengths) // size)
    assert all(1 <= len(batch) <= size for batch in found)
    assert batches(of_lengths(lengths), size, seed, epoch) == found


def test_epochs_and_seeds_differ():
    examples = of_lengths([10] * 40)
    orders = {str(batches(examples, 4, seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}

    assert len(orders) == 4


def test_what_is_in_a_batch_is_about_equally_long_and_long_and_short_batches_are_mixed():
    lengths = list(range(1, 65))
    found = batches(of_lengths(lengths), 8, 0, 0)
    spans = [max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in found]
    firsts = [lengths[batch[0]] for batch in found]

    assert max(spans) <= 8
    assert firsts != sorted(firsts)


@given(lengths=_LENGTHS, most=st.integers(1, 150))
def test_a_batch_is_divided_by_tokens_in_its_order(lengths, most):
    examples = of_lengths(lengths)
    order = list(range(len(lengths)))
    parts = pieces(order, examples, most)

    assert [i for part in parts for i in part] == order
    for part in parts:
        assert part
        assert len(part) == 1 or sum(lengths[i] + 2 for i in part) <= most
    for part, following in itertools.pairwise(parts):  # no part ends too early
        assert sum(lengths[i] + 2 for i in part) + lengths[following[0]] + 2 > most
