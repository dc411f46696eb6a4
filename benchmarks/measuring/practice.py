"""Views and candidates as `research-gym` shows them."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

from aegis.evaluation.gym.corpus import read_corpus
from aegis.evaluation.gym.environment import ResearchGym
from aegis.evaluation.gym.index import build_index
from aegis.resources import library

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aegis.contracts.action import Action
    from aegis.contracts.view import View


def decisions() -> Iterator[tuple[View, Sequence[Action]]]:
    """Yield views and candidates of uniformly random practice episodes, forever."""
    gym = ResearchGym(build_index(read_corpus(library())), split="practice")
    rng = random.Random(0)  # noqa: S311 - seeded, not secret
    for seed in itertools.count():
        view, done = gym.reset(seed), False
        while not done:
            candidates = gym.candidates(view)
            yield view, candidates
            result = gym.step(rng.choice(candidates))
            view, done = result.view, result.done
