from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aegis.evaluation.gym.postings import Postings, counted

ENTRIES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7)), max_size=60)


def as_dict(matrix: Postings) -> dict[tuple[int, int], float]:
    rows = range(len(matrix.starts) - 1)
    return {(row, int(c)): float(v) for row in rows for c, v in zip(*matrix.row(row), strict=True)}


def matrix_of(entries: list[tuple[int, int]]) -> Postings:
    rows, columns = (np.array([e[i] for e in entries], dtype=np.int32) for i in (0, 1))
    return counted(rows, columns, 6, 8)


@given(ENTRIES)
def test_counting_agrees_with_a_counter(entries: list[tuple[int, int]]):
    assert as_dict(matrix_of(entries)) == Counter(entries)


@given(ENTRIES)
def test_transposing_swaps_rows_and_columns(entries: list[tuple[int, int]]):
    matrix = matrix_of(entries)
    turned = matrix.transposed(8)
    assert as_dict(turned) == {(c, r): v for (r, c), v in as_dict(matrix).items()}
    assert all((np.diff(turned.row(row)[0]) > 0).all() for row in range(8))


@given(ENTRIES, st.lists(st.integers(0, 5), unique=True))
def test_a_sum_of_rows_is_a_dense_vector(entries: list[tuple[int, int]], rows: list[int]):
    weights = [row + 0.5 for row in rows]
    expected = np.zeros(8)
    for (row, column), value in Counter(entries).items():
        if row in rows:
            expected[column] += value * (row + 0.5)
    np.testing.assert_allclose(matrix_of(entries).sum_of(rows, weights, 8), expected)
    np.testing.assert_allclose(
        matrix_of(entries).sum_of(rows, None, 8),
        matrix_of(entries).sum_of(rows, [1.0] * len(rows), 8),
    )
