"""The gym's index: what is seen of a corpus and what is hidden, built once and kept as arrays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import frozen

from aegis.evaluation.gym.postings import Postings
from aegis.evaluation.gym.relevance import Relevance, build_relevance
from aegis.evaluation.gym.search import SearchIndex, build_search
from aegis.evaluation.gym.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from aegis.evaluation.gym.corpus import Corpus

FORMAT: Final = 3
"""Version of what `GymIndex.arrays` holds; a cache of another version is built anew."""


@frozen(eq=False)
class GymIndex:
    """Everything that a gym needs of a corpus.

    Attributes:
        digest: Digest of the corpus.
        ids: Document ids.
        search: What may be seen.
        relevance: What is hidden.
    """

    digest: str
    ids: tuple[str, ...]
    search: SearchIndex
    relevance: Relevance

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the index as plain arrays, for a file without pickles."""
        found = {
            "ids": _packed(self.ids),
            "titles": _packed(self.search.titles),
            "terms": _packed(self.search.terms),
            "shown": _packed(self.search.shown),
        }
        for name, matrix in self._matrices().items():
            for part, values in matrix._asdict().items():
                found[f"{name}.{part}"] = values
        return found

    def _matrices(self) -> dict[str, Postings]:
        return {
            "vectors": self.search.vectors,
            "title_terms": self.search.title_terms,
            "impacts": self.search.impacts,
            "by_document": self.relevance.by_document,
            "by_term": self.relevance.by_term,
        }

    @classmethod
    def from_arrays(cls, digest: str, arrays: Mapping[str, npt.NDArray[Any]]) -> GymIndex:
        """Return the index that `arrays` was made from; KeyError or ValueError if it is none."""

        def matrix(name: str) -> Postings:
            return Postings(*(arrays[f"{name}.{part}"] for part in Postings._fields))

        search = SearchIndex(
            _unpacked(arrays["titles"]),
            _unpacked(arrays["terms"]),
            _unpacked(arrays["shown"]),
            matrix("vectors"),
            matrix("title_terms"),
            matrix("impacts"),
        )
        relevance = Relevance(matrix("by_document"), matrix("by_term"))
        return cls(digest, _unpacked(arrays["ids"]), search, relevance)


def _packed(texts: Sequence[str]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(json.dumps(list(texts)).encode("ascii"), dtype=np.uint8)


def _unpacked(raw: npt.NDArray[Any]) -> tuple[str, ...]:
    return tuple(json.loads(raw.tobytes()))


def build_index(corpus: Corpus) -> GymIndex:
    """Return the index of a corpus; about 6 s for 20,000 abstracts."""
    tokens = Tokens.of(corpus.documents)
    return GymIndex(
        corpus.digest,
        tuple(document.id for document in corpus.documents),
        build_search(corpus.documents, tokens),
        build_relevance(tokens),
    )
