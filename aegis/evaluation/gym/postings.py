"""Postings: a sparse matrix by rows, as three flat arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    Ints = npt.NDArray[np.int32]
    Floats = npt.NDArray[np.float64]


class Postings(NamedTuple):
    """A sparse matrix of `len(starts) - 1` rows; columns ascend within a row.

    Attributes:
        starts: Where each row begins in the other two, (rows + 1,).
        columns: Column of each entry, (entries,).
        values: Value of each entry, (entries,); any numeric type.
    """

    starts: npt.NDArray[np.int64]
    columns: Ints
    values: npt.NDArray[Any]

    def row(self, index: int) -> tuple[Ints, npt.NDArray[Any]]:
        """Return the columns and values of one row."""
        here = slice(self.starts[index], self.starts[index + 1])
        return self.columns[here], self.values[here]

    def sum_of(self, rows: Iterable[int], weights: Iterable[float] | None, width: int) -> Floats:
        """Return the sum of `rows`, weighted where weights are given, as a vector, (width,)."""
        parts = [self.row(row) for row in rows]
        if not parts:
            return np.zeros(width)
        columns = np.concatenate([columns for columns, _ in parts])
        values = np.concatenate([values for _, values in parts])
        if weights is not None:
            lengths = [len(columns) for columns, _ in parts]
            values = values * np.repeat(np.fromiter(weights, np.float64), lengths)
        total: Floats = np.bincount(columns, weights=values, minlength=width).astype(np.float64)
        return total

    def lengths(self) -> npt.NDArray[np.int64]:
        """Return the number of entries of each row, (rows,)."""
        return np.diff(self.starts)

    def entry_rows(self) -> Ints:
        """Return the row of each entry, (entries,)."""
        return np.repeat(np.arange(len(self.starts) - 1, dtype=np.int32), self.lengths())

    def transposed(self, rows: int) -> Postings:
        """Return the transposed matrix, with `rows` rows."""
        return postings(self.columns, self.entry_rows(), self.values, rows)

    def with_values(self, values: npt.NDArray[Any]) -> Postings:
        """Return the same entries with other values, (entries,)."""
        return self._replace(values=values)


def postings(
    rows: npt.NDArray[Any], columns: npt.NDArray[Any], values: npt.NDArray[Any], count: int
) -> Postings:
    """Return the matrix with the given distinct entries and `count` rows."""
    order = np.lexsort((columns, rows))
    starts = np.searchsorted(rows[order], np.arange(count + 1)).astype(np.int64)
    return Postings(starts, columns[order].astype(np.int32), values[order])


def counted(rows: npt.NDArray[Any], columns: npt.NDArray[Any], count: int, width: int) -> Postings:
    """Return how often each (row, column) occurs, as a matrix of `count` rows, `width` columns."""
    keys, times = np.unique(rows.astype(np.int64) * width + columns, return_counts=True)
    return postings(keys // width, keys % width, times, count)
