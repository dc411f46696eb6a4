"""Practice episodes as choices: views with their candidates, for whoever only wants to see them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aegis.contracts.component import Runtime
from aegis.evaluation.gym.corpus import Corpus, read_corpus
from aegis.evaluation.gym.environment import ResearchGym, split_of
from aegis.evaluation.gym.index import build_index
from aegis.exploration import sample, step_rng

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aegis.contracts.action import Action
    from aegis.contracts.roles import Engine
    from aegis.contracts.view import View


def untested(library: Path) -> Corpus:
    """Return the documents of a library but for those that are topics of tests.

    Raises:
        InputError: If it has none, or some cannot be read.
    """
    corpus = read_corpus(library)
    kept = tuple(text for text in corpus.documents if split_of(text.id) != "test")
    return Corpus(kept, corpus.digest)


def choices(library: Path, seeds: range) -> Iterator[tuple[View, Sequence[Action]]]:
    """Yield the choices of practice episodes: every second one by rules, the others at random.

    Raises:
        InputError: If the library has no topic to practise.
    """
    gym = ResearchGym(build_index(untested(library)), split="practice")
    rules = _rules()
    for seed in seeds:
        view, done, step = gym.reset(seed), False, 0
        while not done:
            candidates = gym.candidates(view)
            yield view, candidates
            even = np.full(len(candidates), -np.log(len(candidates)))
            scores = even if seed % 2 else rules.score(view, candidates)
            result = gym.step(candidates[sample(scores, step_rng(seed, step))])
            view, done, step = result.view, result.done, step + 1


def _rules() -> Engine:
    """Return the builtin engine ``rules``."""
    from aegis.builtin.engines import aegis_engines

    component = next(found for found in aegis_engines() if found.name == "rules")
    engine: Engine = component.build(None, {}, Runtime(Path(), Path()))
    return engine
