"""Relevance against a plain implementation of the rules with dictionaries."""

from __future__ import annotations

import math
import re
from collections import Counter

import pytest

from aegis.evaluation.gym.corpus import Corpus, Text
from aegis.evaluation.gym.index import GymIndex, build_index


def plain_vectors(documents: tuple[Text, ...]) -> list[dict[str, float]]:
    counts = [
        Counter(re.findall(r"[^\W_]+", f"{d.title} {d.title} {d.text}".lower())) for d in documents
    ]
    df = Counter(word for count in counts for word in count)
    most = 0.1 * len(documents)
    vectors = []
    for count in counts:
        raw = {
            word: (1 + math.log(n)) * math.log(len(documents) / df[word])
            for word, n in count.items()
            if 5 <= df[word] <= most
        }
        length = math.sqrt(sum(weight**2 for weight in raw.values()))
        vectors.append({word: weight / length for word, weight in raw.items()})
    return vectors


def plain_cosines(vectors: list[dict[str, float]], seed: int) -> list[float]:
    return [sum(w * vectors[seed].get(t, 0.0) for t, w in vector.items()) for vector in vectors]


@pytest.mark.parametrize("seed", [0, 57, 123, 200])
def test_notes_near_a_topic_are_those_of_the_plain_formula(
    library_corpus: Corpus, library_index: GymIndex, seed: int
):
    cosines = plain_cosines(plain_vectors(library_corpus.documents), seed)
    assert library_index.relevance.cosines(seed).tolist() == pytest.approx(cosines, abs=1e-12)
    others = [d for d in range(len(cosines)) if d != seed]
    expected = sorted(others, key=lambda d: (-round(cosines[d], 12), d))[:8]
    assert list(library_index.relevance.nearest(seed, 8)) == expected


def test_papers_near_a_topic_are_those_of_the_plain_formula(
    paper_corpus: Corpus, paper_index: GymIndex
):
    vectors = plain_vectors(paper_corpus.documents)
    for seed in (3, 700, 1499):
        cosines = plain_cosines(vectors, seed)
        cosines[seed] = -1.0
        expected = sorted(range(len(cosines)), key=lambda d: (-round(cosines[d], 12), d))[:20]
        assert list(paper_index.relevance.nearest(seed, 20)) == expected


def test_a_topic_is_not_relevant_to_itself_and_documents_without_shared_words_never_are():
    groups = [
        Text(f"{g}{i}", f"{g} topic", f"{g} {g}words body")
        for g in ("red", "blue")
        for i in range(6)
    ]
    rest = [Text(f"r{i}", "plain", "words of no kind") for i in range(60)]
    relevance = build_index(Corpus((*groups, *rest), "0")).relevance
    assert relevance.nearest(2, 20) == (0, 1, 3, 4, 5)
    assert relevance.has_vector().sum() == 12
