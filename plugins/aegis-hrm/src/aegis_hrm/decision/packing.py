"""Rows as one batch of tensors, with what sees what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis_hrm.decision.layout import Row


@frozen(eq=False)
class Packed:
    """B decisions of at most C candidates in sequences of at most S tokens, padded.

    Attributes:
        ids: (B, S).
        positions: (B, S).
        mask: True where a query (row) sees a key (column), (B, 1, S, S).
        markers: Index of each candidate's marker, (B, C); 0 where there is none.
        present: True where there is a candidate, (B, C).
        fingerprint: Of the tokenizer and the layout that the ids belong to.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    markers: torch.Tensor
    present: torch.Tensor
    fingerprint: str

    def rows(self, kept: torch.Tensor) -> Packed:
        """Return some of the decisions, by index or mask."""
        return Packed(
            self.ids[kept],
            self.positions[kept],
            self.mask[kept],
            self.markers[kept],
            self.present[kept],
            self.fingerprint,
        )


def pack(rows: Sequence[Row], device: torch.device | str = "cpu") -> Packed:
    """Return rows as one batch.

    Tokens of the view see the view. Those of a candidate see the view and their candidate, and its
    marker sees the markers of all the others too, as does ``<halt>``: candidates are compared, and
    since they differ in nothing but what they are, their order changes no score.

    Args:
        rows: All of one fingerprint.
        device: Where to.
    """
    (fingerprint,) = {row.fingerprint for row in rows}
    length = max(row.tokens for row in rows)
    most = max(len(row.markers) for row in rows)
    ids = np.zeros((len(rows), length), np.int64)
    positions = np.zeros_like(ids)
    segments = np.full_like(ids, -1)
    marks = np.zeros(ids.shape, bool)
    markers = np.zeros((len(rows), most), np.int64)
    present = np.zeros(markers.shape, bool)
    for number, row in enumerate(rows):
        ids[number, : row.tokens] = row.ids
        positions[number, : row.tokens] = row.positions
        segments[number, : row.tokens] = row.segments
        marks[number, list(row.markers)] = True
        markers[number, : len(row.markers)] = row.markers
        present[number, : len(row.markers)] = True
    asks = marks.copy()
    asks[:, 0] = True
    mask = (
        (segments == 0)[:, None, :]
        | (segments[:, :, None] == segments[:, None, :])
        | (asks[:, :, None] & marks[:, None, :])
    )
    ids_, places, sees, ends, there = (
        torch.from_numpy(array).to(device)
        for array in (ids, positions, mask[:, None], markers, present)
    )
    return Packed(ids_, places, sees, ends, there, fingerprint)
