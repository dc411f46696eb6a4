"""The texts that ``hrm-bpe`` is trained on: what stands in views and candidates, no markers."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from aegis.contracts.component import Runtime
from aegis.contracts.text import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aegis.contracts.action import Action
    from aegis.contracts.roles import Engine
    from aegis.contracts.view import View
    from aegis.evaluation.gym.corpus import Corpus


class Choice(NamedTuple):
    """A view and the candidates that it was shown with."""

    view: View
    candidates: Sequence[Action]

    def texts(self) -> Iterator[str]:
        """Yield each item of the view and each candidate, as an engine encodes them."""
        view = self.view
        yield from map(escape, (view.goal, *view.missing, *view.facts, *view.gaps))
        yield from map(escape, view.observation)
        yield from (escape(seen.title) for seen in chain(view.knowledge, view.found))
        yield from (f"{r.status} {r.gained:+d} {escape(r.action)}" for r in view.recent)
        yield f"{view.step}/{view.limit}"
        yield from (action.render() for action in self.candidates)


def notes(library: Path) -> Corpus:
    """Return the documents of a library but for those that are topics of tests.

    Raises:
        InputError: If it has none, or some cannot be read.
    """
    from aegis.evaluation.gym.corpus import Corpus, read_corpus
    from aegis.evaluation.gym.environment import split_of

    corpus = read_corpus(library)
    kept = tuple(text for text in corpus.documents if split_of(text.id) != "test")
    return Corpus(kept, corpus.digest)


def practice(corpus: Corpus, seeds: range) -> Iterator[Choice]:
    """Yield the choices of practice episodes: every second one by rules, the others at random.

    Raises:
        InputError: If the corpus has no topic to practise.
    """
    import numpy as np

    from aegis.evaluation.gym.environment import ResearchGym
    from aegis.evaluation.gym.index import build_index
    from aegis.exploration import sample, step_rng

    gym = ResearchGym(build_index(corpus), split="practice")
    rules = _rules()
    for seed in seeds:
        view, done, step = gym.reset(seed), False, 0
        while not done:
            candidates = gym.candidates(view)
            yield Choice(view, candidates)
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
