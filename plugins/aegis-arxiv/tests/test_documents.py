from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime

import arxiv
import pytest

from aegis import Document
from aegis_arxiv.documents import document, is_withdrawn, latest


def _result(**fields) -> arxiv.Result:
    moment = datetime(2003, 9, 8, 12, tzinfo=UTC)
    given = {
        "entry_id": "http://arxiv.org/abs/math/0309136v2",
        "published": moment,
        "updated": moment,
    }
    return arxiv.Result(**{**given, "title": "Knots", "summary": "Of knots.", **fields})


def test_every_field_of_a_paper():
    result = _result(
        title="Low-dimensional\n  topology",
        summary="  Knots,\nas in arXiv:2106.09685v2\nand arXiv:math/0309136.  ",
        comment="See hep-th/9711200, doi 10.1000/xyz.123.",
        doi="10.1063/1.4944470",
        authors=[arxiv.Result.Author("Ada\n Author"), arxiv.Result.Author("")],
        categories=["math.GT", "math.QA", "math.GT"],
    )
    assert document(result) == Document(
        source="arxiv",
        identifier="math/0309136",
        version=2,
        title="Low-dimensional topology",
        text="Knots, as in arXiv:2106.09685v2 and arXiv:math/0309136.",
        url="https://arxiv.org/abs/math/0309136v2",
        authors=("Ada Author",),
        published="2003-09-08",
        tags=("math.GT", "math.QA"),
        references=("2106.09685", "hep-th/9711200", "doi:10.1063/1.4944470", "doi:10.1000/xyz.123"),
    )


@pytest.mark.parametrize(
    ("summary", "comment"),
    [
        ("This paper has been withdrawn by the author due to a crucial error in equation 3.", ""),
        ("This paper has been withdrawn.", ""),
        ("The article was withdrawn, as Lemma 2 is wrong.", ""),
        ("Knots.", "This submission has been withdrawn by arXiv administrators"),
        ("Knots.", "Withdrawn by the authors"),
        ("Knots.", "Paper withdrawn"),
        ("Knots.", "12 pages. This paper is temporarily withdrawn for revision"),
        ("Knots.", "withdrawn due to overlap with 0704.0001"),
        ("This submission has been removed by arXiv administrators.", ""),
        ("Knots.", "This paper has been retracted"),
    ],
)
def test_a_withdrawn_paper_is_recognised(summary: str, comment: str):
    assert is_withdrawn(summary, comment)
    assert document(_result(summary=summary, comment=comment)).withdrawn


@pytest.mark.parametrize(
    ("summary", "comment"),
    [
        ("The troops have withdrawn from the region.", ""),
        ("Patients who were withdrawn from the study are not counted.", ""),
        ("We study why papers are withdrawn from arXiv.", ""),
        ("A data set of withdrawn articles.", "20 pages, 3 figures"),
        ("This paper treats withdrawal of consent.", "Revised; earlier title: On withdrawal"),
    ],
)
def test_a_paper_about_withdrawal_is_not_withdrawn(summary: str, comment: str):
    assert not is_withdrawn(summary, comment)


def test_no_paper_of_twenty_thousand_real_ones_is_taken_for_withdrawn(shared):
    # None of them is: the words occur in some, in another sense.
    with gzip.open(shared / "arxiv" / "metadata_20k.jsonl.gz", "rt") as lines:
        near = [
            line
            for line in lines
            if any(w in line.lower() for w in ("withdr", "retract", "removed by"))
        ]
    rows = [json.loads(line) for line in near]
    wrong = [row["id"] for row in rows if is_withdrawn(row["abstract"], row.get("comment") or "")]
    assert len(rows) > 5
    assert wrong == []


def test_each_paper_comes_once_in_its_latest_version():
    versions = [
        Document("arxiv", name, "t", "", version=version)
        for name, version in (("a", 1), ("b", 3), ("a", 2), ("b", 1))
    ]
    assert [(d.identifier, d.version) for d in latest(versions)] == [("a", 2), ("b", 3)]
