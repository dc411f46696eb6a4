"""Corpora to practise on: the sample library, and a slice of real papers where they are here."""

from __future__ import annotations

import gzip
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from aegis.evaluation.gym.corpus import Corpus, read_corpus
from aegis.evaluation.gym.index import GymIndex, build_index

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def library_corpus(root: Path) -> Corpus:
    return read_corpus(root / "data" / "library")


@pytest.fixture(scope="session")
def library_index(library_corpus: Corpus) -> GymIndex:
    return build_index(library_corpus)


@pytest.fixture(scope="session")
def paper_corpus(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """The first 1,500 of the reference papers."""
    file = tmp_path_factory.mktemp("papers") / "papers.jsonl"
    with gzip.open(shared / "arxiv" / "metadata_20k.jsonl.gz", "rt", encoding="utf-8") as rows:
        file.write_text("".join(islice(rows, 1500)), encoding="utf-8")
    return read_corpus(file)


@pytest.fixture(scope="session")
def paper_index(paper_corpus: Corpus) -> GymIndex:
    return build_index(paper_corpus)
