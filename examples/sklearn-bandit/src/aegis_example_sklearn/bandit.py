"""A linear estimate of the return of a candidate, and the trainer that fits it."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import Ridge

import aegis

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    Row = tuple[aegis.View, aegis.Action]

KIND, FILE, HASHER = "sklearn-bandit", "bandit.safetensors", FeatureHasher(4096)


def seen(row: Row) -> dict[str, float]:
    """Return what is seen of a candidate: its tool, its signals, its words, what they cover."""
    (view, action), tool = row, row[1].tool
    words = set(action.render().lower().split())
    wanted = set(" ".join((view.goal, *view.missing)).lower().split())
    found = {tool: 1.0, f"{tool} covers": len(words & wanted), f"{tool} step": view.step / 40}
    found |= {f"{tool} {name}": value for name, value in action.signals.items()}
    return found | {f"word {word}": 0.1 for word in words}


class Bandit:
    """Scores by softmax(value / temperature); as long as nothing was learned, all alike."""

    def __init__(self, temperature: float, weights: Any) -> None:
        self.temperature, self.weights = temperature, weights  # (4097,): intercept last
        digest = hashlib.sha256(weights.tobytes()).hexdigest()[:16]
        self.capabilities = aegis.EngineCapabilities(KIND, trainable=True, weights=digest)

    @classmethod
    def load(cls, temperature: float, checkpoint: Path | None) -> Bandit:
        """Return the engine with a checkpoint's weights; `AegisError` if they are damaged."""
        if checkpoint is None:
            return cls(temperature, np.zeros(HASHER.n_features + 1))
        try:
            return cls(temperature, load_file(checkpoint / FILE)["weights"])
        except Exception as error:
            at = {"where": str(checkpoint / FILE), "fix": "train again, or roll back"}
            raise aegis.AegisError.of("bandit-weights", f"not weights: {error}", **at) from error

    def values(self, rows: Sequence[Row]) -> Any:
        """Return the expected return of each candidate, (n,)."""
        return HASHER.transform(map(seen, rows)) @ self.weights[:-1] + self.weights[-1]

    def score(self, view: aegis.View, candidates: Sequence[aegis.Action]) -> Any:
        """Return log-probabilities, (n,)."""
        rows = [(view, action) for action in candidates]
        logits = self.values(rows) / self.temperature if rows else np.zeros(0)
        return logits - np.logaddexp.reduce(logits)

    def score_batch(self, items: Iterable[tuple[aegis.View, Sequence[aegis.Action]]]) -> list[Any]:
        """Return what `score` returns for each item."""
        return [self.score(view, candidates) for view, candidates in items]

    def save(self, directory: Path) -> None:
        """Write the weights."""
        save_file({"weights": self.weights}, directory / FILE)

    def close(self) -> None:
        """Hold nothing."""


class RidgeTrainer:
    """Fits all weights anew in about a second, and so keeps no state to go on from."""

    accepts = frozenset({KIND})

    def train(self, engine: Bandit, data: Any, context: aegis.TrainingContext) -> Any:
        """Fit and write the weights; `AegisError` ``no-examples`` if no step has a choice."""
        (rows, paid), (others, truth) = _told(data), _told(context.validation)
        if not rows:
            why = f"none of {len(data)} steps has an action"
            raise aegis.AegisError.of("no-examples", why, fix="aegis run --steps 200")
        if (stop := context.should_stop()) or time.monotonic() > context.deadline:
            why = "interrupted" if stop else "deadline"
            return aegis.TrainingResult(context.directory, {}, 0, 0.0, why)
        model = Ridge(alpha=10.0).fit(HASHER.transform(map(seen, rows)), paid)
        fitted = Bandit(engine.temperature, np.append(model.coef_, model.intercept_))
        fitted.save(context.directory)
        pairs = (("loss", rows, paid), ("held_out_loss", others, truth))
        figures = {n: float(np.mean((fitted.values(r) - t) ** 2)) for n, r, t in pairs if r}
        context.report({**figures, "examples": len(rows)})
        return aegis.TrainingResult(context.directory, figures, len(rows), 1.0, "finished")


def _told(data: Any) -> tuple[list[Row], Any]:
    """Return what was chosen in which view, and the returns (n,)."""
    told = [(s, g) for s, g in zip(data, data.returns, strict=True) if s.decision.action]
    return [(s.view, s.decision.action) for s, _ in told], np.array([g for _, g in told], float)
