"""The engine `rules`: a policy written by hand, the bar for every engine that learns.

It puts a value on each candidate, in rewards, from the view and the candidates' signals alone,
and prefers the larger one:

    read     what a relevant document pays more than an irrelevant one, times the chance that it
             is relevant, less what an irrelevant one costs
    search   the chance to find something worth reading, less the step
    note     little, and more than finishing: it comes last, when it can cite most
    finish   nothing, so it is chosen when nothing else is worth its step

A read's chance is logistic in the signals of research-gym, a search's worth nearly linear; both
fall with the logarithm of the step. The first weights came from regressions over 18,137 reads and
12,418 searches that a draft of these rules made, with exploration, on 800 practice topics of
20,000 abstracts; a short random search on 400 other practice topics and on the practice notes of
the sample library improved them, and they were rounded.

Tools of other environments are recognised by their names (``search...``, ``read...``) and judged
by the signals ``match``, ``missing``, ``rank`` and ``page``; a signal that is absent counts as 0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NoReturn

import numpy as np
from attrs import define, field

from aegis.contracts.capabilities import EngineCapabilities
from aegis.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from aegis.contracts.action import Action
    from aegis.contracts.scores import Scores
    from aegis.contracts.view import View

SHARPNESS: Final = 40.0
"""Log-odds per unit of value: 0.1 more is chosen 55 times as often."""

GAIN: Final = 1.25
COST: Final = 0.30
STEP: Final = 0.05


@define
class RulesEngine:
    """The hand-written policy."""

    capabilities: EngineCapabilities = field(init=False)

    @capabilities.default
    def _capabilities(self) -> EngineCapabilities:
        return EngineCapabilities(kind="rules", order_independent=True)

    def score(self, view: View, candidates: Sequence[Action]) -> Scores:
        """Return log-probabilities, (n,): a softmax of `SHARPNESS` times the values."""
        if not candidates:
            return np.zeros(0)
        values = np.array([value(action, view) for action in candidates])
        logits: Scores = SHARPNESS * (values - values.max())
        return logits - math.log(float(np.exp(logits).sum()))

    def score_batch(self, items: Sequence[tuple[View, Sequence[Action]]]) -> list[Scores]:
        """Return what `score` returns for each item."""
        return [self.score(view, candidates) for view, candidates in items]

    def write(self, view: View, action: Action, slot: str) -> NoReturn:  # noqa: ARG002 - it writes for no view
        """Refuse: this engine does not write."""
        raise InputError.of(
            "engine-writes-nothing",
            f'engine "rules" cannot fill {action.tool}.{slot}',
            fix="choose a candidate without an open slot, or an engine that writes",
        )

    def save(self, directory: Path) -> None:
        """Write nothing: there are no weights."""

    def close(self) -> None:
        """Hold nothing."""


def value(action: Action, view: View) -> float:
    """Return what a candidate is worth, in rewards."""
    if action.tool.startswith("read"):
        return read_value(action.signals, view)
    if action.tool.startswith("search"):
        return search_value(action.signals, view)
    if action.tool.startswith("write_note"):
        return 0.02 if len(view.knowledge) > 3 else -STEP
    return 0.0


def read_value(signals: Mapping[str, int], view: View) -> float:
    """Return the worth of reading a document."""
    if "text" not in signals:
        speaks = 0.05 * signals.get("missing", 0) + 0.05 * signals.get("match", 0)
        return 0.8 + speaks - 0.01 * signals.get("rank", 0)
    return GAIN * relevance(signals, view) - COST


def relevance(signals: Mapping[str, int], view: View) -> float:
    """Return the chance that a found document is relevant."""
    log_odds = 0.44 * signals["text"] + 0.24 * signals["rare"] + 0.13 * signals["like"] - 2.2
    # The best documents are read first: what is left over is worse than it looks.
    log_odds -= 0.57 * math.log(view.step)
    return 1.0 / (1.0 + math.exp(-log_odds))


def search_value(signals: Mapping[str, int], view: View) -> float:
    """Return the worth of a page of results."""
    page = signals.get("page", 1)
    if "goal" not in signals:
        return 0.15 + 0.45 * signals.get("missing", 0) - 0.2 * (page - 1)
    tired = math.log(view.step)
    if page > 1:
        expected = 0.18 * max(signals["last"] - 2, 0) + 0.62 - 0.26 * tired
    else:
        expected = 0.012 * signals["goal"] * signals["new"] - 0.17 - 0.10 * tired
    left = view.limit - view.step if view.limit else 1000
    # What is found must still be read.
    return max(expected, 0.0) * min(1.0, left / 3) - STEP
