"""A tiny engine with the role `TorchEngine`: for tests of trainers, and small enough to read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

import numpy as np
import torch
from attrs import evolve

from aegis.contracts.capabilities import EngineCapabilities, TokenizerCapabilities
from aegis.errors import InputError
from aegis.neural.saving import save_tensors
from aegis.neural.scoring import masked_log_softmax, normalised

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aegis.contracts.action import Action
    from aegis.contracts.component import Runtime
    from aegis.contracts.scores import Scores
    from aegis.contracts.view import View
    from aegis.neural.torch_engine import ChoiceItem, TextItem

ROWS: Final = 256
WIDTH: Final = 16
_FILE: Final = "tiny.safetensors"


class ByteTokenizer:
    """The bytes of UTF-8 as ids; half of a surrogate pair becomes a question mark."""

    capabilities = TokenizerCapabilities(
        max_token_id=ROWS - 1, fingerprint="bytes", vocab_size=ROWS, characters_per_token=1.0
    )

    def encode(self, text: str) -> list[int]:
        """Return the bytes of `text`."""
        return list(text.encode("utf-8", "replace"))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of some bytes."""
        return bytes(ids).decode("utf-8", "replace")

    def save(self, directory: Path) -> None:
        """Do nothing: there is nothing to keep."""


class TinyModule(torch.nn.Module):
    """score(view, candidate) = <mean of view bytes, mean of candidate bytes> + a bias a byte."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        drawn = torch.Generator().manual_seed(seed)
        self.views = torch.nn.Parameter(torch.randn(ROWS, WIDTH, generator=drawn) * 0.1)
        self.candidates = torch.nn.Parameter(torch.randn(ROWS, WIDTH, generator=drawn) * 0.1)
        self.bias = torch.nn.Parameter(torch.zeros(ROWS))

    def forward(self, view: torch.Tensor, candidates: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return a score for each candidate, (n,); ids of the view (L,), of a candidate (L_i,)."""
        seen = self.views[view].mean(0)  # (W,)
        means = torch.stack([self.candidates[ids].mean(0) for ids in candidates])  # (n, W)
        biases = torch.stack([self.bias[ids].mean() for ids in candidates])  # (n,)
        return means @ seen + 10 * biases


class TinyEngine:
    """Scores candidates by the bytes of their text.

    Args:
        facts: What its manifest says of it.
        module: Its weights.
        weights: Name of the weights, or None for fresh ones.
    """

    def __init__(self, facts: EngineCapabilities, module: TinyModule, weights: str | None) -> None:
        self.module: torch.nn.Module = module
        self.tokenizer = ByteTokenizer()
        count = sum(weight.numel() for weight in module.parameters())
        self.capabilities = evolve(facts, parameters=count, weights=weights)

    @classmethod
    def build(cls, facts: EngineCapabilities, runtime: Runtime) -> Self:
        """Return a fresh engine of the run's seed, or the one of a checkpoint."""
        module, weights = TinyModule(runtime.seed), None
        if runtime.checkpoint is not None:
            from safetensors.torch import load_file

            file = runtime.checkpoint / _FILE
            module.load_state_dict(load_file(file))
            weights = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        return cls(facts, module.eval(), weights)

    def score(self, view: View, candidates: Sequence[Action]) -> Scores:
        """Return log-probabilities, (n,)."""
        if not candidates:
            return np.empty(0, dtype=np.float64)
        with torch.inference_mode():
            return normalised(self._scores(view, candidates))

    def score_batch(self, items: Sequence[tuple[View, Sequence[Action]]]) -> list[Scores]:
        """Return what `score` returns for each item."""
        return [self.score(view, candidates) for view, candidates in items]

    def log_probabilities(self, items: Sequence[ChoiceItem]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return differentiable log-probabilities (B, C) and the mask of candidates (B, C)."""
        rows = [self._scores(view, candidates) for view, candidates in items]
        lengths = torch.tensor([len(row) for row in rows])
        scores = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        mask = torch.arange(scores.shape[1]) < lengths[:, None]
        return masked_log_softmax(scores, mask), mask

    def text_log_probabilities(self, items: Sequence[TextItem]) -> NoReturn:
        """Refuse: this engine does not write."""
        raise _writes_nothing(f"{len(items)} texts")

    def write(self, view: View, action: Action, slot: str) -> NoReturn:  # noqa: ARG002 - it writes for no view
        """Refuse: this engine does not write."""
        raise _writes_nothing(f"{action.tool}.{slot}")

    def save(self, directory: Path) -> None:
        """Write its weights."""
        save_tensors(directory / _FILE, self.module.state_dict())

    def close(self) -> None:
        """Let go of the weights."""
        self.module = torch.nn.Module()

    def _scores(self, view: View, candidates: Sequence[Action]) -> torch.Tensor:
        found: Any = self.module(
            self._ids(view.render()), [self._ids(action.render()) for action in candidates]
        )
        scores: torch.Tensor = found
        return scores

    def _ids(self, text: str) -> torch.Tensor:
        return torch.tensor(self.tokenizer.encode(text) or [0])


def _writes_nothing(what: str) -> InputError:
    return InputError.of(
        "engine-writes-nothing",
        f"the tiny engine cannot write {what}",
        fix="leave out what has an open slot: its capabilities say that it writes no text",
    )
