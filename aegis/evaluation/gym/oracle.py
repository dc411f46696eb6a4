"""The oracle: plays the gym with knowledge of what is relevant.

Greedy, with the same candidates and the same failures as everybody (it does not know which calls
will fail): it reads a relevant document that was found; else asks the search that reveals the
most unread relevant documents; else writes the note if that pays; else finishes. Where no search
reveals anything it looks `DEPTH` pages further down the queries that can be paged.

Being greedy it is no upper bound: what the candidates allow at best lies somewhat above it.
`best_in_candidates` looks for it from below, by trying several oracles with noisy estimates and
keeping each episode's best return.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

import numpy as np
from attrs import define, field

from aegis.contracts.capabilities import EngineCapabilities
from aegis.errors import InputError
from aegis.evaluation.gym.desk import FINISH, NOTE, READ, SEARCH
from aegis.evaluation.gym.environment import CITED, STEP
from aegis.evaluation.rollout import rollout
from aegis.exploration import step_rng

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aegis.contracts.action import Action
    from aegis.contracts.scores import Scores
    from aegis.contracts.view import View
    from aegis.evaluation.gym.environment import ResearchGym

DEPTH: Final = 4
_ALWAYS: Final = 1000.0
_NEVER: Final = -1000.0
_SURE: Final = 50.0
"""Log-odds of the oracle's choice: e-22 is left to each other candidate."""


@define(eq=False)
class Oracle:
    """An engine that looks into one gym; its scores are for that gym's current step.

    Attributes:
        gym: The gym that it plays.
        noise: Standard deviation of what is added to the worth of a search, in documents.
        seed: Seed of that noise, which is the same at a step whatever was played before.
    """

    gym: ResearchGym
    noise: float = 0.0
    seed: int = 0
    capabilities: EngineCapabilities = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.capabilities = EngineCapabilities(kind="oracle")

    def score(self, view: View, candidates: Sequence[Action]) -> Scores:  # noqa: ARG002 - it looks behind the view
        """Return log-probabilities, (n,), nearly all on the best candidate."""
        logits = np.zeros(len(candidates))
        logits[self.choose(candidates)] = _SURE
        return logits - float(np.logaddexp.reduce(logits))

    def score_batch(self, items: Sequence[tuple[View, Sequence[Action]]]) -> list[Scores]:
        """Return what `score` returns for each item; all must be of the current step."""
        return [self.score(view, candidates) for view, candidates in items]

    def choose(self, candidates: Sequence[Action]) -> int:
        """Return the index of the best candidate of the gym's current step."""
        worth = map(self._worth, candidates, self._noises(len(candidates)))
        return int(np.argmax([*worth]))

    def _noises(self, count: int) -> Sequence[float]:
        if not self.noise:
            return [0.0] * count
        episode = self.gym.episode
        drawn = step_rng(episode.seed, episode.desk.step, self.seed + 1).standard_normal(count)
        noises: list[float] = (self.noise * drawn).tolist()
        return noises

    def _worth(self, action: Action, noise: float) -> float:
        episode = self.gym.episode
        if action.tool == READ:
            found = episode.desk.found[action.arguments["document"]]
            return _ALWAYS if found.document in episode.judge.relevant else _NEVER
        if action.tool == SEARCH:
            return self._search_worth(action, noise)
        if action.tool == NOTE:
            return 0.001 if CITED * episode.relevant_read + STEP > 0 else _NEVER
        return 0.0 if action.tool == FINISH else _NEVER

    def _search_worth(self, action: Action, noise: float) -> float:
        query, page = action.arguments["query"], action.arguments["page"]
        left = self._steps_left()
        now = self._reveals(query, page) if left > 1 else 0
        if now:
            return now + noise
        for further in range(1, min(DEPTH, left - 1)):
            later = self._reveals(query, page + further)
            if later:
                return later / (100.0 * (further + 1))
        return _NEVER

    def _reveals(self, query: str, page: int) -> int:
        episode = self.gym.episode
        results = set(episode.desk.results(query, page))
        known = {found.document for found in episode.desk.found.values()}
        known |= {found.document for found in episode.desk.read.values()}
        return len((results & episode.judge.relevant) - known)

    def _steps_left(self) -> int:
        return self.gym.steps - self.gym.episode.desk.step + 1

    def write(self, view: View, action: Action, slot: str) -> NoReturn:  # noqa: ARG002 - it writes for no view
        """Refuse: the gym has no slots."""
        raise InputError.of("oracle-writes-nothing", f"no text for {action.tool}.{slot}")

    def save(self, directory: Path) -> None:
        """Write nothing: there are no weights."""

    def close(self) -> None:
        """Hold nothing."""


def noisy_oracles(gym: ResearchGym, *, tries: int = 8, noise: float = 1.0) -> list[Oracle]:
    """Return the greedy oracle and `tries` whose estimates of searches carry noise.

    The largest of their returns is a lower bound of the ceiling that the candidates set, and never
    below the oracle.

    Args:
        gym: The gym.
        tries: How many beside the exact one.
        noise: Standard deviation of their noise, in documents.
    """
    return [Oracle(gym), *(Oracle(gym, noise, seed) for seed in range(tries))]


def best_in_candidates(
    gym: ResearchGym, seeds: Sequence[int], *, tries: int = 8, noise: float = 1.0
) -> list[float]:
    """Return for each seed the best return of `noisy_oracles`."""
    oracles = noisy_oracles(gym, tries=tries, noise=noise)
    played = [rollout(gym, oracle, seeds, greedy=True) for oracle in oracles]
    return [max(episode.total for episode in same) for same in zip(*played, strict=True)]
