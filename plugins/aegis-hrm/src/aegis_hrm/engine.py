"""The engine ``hrm``: chooses among candidates by reasoning over them, segment after segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from attrs import evolve

from aegis.neural import normalised
from aegis_hrm.decision.packing import pack
from aegis_hrm.decision.thinking import think
from aegis_hrm.weights_file import save_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from aegis import Action, EngineCapabilities, Scores, Tokenizer, View
    from aegis.neural import ChoiceItem, TextItem
    from aegis_hrm.decision.layout import Layout, Row
    from aegis_hrm.decision.network import DecisionNetwork
    from aegis_hrm.decision.thinking import Budget, Thought
    from aegis_hrm.settings import Preset

_TOKENS_AT_ONCE: Final = 8192
"""Tokens, padding included, that are computed together when several decisions are scored."""


class HrmEngine:
    """Scores candidates at their markers in one sequence with the view.

    Args:
        network: The weights.
        tokenizer: What its ids are.
        layout: How views and candidates become ids; the same that training uses.
        budget: When a decision stops taking segments.
        capabilities: What it says about itself.
        preset: What the settings began with; trainers take their defaults from it.

    Attributes:
        module: The weights, which a trainer may change in place.
        views_cut: How many views did not fit the context and were shortened.
    """

    def __init__(
        self,
        *,
        network: DecisionNetwork,
        tokenizer: Tokenizer,
        layout: Layout,
        budget: Budget,
        capabilities: EngineCapabilities,
        preset: Preset = "cpu",
    ) -> None:
        self.module: DecisionNetwork = network.eval()
        self.tokenizer = tokenizer
        self.layout = layout
        self.budget = budget
        self.capabilities = capabilities
        self.preset: Preset = preset
        self.views_cut = 0
        self._remarks: dict[str, float] = {}
        self._open = True

    @property
    def remarks(self) -> Mapping[str, float]:
        """What the last decision took: ``segments``, and ``cut`` where its view was shortened."""
        return dict(self._remarks)

    def score(self, view: View, candidates: Sequence[Action]) -> Scores:
        """Return one log-probability a candidate, (n,), with logsumexp 0."""
        self._remarks = {}
        if not candidates:
            return np.empty(0, dtype=np.float64)
        row = self._row(view, candidates)
        found = self._thought([row])
        self._remarks = {"segments": float(found.segments[0])}
        if row.cut:
            self._remarks["cut"] = float(row.cut)
        return normalised(found.scores[0])

    def score_batch(self, items: Sequence[tuple[View, Sequence[Action]]]) -> list[Scores]:
        """Return what `score` returns for each item, to rounding, computed several at a time."""
        self._remarks = {}
        rows = [self._row(view, candidates) for view, candidates in items if candidates]
        found = iter(self._scores_of(rows))
        return [
            next(found) if candidates else np.empty(0, dtype=np.float64) for _, candidates in items
        ]

    def log_probabilities(self, items: Sequence[ChoiceItem]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return differentiable log-probabilities (B, C) and the mask (B, C) of candidates.

        Each decision takes the segments that it takes when it is served; the gradient reaches back
        within the last of them.
        """
        packed = pack([self._row(view, offered) for view, offered in items], self._device)
        return think(self.module, packed, self.budget).scores, packed.present

    def text_log_probabilities(self, items: Sequence[TextItem]) -> torch.Tensor:  # noqa: ARG002 - the role's signature
        """Refuse: this engine writes no text (`EngineCapabilities.writes_text`)."""
        raise TypeError("the engine hrm writes no text")

    def save(self, directory: Path) -> None:
        """Write weights, shape and tokenizer into an empty folder."""
        save_weights(directory, self.module, self.tokenizer)

    def serve(self, digest: str) -> None:
        """Take note that the weights are others now, identified by `digest`."""
        self.capabilities = evolve(self.capabilities, weights=digest)

    def close(self) -> None:
        """Give the weights back."""
        self._open = False
        self.module = torch.nn.Module()  # type: ignore[assignment]  # an engine that is closed is not used

    @property
    def _device(self) -> torch.device:
        if not self._open:
            raise RuntimeError("the engine is closed")
        return self.module.H_init.device

    def _row(self, view: View, candidates: Sequence[Action]) -> Row:
        row = self.layout.row(view, candidates)
        self.views_cut += row.cut > 0
        return row

    def _thought(self, rows: Sequence[Row]) -> Thought:
        with torch.inference_mode():
            return think(self.module, pack(rows, self._device), self.budget)

    def _scores_of(self, rows: Sequence[Row]) -> list[Scores]:
        """Return scores of rows in their order, computed with others that are about as long."""
        order = sorted(range(len(rows)), key=lambda i: rows[i].tokens)
        found: dict[int, Scores] = {}
        start = 0
        while start < len(order):
            stop = start + 1
            while (
                stop < len(order)
                and rows[order[stop]].tokens * (stop + 1 - start) <= _TOKENS_AT_ONCE
            ):
                stop += 1
            some = order[start:stop]
            scores = self._thought([rows[i] for i in some]).scores.cpu()
            for number, i in enumerate(some):
                found[i] = normalised(scores[number, : len(rows[i].markers)])
            start = stop
        return [found[i] for i in range(len(rows))]
