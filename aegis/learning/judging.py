"""What old and new weights are measured by: held-out rows, and episodes of a seeded environment.

Each engine is measured by itself, on the same rows and the same seeds; `compared` puts the two
side by side. Rows of one episode hang together, so that intervals are over episodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import frozen

from aegis.evaluation.intervals import mean_interval, paired_difference
from aegis.evaluation.rollout import rollout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aegis.contracts.experience import Experience
    from aegis.contracts.roles import Engine, Environment
    from aegis.evaluation.intervals import Interval
    from aegis.evaluation.rollout import EpisodeResult
    from aegis.learning.dataset import Dataset

    Report = Callable[[int, int], None]

LEVEL: Final = 0.05
"""Of the one-sided lower bound of a gain."""

LOWER_IS_BETTER: Final = frozenset({"loss", "text_loss", "action_loss"})

RETURN: Final = "return"

_LEAST: Final = -50.0
"""What a log-probability below it counts as: one decision that is ruled out must not hide all
others."""

_BATCH: Final = 16


@frozen
class Rows:
    """The held-out steps that weights are judged on: those that paid, or a teacher's.

    Attributes:
        choices: Steps with candidates, one of them chosen.
        texts: Those of them where a text was written into the chosen candidate's slot.
        actions: Steps that are recorded without candidates.
    """

    choices: tuple[Experience, ...]
    texts: tuple[Experience, ...]
    actions: tuple[Experience, ...]

    @classmethod
    def of(cls, data: Dataset) -> Rows:
        """Return the rows of held-out data."""
        paid = [
            step
            for step, advantage in zip(data.experiences, data.advantages, strict=True)
            if advantage > 0 or step.origin == "teacher"
        ]
        choices = [s for s in paid if s.decision.candidates and s.decision.chosen is not None]
        return cls(
            tuple(choices),
            tuple(s for s in choices if s.decision.text is not None and _opened(s).slot),
            tuple(s for s in paid if not s.decision.candidates and s.decision.action is not None),
        )

    def of_measure(self, measure: str) -> tuple[Experience, ...]:
        """Return the rows that a measure is taken on."""
        return {"text_loss": self.texts, "action_loss": self.actions}.get(measure, self.choices)

    @property
    def even_loss(self) -> float | None:
        """The loss of an engine without an opinion: the mean of log n."""
        sizes = [len(step.decision.candidates) for step in self.choices]
        return float(np.mean(np.log(sizes))) if sizes else None


def held_out(engine: Engine, rows: Rows, report: Report) -> dict[str, list[float]]:
    """Return each measure of an engine, one value a row, as far as it can be taken.

    ``loss`` is -log p(chosen); ``agreement`` is 1 where the engine's best candidate (the first of
    equals) is the chosen one; ``text_loss`` is -log p(text) of what was written into a slot;
    ``action_loss`` is the mean over tokens of -log p of the whole action, for rows without
    candidates. The last two need ``text_log_probabilities`` and ``action_log_probabilities``
    (`aegis.neural.torch_engine.TorchEngine`).
    """
    values: dict[str, list[float]] = {}
    steps = len(rows.choices) + len(rows.texts) + len(rows.actions)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        report(done, steps)

    if rows.choices:
        values["loss"], values["agreement"] = _choices(engine, rows.choices, advance)
    texts = getattr(engine, "text_log_probabilities", None)
    if rows.texts and engine.capabilities.writes_text and texts is not None:
        values["text_loss"] = _texts(texts, rows.texts, advance)
    actions = getattr(engine, "action_log_probabilities", None)
    if rows.actions and actions is not None:
        values["action_loss"] = _actions(actions, rows.actions, advance)
    return values


def played(
    environment: Environment, engine: Engine, seeds: Sequence[int], report: Report
) -> list[EpisodeResult]:
    """Return the episode of each seed; decisions are sampled."""
    episodes = []
    for count, seed in enumerate(seeds, start=1):
        episodes += rollout(environment, engine, [seed])
        report(count, len(seeds))
    return episodes


def compared(
    incumbent: Mapping[str, Sequence[float]],
    candidate: Mapping[str, Sequence[float]],
    clusters: Mapping[str, Sequence[object]],
    *,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Return each measure that both engines have, with intervals of 95 %.

    ``gain`` is how much better the candidate is, above 0 where it is, whichever way the measure
    goes; ``lower_bound`` is its one-sided lower bound at `LEVEL`.

    Args:
        incumbent: Values of the old weights by measure.
        candidate: The same of the new ones, row by row.
        clusters: What each row belongs to.
        seed: Seed of the resampling.
    """
    found = {}
    for name in [name for name in incumbent if name in candidate]:
        old, new, groups = incumbent[name], candidate[name], clusters[name]
        better, worse = (old, new) if name in LOWER_IS_BETTER else (new, old)
        bound = paired_difference(better, worse, groups, level=1 - 2 * LEVEL, seed=seed)
        found[name] = {
            "rows": len(old),
            "clusters": len(set(groups)),
            "better": "lower" if name in LOWER_IS_BETTER else "higher",
            "incumbent": _json(mean_interval(old, groups, seed=seed)),
            "candidate": _json(mean_interval(new, groups, seed=seed)),
            "gain": _json(paired_difference(better, worse, groups, seed=seed)),
            "lower_bound": bound.low,
            "level": LEVEL,
        }
    return found


def summary(values: Sequence[float], clusters: Sequence[object], *, seed: int) -> dict[str, float]:
    """Return the mean of values with its interval of 95 %; `clusters` is what each belongs to."""
    return _json(mean_interval(values, clusters, seed=seed))


def _choices(
    engine: Engine, rows: Sequence[Experience], advance: Callable[[int], None]
) -> tuple[list[float], list[float]]:
    losses, agreements = [], []
    for batch in _batches(rows):
        items = [(step.view, step.decision.candidates) for step in batch]
        for step, scores in zip(batch, engine.score_batch(items), strict=True):
            chosen = step.decision.chosen
            assert chosen is not None
            losses.append(-max(float(scores[chosen]), _LEAST))
            agreements.append(float(int(np.argmax(scores)) == chosen))
        advance(len(batch))
    return losses, agreements


def _texts(
    measure: Callable[..., Any], rows: Sequence[Experience], advance: Callable[[int], None]
) -> list[float]:
    from aegis.neural.torch_engine import TextItem, numbers

    losses: list[float] = []
    for batch in _batches(rows):
        items = [TextItem(s.view, _opened(s), str(s.decision.text)) for s in batch]
        losses += [-max(value, _LEAST) for value in numbers(measure, items)]
        advance(len(batch))
    return losses


def _actions(
    measure: Callable[..., Any], rows: Sequence[Experience], advance: Callable[[int], None]
) -> list[float]:
    from aegis.neural.torch_engine import numbers

    losses: list[float] = []
    for batch in _batches(rows):
        items = [(step.view, step.decision.action) for step in batch]
        losses += [-max(value, _LEAST) for value in numbers(measure, items)]
        advance(len(batch))
    return losses


def _batches(rows: Sequence[Experience]) -> list[Sequence[Experience]]:
    return [rows[first : first + _BATCH] for first in range(0, len(rows), _BATCH)]


def _opened(step: Experience) -> Any:
    """Return the chosen candidate, its slot still open."""
    chosen = step.decision.chosen
    assert chosen is not None
    return step.decision.candidates[chosen]


def _json(interval: Interval) -> dict[str, float]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}
