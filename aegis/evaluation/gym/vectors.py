"""Vectors: tf-idf of counts, at unit length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aegis.evaluation.gym.postings import Postings

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


def unit_tf_idf(counts: Postings, kept: npt.NDArray[np.bool_], idf: Floats) -> Postings:
    """Return ``(1 + ln count) * idf`` by document and term, each document at length 1.

    Args:
        counts: How often each term stands in each document.
        kept: Which terms count, (terms,).
        idf: Weight of each term, (terms,); above 0 where kept.
    """
    return _unit(_weighted(counts, kept, idf))


def _weighted(counts: Postings, kept: npt.NDArray[np.bool_], idf: Floats) -> Postings:
    chosen = kept[counts.columns]
    columns, tf = counts.columns[chosen], counts.values[chosen]
    starts = np.concatenate([[0], np.cumsum(chosen)])[counts.starts]
    return Postings(starts, columns, (1 + np.log(tf)) * idf[columns])


def _unit(vectors: Postings) -> Postings:
    squares = np.bincount(
        vectors.entry_rows(), weights=vectors.values**2, minlength=len(vectors.starts) - 1
    )
    norms = np.sqrt(squares)[vectors.entry_rows()]
    return vectors.with_values(vectors.values / norms)
