"""bm25 against a plain implementation of its formula over the documents' texts."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from aegis.evaluation.gym.corpus import Corpus, Text
from aegis.evaluation.gym.index import GymIndex, build_index
from aegis.evaluation.gym.words import stem, words


def plain_bm25(documents: tuple[Text, ...], query: str) -> dict[int, float]:
    titles = [Counter(stem(word) for word in words(d.title)) for d in documents]
    texts = [Counter(stem(word) for word in words(d.text)) for d in documents]
    lengths = [sum(t.values()) + sum(a.values()) for t, a in zip(titles, texts, strict=True)]
    mean = sum(lengths) / len(lengths)
    scores = dict.fromkeys(range(len(documents)), 0.0)
    for term in {stem(word) for word in words(query)}:
        f = [3 * t[term] + a[term] for t, a in zip(titles, texts, strict=True)]
        df = sum(count > 0 for count in f)
        idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
        for d, count in enumerate(f):
            scores[d] += idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * lengths[d] / mean))
    return scores


@pytest.mark.parametrize(
    "query",
    ["low-rank adaptation of language models", "gradient", "reward shaping policies", "the of and"],
)
def test_scores_and_order_agree_with_the_formula(
    library_corpus: Corpus, library_index: GymIndex, query: str
):
    plain = plain_bm25(library_corpus.documents, query)
    search = library_index.search
    scores = search.scores(search.query_terms(query))
    np.testing.assert_allclose(scores, list(plain.values()), rtol=1e-5, atol=1e-6)
    found = search.search(query)
    assert len(found) == min(50, sum(score > 0 for score in plain.values()))
    values = [plain[d] for d in found]
    assert values == pytest.approx(sorted(plain.values(), reverse=True)[: len(found)], rel=1e-5)


def test_a_word_in_the_title_weighs_three_times_one_in_the_text():
    filler = tuple(Text(f"f{i}", "filler", "nothing here at all") for i in range(4))
    texts = (Text("title", "rank", "a b c d"), Text("text", "other", "rank b c d"), *filler)
    search = build_index(Corpus(texts, "0")).search
    title, text = search.scores(search.query_terms("rank"))[:2]
    # Both have 5 words; f is 3 and 1, and the mean length is (2 * 5 + 4 * 5) / 6 = 5.
    assert title / text == pytest.approx((3 / (3 + 1.2)) / (1 / (1 + 1.2)), rel=1e-5)


def test_equal_documents_come_in_their_order_and_unknown_words_match_nothing():
    texts = tuple(Text(str(i), "low rank", "adaptation") for i in range(7))
    search = build_index(Corpus(texts, "0")).search
    assert search.search("rank") == (0, 1, 2, 3, 4, 5, 6)
    assert search.search("zebra") == ()
    assert search.search("") == ()


def test_a_plural_finds_its_singular_and_is_shown_as_it_is_mostly_written():
    texts = (Text("a", "Kernels", "kernels kernel"), Text("b", "Kernel", "kernels"))
    search = build_index(Corpus(texts, "0")).search
    assert set(search.search("kernel")) == {0, 1}
    assert search.shown[search.numbers["kernel"]] == "kernels"


def test_subject_vectors_have_length_one_and_no_stop_word(library_index: GymIndex):
    search = library_index.search
    for document in range(0, len(search.titles), 17):
        terms, weights = search.vectors.row(document)
        assert float(weights @ weights) == pytest.approx(1.0, rel=1e-5)
        assert not {"the", "of", "is"} & {search.terms[t] for t in terms}
