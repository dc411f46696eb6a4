"""The engine ``gpt2``: a causal language model that chooses among candidates and fills slots."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import torch

from aegis.contracts.roles import Written
from aegis.neural.scoring import (
    masked_log_softmax,
    normalised,
    sequence_scores,
    token_log_probabilities,
)
from aegis_gpt2_lora.constraints import LineConstraint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aegis.contracts.action import Action
    from aegis.contracts.capabilities import EngineCapabilities
    from aegis.contracts.roles import Scores, Tokenizer
    from aegis.contracts.view import View
    from aegis.neural.scoring import Reduction
    from aegis.neural.torch_engine import ChoiceItem, TextItem
    from aegis_gpt2_lora.encoding import Encoding
    from aegis_gpt2_lora.language_model import LanguageModel, Prefix
    from aegis_gpt2_lora.settings import EngineSettings


class GptEngine:
    """Scores candidates by their text's log-probability after the view's text.

    Args:
        model: The language model.
        tokenizer: Its tokenizer.
        encoding: How views and candidates become ids; the same that training uses.
        capabilities: What it says about itself.
        settings: Section ``[engine.gpt2]``.
        seed: Seed of the run; what is written depends on it and on the view alone.

    Attributes:
        module: The weights, which a trainer may change in place.
        views_cut: How many views did not fit the context and were shortened.
    """

    def __init__(
        self,
        *,
        model: LanguageModel,
        tokenizer: Tokenizer,
        encoding: Encoding,
        capabilities: EngineCapabilities,
        settings: EngineSettings,
        seed: int = 0,
    ) -> None:
        self.capabilities = capabilities
        self.tokenizer = tokenizer
        self.module = model.module
        self.encoding = encoding
        self.views_cut = 0
        self._model: LanguageModel | None = model
        self._settings = settings
        self._seed = seed
        self._constraint: LineConstraint | None = None
        self._last: tuple[object, Prefix] | None = None

    # Serving

    def score(self, view: View, candidates: Sequence[Action]) -> Scores:
        """Return one log-probability a candidate, (n,), with logsumexp 0."""
        if not candidates:
            return np.empty(0, dtype=np.float64)
        with torch.inference_mode():
            return normalised(self._scores(view, candidates))

    def score_batch(self, items: Sequence[tuple[View, Sequence[Action]]]) -> list[Scores]:
        """Return what `score` returns for each item."""
        return [self.score(view, candidates) for view, candidates in items]

    def write(self, view: View, action: Action, slot: str) -> Written:
        """Return one printable line for the open slot, sampled under `LineConstraint`.

        The same weights, seed, view and action give the same text. The log-probability is that of
        `text_log_probabilities`: of the text under the constraints and the temperature.
        """
        assert action.slot == slot
        with torch.inference_mode():
            opened = self._opened(view, action)
            ids, total = self._sample(opened, self._generator(view, action))
            text = self._spelled(ids)
            usual = self.encoding.text(text)
            if usual != ids:  # sampled in another split than the tokenizer's
                total = float(self._text_log_probability(opened, usual))
        return Written(text, total, len(ids))

    # Training

    def log_probabilities(self, items: Sequence[ChoiceItem]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return differentiable log-probabilities (B, C) and the mask (B, C) of candidates."""
        rows = [self._scores(view, candidates) for view, candidates in items]
        lengths = torch.tensor([len(row) for row in rows], device=rows[0].device)
        scores = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)  # (B, C)
        mask = torch.arange(scores.shape[1], device=scores.device) < lengths[:, None]
        return masked_log_softmax(scores, mask), mask

    def text_log_probabilities(self, items: Sequence[TextItem]) -> torch.Tensor:
        """Return differentiable log-probabilities (B,) of texts written into slots."""
        return torch.stack(
            [
                self._text_log_probability(
                    self._opened(item.view, item.action), self.encoding.text(item.text)
                )
                for item in items
            ]
        )

    # Life

    def save(self, directory: Path) -> None:
        """Write weights, config.json and tokenizer.json into an empty folder."""
        self.tokenizer.save(directory)
        self._served.save(directory)

    def close(self) -> None:
        """Give the weights back."""
        self._last = None
        self._model = None
        self.module = torch.nn.Module()

    @property
    def _served(self) -> LanguageModel:
        if self._model is None:
            raise RuntimeError("the engine is closed")
        return self._model

    def _scores(self, view: View, candidates: Sequence[Action]) -> torch.Tensor:
        """Return unnormalised scores, (n,): the trainer optimises exactly these."""
        prefix = self._read(view)
        sequences = [self._tensor(self.encoding.candidate(action)) for action in candidates]
        ids = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)  # (n, L)
        lengths = torch.tensor([len(s) for s in sequences], device=ids.device)
        mask = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        values = torch.zeros(ids.shape, device=ids.device)  # (n, L)
        values[:, 0] = prefix.logits.log_softmax(-1)[ids[:, 0]]
        after = mask[:, 1:]
        if after.any():
            logits = self._served.branch(prefix, ids[:, :-1], after)  # (M, V)
            values[:, 1:][after] = token_log_probabilities(logits, ids[:, 1:][after])
        reduction: Reduction = "sum" if self._settings.score == "sum" else "mean"
        return sequence_scores(values, mask, reduction)

    def _read(self, view: View) -> Prefix:
        """Return the view's prefix; the last one is kept, since writing follows choosing."""
        prompt = self.encoding.prompt(view)
        self.views_cut += prompt.cut > 0
        if torch.is_grad_enabled():
            return self._served.read(self._tensor(prompt.ids))
        weights = tuple((id(w), w._version) for w in self.module.parameters())
        key = (prompt.ids, weights)  # a trainer changes weights in place
        if self._last is None or self._last[0] != key:
            self._last = (key, self._served.read(self._tensor(prompt.ids)))
        return self._last[1]

    def _opened(self, view: View, action: Action) -> Prefix:
        """Return the prefix of the view and the action up to its slot."""
        ids = self.encoding.opening(action, self._settings.max_text_tokens + 1)
        return self._served.read(self._tensor(ids), self._read(view))

    def _sample(self, prefix: Prefix, generator: torch.Generator) -> tuple[list[int], float]:
        """Return the ids of a sampled text and its log-probability, that of its end included."""
        ids: list[int] = []
        total, so_far = 0.0, ""
        while len(ids) < self._settings.max_text_tokens:
            values = self._constrained(prefix.logits, so_far).cpu()  # (V,)
            token = int(torch.multinomial(values.exp(), 1, generator=generator))
            total += float(values[token])
            if token == self.encoding.end:
                break
            ids.append(token)
            so_far += self._line.piece(token)
            if len(ids) < self._settings.max_text_tokens:
                prefix = self._served.read(self._tensor([token]), prefix)
        return ids, total

    def _text_log_probability(self, prefix: Prefix, ids: list[int]) -> torch.Tensor:
        """Return the log-probability, (), that exactly this text is written after `prefix`.

        A token that the constraints would refuse (the tokenizer may split a text in a way that
        sampling never does) counts as allowed at its place.
        """
        ends = len(ids) < self._settings.max_text_tokens
        targets = [*ids, self.encoding.end] if ends else ids
        logits = prefix.logits[None]  # (1, V)
        if len(targets) > 1:
            given = self._tensor(targets[:-1])[None]
            real = torch.ones_like(given, dtype=torch.bool)
            logits = torch.cat([logits, self._served.branch(prefix, given, real)])
        total = logits.new_zeros(())
        so_far = ""
        for row, token in zip(logits, targets, strict=True):
            total = total + self._constrained(row, so_far, token)[token]
            so_far += self._line.piece(token)
        return total

    def _constrained(
        self, logits: torch.Tensor, so_far: str, also: int | None = None
    ) -> torch.Tensor:
        """Return log-probabilities (V,) of what may follow the text so far."""
        allowed = self._line.allowed(so_far).to(logits.device)
        if also is not None and not allowed[also]:
            allowed = allowed.clone()
            allowed[also] = True
        return torch.log_softmax(
            (logits / self._settings.temperature).masked_fill(~allowed, -torch.inf), dim=-1
        )

    @property
    def _line(self) -> LineConstraint:
        if self._constraint is None:
            rows = self.capabilities.embedding_rows
            assert rows is not None
            self._constraint = LineConstraint(self.tokenizer, rows, self.encoding.end)
        return self._constraint

    def _spelled(self, ids: Sequence[int]) -> str:
        return "".join(self._line.piece(token) for token in ids).strip()

    def _generator(self, view: View, action: Action) -> torch.Generator:
        text = f"{self._seed}:{view.digest}:{action.key}"
        digest = hashlib.sha256(text.encode("ascii")).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big", signed=True))

    def _tensor(self, ids: Sequence[int]) -> torch.Tensor:
        device = next(iter(self.module.parameters())).device
        return torch.tensor(ids, dtype=torch.long, device=device)
