"""The order of the examples: all of them in every epoch, alike ones together, by the seed."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
from hypothesis import given

from aegis.neural.batches import BatchOrder, batches, pieces

_LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=80)


@given(lengths=_LENGTHS, size=st.integers(1, 9), seed=st.integers(0, 5), epoch=st.integers(0, 3))
def test_every_example_is_in_one_batch_of_an_epoch(lengths, size, seed, epoch):
    found = batches(lengths, size, seed, epoch)

    assert sorted(i for batch in found for i in batch) == list(range(len(lengths)))
    assert len(found) == -(-len(lengths) // size)
    assert all(1 <= len(batch) <= size for batch in found)
    assert batches(lengths, size, seed, epoch) == found


@given(count=st.integers(1, 900), size=st.integers(1, 3), seed=st.integers(0, 3))
def test_in_order_examples_are_mixed_with_near_ones_only(count, size, seed):
    lengths = [1 + (7 * i) % 40 for i in range(count)]
    found = [i for batch in batches(lengths, size, seed, 0, in_order=True) for i in batch]

    assert sorted(found) == list(range(count))
    assert all(abs(place - i) < 64 * size for place, i in enumerate(found))
    assert count < 40 or found != sorted(found)


def test_epochs_and_seeds_differ():
    lengths = [10] * 40
    orders = {str(batches(lengths, 4, seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}

    assert len(orders) == 4


def test_what_is_in_a_batch_is_about_equally_long_and_long_and_short_batches_are_mixed():
    lengths = list(range(1, 65))
    found = batches(lengths, 8, 0, 0)
    spans = [max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in found]
    firsts = [lengths[batch[0]] for batch in found]

    assert max(spans) <= 8
    assert firsts != sorted(firsts)


@given(lengths=_LENGTHS, most=st.integers(1, 150))
def test_a_batch_is_divided_by_tokens_in_its_order(lengths, most):
    order = list(range(len(lengths)))
    parts = pieces(order, lengths, most)

    assert [i for part in parts for i in part] == order
    for part in parts:
        assert part
        assert len(part) == 1 or sum(lengths[i] for i in part) <= most
    for part, following in itertools.pairwise(parts):  # no part ends too early
        assert sum(lengths[i] for i in part) + lengths[following[0]] > most


@given(lengths=_LENGTHS, size=st.integers(1, 9), steps=st.integers(0, 40))
def test_a_training_takes_one_epoch_s_batches_after_another_s(lengths, size, steps):
    order = BatchOrder(lengths, size, 3)
    every = [batch for epoch in range(41) for batch in batches(lengths, size, 3, epoch)]

    assert order.per_epoch == -(-len(lengths) // size)
    assert [order.batch(step) for step in range(steps)] == every[:steps]
    assert order.trained(steps) == sum(len(batch) for batch in every[:steps])
