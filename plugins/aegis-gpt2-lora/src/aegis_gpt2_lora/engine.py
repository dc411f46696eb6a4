"""The engine ``gpt2``: a causal language model that chooses among candidates and fills slots."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import torch

from aegis import Written
from aegis.neural import masked_log_softmax, normalised, sequence_scores, token_log_probabilities
from aegis_gpt2_lora.constraints import LineConstraint
from aegis_gpt2_lora.sampling import sampled
from aegis_gpt2_lora.weight_versions import WeightVersions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from aegis import Action, EngineCapabilities, Scores, Tokenizer, View
    from aegis.neural import ChoiceItem, Reduction, TextItem
    from aegis_gpt2_lora.base import Base
    from aegis_gpt2_lora.encoding import Encoding
    from aegis_gpt2_lora.language_model import Branches, LanguageModel, Prefix
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
        base: What the weights are made of; None where no file says it, and nothing can be trained.

    Attributes:
        module: The weights, which a trainer may change in place.
        settings: Section ``[engine.gpt2]``.
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
        base: Base | None = None,
    ) -> None:
        self.capabilities = capabilities
        self.base = base
        self.tokenizer = tokenizer
        self.module = model.module
        self.encoding = encoding
        self.views_cut = 0
        self._cut = 0  # of the view that was encoded last
        self._remarks: dict[str, float] = {}
        self._model: LanguageModel | None = model
        self.settings = settings
        self._seed = seed
        self._constraint: LineConstraint | None = None
        self._versions: WeightVersions | None = None
        self._shared: Prefix | None = None  # the instructions, read
        self._last: tuple[View, Prefix] | None = None  # the last view, read

    # Serving

    def score(self, view: View, candidates: Sequence[Action]) -> Scores:
        """Return one log-probability a candidate, (n,), with logsumexp 0."""
        self._remarks = {}
        if not candidates:
            return np.empty(0, dtype=np.float64)
        with torch.inference_mode():
            scores = normalised(self._scores(view, candidates))
        if self._cut:
            self._remarks["cut"] = float(self._cut)
        return scores

    @property
    def remarks(self) -> Mapping[str, float]:
        """What the last `score` left out of a view that did not fit: ``cut`` (`Prompt.cut`)."""
        return dict(self._remarks)

    def score_batch(self, items: Sequence[tuple[View, Sequence[Action]]]) -> list[Scores]:
        """Return what `score` returns for each item, to rounding, computed several at a time."""
        offered = [(view, candidates) for view, candidates in items if candidates]
        with torch.inference_mode():
            scored = (normalised(self._reduced(each)) for each in self._line_values(offered))
            return [
                next(scored) if candidates else np.empty(0, dtype=np.float64)
                for _, candidates in items
            ]

    def write(self, view: View, action: Action, slot: str) -> Written:
        """Return one printable line for the open slot, sampled under `LineConstraint`.

        The same weights, seed, view and action give the same text. The log-probability is that of
        `text_log_probabilities`: of the text under the constraints and the temperature.

        A view that was scored before is not read again. The action up to its slot is, although a
        candidate's branch has its keys and values too: computed among other candidates they differ
        in the last bit, which could change what is drawn.
        """
        assert action.slot == slot
        with torch.inference_mode():
            opened = self._opened(view, action)
            ids, total = self._sample(opened, self._generator(view, action))
            text = self._spelled(ids)
            usual = self.encoding.text(text)
            if usual != ids:  # sampled in another split than the tokenizer's
                opened = self._opened(view, action)
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

    def action_log_probabilities(self, items: Sequence[tuple[View, Action]]) -> torch.Tensor:
        """Return differentiable log-probabilities (B,) of actions' lines, each the mean a token."""
        lines = self._line_values([(view, (action,)) for view, action in items])
        return torch.stack([values.mean() for (values,) in lines])

    # Life

    def save(self, directory: Path) -> None:
        """Write weights, config.json and tokenizer.json into an empty folder."""
        self.tokenizer.save(directory)
        self._served.save(directory)

    def close(self) -> None:
        """Give the weights and everything computed with them back."""
        self._last = None
        self._shared = None
        self._versions = None
        self._model = None
        self.module = torch.nn.Module()

    @property
    def line(self) -> LineConstraint:
        """What may be written into a slot."""
        if self._constraint is None:
            rows = self.capabilities.embedding_rows
            assert rows is not None
            self._constraint = LineConstraint(self.tokenizer, rows, self.encoding.end)
        return self._constraint

    @property
    def _served(self) -> LanguageModel:
        if self._model is None:
            raise RuntimeError("the engine is closed")
        return self._model

    def _scores(self, view: View, candidates: Sequence[Action]) -> torch.Tensor:
        """Return unnormalised scores, (n,): the trainer optimises exactly these."""
        branches = [self.encoding.candidate(action) for action in candidates]
        return self._reduced(self._considered(view, branches)[1])

    def _reduced(self, rows: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return one score (n,) for the log-probabilities of each candidate's tokens."""
        lengths = torch.tensor([len(row) for row in rows], device=rows[0].device)
        values = torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)  # (n, L)
        mask = torch.arange(values.shape[1], device=values.device) < lengths[:, None]
        reduction: Reduction = "sum" if self.settings.score == "sum" else "mean"
        return sequence_scores(values, mask, reduction)

    def _line_values(
        self, items: Sequence[tuple[View, Sequence[Action]]]
    ) -> list[list[torch.Tensor]]:
        """Return the log-probabilities of the tokens of every action of each view."""
        self._renew()
        self._last = None  # several views at once take its memory
        shared = self._instructions()
        known = len(shared.ids) if shared is not None else 0
        texts = [
            (self._prompt(view)[known:], [self.encoding.candidate(action) for action in actions])
            for view, actions in items
        ]
        return self._served.batch(texts, shared)

    def _read(self, view: View) -> Prefix:
        """Return the view's prefix: the one that choosing left behind, where that was the last."""
        if not torch.is_grad_enabled():
            self._renew()
            if self._last is not None and self._last[0] == view:
                return self._last[1]
        return self._considered(view, ())[0]

    def _considered(self, view: View, branches: Branches) -> tuple[Prefix, list[torch.Tensor]]:
        """Return the view's prefix and the log-probabilities of branches.

        The instructions and the view are two readings, whether or not the first is kept from
        before: so results do not depend on it to the last bit.
        """
        if torch.is_grad_enabled():
            return self._served.consider(self._prompt(view), branches)
        self._renew()
        self._last = None
        shared = self._instructions()
        known = len(shared.ids) if shared is not None else 0
        prefix, values = self._served.consider(self._prompt(view)[known:], branches, shared)
        self._last = (view, prefix)
        return prefix, values

    def _instructions(self) -> Prefix | None:
        """Return the prefix of what all views begin with, or None if that is not read apart."""
        if not self.encoding.shared or torch.is_grad_enabled():
            return None
        if self._shared is None:
            self._shared = self._served.read(self.encoding.shared)
        return self._shared

    def _prompt(self, view: View) -> Sequence[int]:
        prompt = self.encoding.prompt(view)
        self._cut = prompt.cut
        self.views_cut += prompt.cut > 0
        return prompt.ids

    def _renew(self) -> None:
        """Forget what was computed with weights that have changed since: trainers change them."""
        model = self._served
        if self._versions is None:
            self._versions = WeightVersions(self.module)
        elif self._versions.changed():
            self._shared = self._last = None
            model.renew()

    def _opened(self, view: View, action: Action) -> Prefix:
        """Return the prefix of the view and the action up to its slot."""
        ids = self.encoding.opening(action, self.settings.max_text_tokens + 1)
        return self._served.read(ids, self._read(view))

    def _sample(self, prefix: Prefix, generator: torch.Generator) -> tuple[list[int], float]:
        """Return the ids of a sampled text and its log-probability, that of its end included."""
        ids: list[int] = []
        total, so_far = 0.0, ""
        while len(ids) < self.settings.max_text_tokens:
            allowed = self.line.allowed(so_far)
            token, value = sampled(prefix.logits, allowed, self.settings.temperature, generator)
            total += value
            if token == self.encoding.end:
                break
            ids.append(token)
            so_far += self.line.piece(token)
            if len(ids) < self.settings.max_text_tokens:
                prefix = self._served.read([token], prefix)
        return ids, total

    def _text_log_probability(self, prefix: Prefix, ids: list[int]) -> torch.Tensor:
        """Return the log-probability, (), that exactly this text is written after `prefix`.

        A token that the constraints would refuse (the tokenizer may split a text in a way that
        sampling never does) counts as allowed at its place.
        """
        ends = len(ids) < self.settings.max_text_tokens
        targets = [*ids, self.encoding.end] if ends else ids
        logits = prefix.logits[None]  # (1, V)
        if len(targets) > 1:
            logits = torch.cat([logits, self._served.branch(prefix, [targets[:-1]])])
        places = range(len(targets))
        allowed = torch.stack(
            [self.line.allowed(self._joined(targets[:place])) for place in places]
        )
        allowed[list(places), targets] = True
        scaled = (logits / self.settings.temperature).masked_fill(
            ~allowed.to(logits.device), -torch.inf
        )
        wanted = torch.tensor(targets, device=logits.device)
        return token_log_probabilities(scaled, wanted).sum()

    def _spelled(self, ids: Sequence[int]) -> str:
        return self._joined(ids).strip()

    def _joined(self, ids: Sequence[int]) -> str:
        return "".join(self.line.piece(token) for token in ids)

    def _generator(self, view: View, action: Action) -> torch.Generator:
        text = f"{self._seed}:{view.digest}:{action.key}"
        digest = hashlib.sha256(text.encode("ascii")).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big", signed=True))
