"""The regression that stands beside learned policies in research-gym.

Relevance of a document by logistic regression on seven numbers that a policy is shown, fitted on
the first 5,175 documents that a uniformly random policy reads in practice topics. It reads the best
document whose probability is above 0.25, else searches, ten times at most, then writes the note.
Whatever learns more than which documents to read is worth its name above it.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import define, field
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aegis.builtin._engines.uniform import RandomEngine
from aegis.evaluation.gym.desk import NOTE, READ, SEARCH
from aegis.evaluation.gym.environment import ResearchGym
from aegis.evaluation.gym.oracle import Oracle
from aegis.evaluation.intervals import mean_interval, normalised
from aegis.evaluation.rollout import play, rollout

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    import aegis
    from aegis.evaluation.gym.environment import Split
    from aegis.evaluation.gym.index import GymIndex

    Floats = npt.NDArray[np.float64]

NAME: Final = "regression on seven features"
READS: Final = 5_175
THRESHOLD: Final = 0.25
SEARCHES: Final = 10
_SIGNALS: Final = ("rank", "title", "text", "rare", "like")
_SURE: Final = 50.0


def features(view: aegis.View, action: aegis.Action, read: int) -> list[float]:
    """Return seven numbers: the five signals of a document, how many were read, and the step."""
    return [*(float(action.signals[name]) for name in _SIGNALS), float(read), float(view.step)]


@define(eq=False)
class SevenFeatures:
    """The policy; greedy, for one episode after the other.

    Attributes:
        model: Probability of relevance, fitted.
        read: Documents read in the running episode.
        searches: Searches made in it.
        seconds: CPU time of all its decisions.
    """

    model: Any
    read: int = field(default=0, init=False)
    searches: int = field(default=0, init=False)
    seconds: float = field(default=0.0, init=False)

    def score(self, view: aegis.View, candidates: Sequence[aegis.Action]) -> Floats:
        """Return log-probabilities, (n,), nearly all on one candidate."""
        if view.step == 1:
            self.read = self.searches = 0
        began = time.process_time()
        chosen = self._choose(view, candidates)
        self.seconds += time.process_time() - began
        self.read += candidates[chosen].tool == READ
        self.searches += candidates[chosen].tool == SEARCH
        logits = np.zeros(len(candidates))
        logits[chosen] = _SURE
        return logits - float(np.logaddexp.reduce(logits))

    def _choose(self, view: aegis.View, candidates: Sequence[aegis.Action]) -> int:
        reads = [n for n, action in enumerate(candidates) if action.tool == READ]
        if reads:
            rows = [features(view, candidates[n], self.read) for n in reads]
            chances = self.model.predict_proba(rows)[:, 1]
            if chances.max() > THRESHOLD:
                return reads[int(chances.argmax())]
        searches = [n for n, action in enumerate(candidates) if action.tool == SEARCH]
        if searches and self.searches < SEARCHES:
            return max(searches, key=lambda n: sum(candidates[n].signals.values()))
        notes = [n for n, action in enumerate(candidates) if action.tool == NOTE]
        return notes[0] if notes else len(candidates) - 1


def fitted(index: GymIndex) -> SevenFeatures:
    """Return the policy, fitted on what a random one reads in practice topics."""
    told = list(itertools.islice(_reads(ResearchGym(index)), READS))
    rows, relevant = zip(*told, strict=True)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    return SevenFeatures(model.fit(rows, relevant))


def _reads(gym: ResearchGym) -> Iterator[tuple[list[float], bool]]:
    """Yield the features of documents as they are read, and whether they are relevant."""
    for seed in itertools.count():
        read = 0
        for step in play(gym, RandomEngine(), seed):
            if step.action.tool == READ and step.result.outcome.status == "ok":
                yield features(step.view, step.action, read), step.result.reward > 0
                read += 1


def row(index: GymIndex, seeds: Sequence[int], split: Split = "test") -> dict[str, Any]:
    """Return the policy's figures in the form of a row of ``aegis compare``.

    Args:
        index: The corpus.
        seeds: Seeds of the episodes.
        split: Which topics are played.
    """
    gym, policy = ResearchGym(index, split=split), fitted(index)
    played = rollout(gym, policy, seeds, greedy=True)  # type: ignore[arg-type]  # it plays, and no more
    returns, floor, ceiling = (
        [episode.total for episode in episodes]
        for episodes in (
            played,
            rollout(gym, RandomEngine(), seeds),
            rollout(gym, Oracle(gym), seeds, greedy=True),
        )
    )
    topics = [episode.facts["topic"] for episode in played]
    earned = mean_interval(returns, topics)
    share = normalised(returns, floor, ceiling, topics)
    return {
        "name": NAME,
        "kind": "baseline",
        "episodes": len(seeds),
        "mean_return": earned.mean,
        "ci95": [earned.low, earned.high],
        "normalised": share._asdict(),
        "relevant_read": sum(episode.relevant_read for episode in played) / len(seeds),
        "steps": sum(episode.steps for episode in played) / len(seeds),
        "decisions_per_second": sum(episode.steps for episode in played) / policy.seconds,
        "parameters": len(_SIGNALS) + 3,
    }
