from __future__ import annotations

import hashlib

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from aegis.contracts.outcome import Document, Reading
from aegis.knowledge.items import Items, _match

LORA = Document(
    source="arxiv",
    identifier="2106.09685",
    title="LoRA: Low-Rank Adaptation of Large Language Models",
    text="We propose Low-Rank Adaptation, which freezes the pre-trained weights.",
    url="https://arxiv.org/abs/2106.09685",
    version=1,
    authors=("Edward Hu", "Yelong Shen"),
    published="2021-06-17",
    tags=("cs.CL",),
    references=("1902.00751",),
)
AT = "2026-01-01T00:00:00.000000+00:00"


def add(items, document, step=1):
    return items.add(document, tool="search_arxiv", at=AT, step=step)


def test_an_item_keeps_where_it_comes_from(connection):
    item, new = add(Items(connection), LORA)
    assert new
    assert item.document == LORA
    assert (item.tool, item.retrieved_at, item.step) == ("search_arxiv", AT, 1)
    assert item.digest == hashlib.sha256(f"{LORA.title}\n{LORA.text}".encode()).hexdigest()


def test_there_is_one_item_a_paper_across_versions(connection):
    items = Items(connection)
    first, _ = add(items, LORA)
    items.mark_read(Reading(first.ref, ("A sentence.",), ("low rank",)), step=2)
    second, new = add(items, evolve(LORA, version=2, text="The second version."), step=3)
    assert not new
    assert second.ref == first.ref
    assert second.document.version == 2
    assert second.read_step is None, "a newer version has not been read"
    assert items.count() == 1


def test_an_older_version_changes_nothing(connection):
    items = Items(connection)
    add(items, evolve(LORA, version=2, text="The second version."))
    item, new = add(items, LORA)
    assert not new
    assert item.document.version == 2
    assert item.document.text == "The second version."


def test_the_same_identifier_in_another_source_is_another_item(connection):
    items = Items(connection)
    add(items, LORA)
    _, new = add(items, evolve(LORA, source="library"))
    assert new


def test_reading_is_kept_with_the_item(connection):
    items = Items(connection)
    item, _ = add(items, LORA)
    items.mark_read(Reading(item.ref, ("One.", "Two."), ("low-rank adaptation",)), step=7)
    read = items.get(item.ref)
    assert (read.read_step, read.sentences, read.terms) == (
        7,
        ("One.", "Two."),
        ("low-rank adaptation",),
    )


def test_search_ranks_a_title_match_first_and_tells_read_from_unread(connection):
    items = Items(connection)
    in_text, _ = add(
        items, Document("library", "a", "Fine-tuning", "One way is adaptation of low rank.")
    )
    in_title, _ = add(items, Document("library", "b", "Low-rank adaptation", "Two thin matrices."))
    assert [i.ref for i in items.search("low rank adaptation")] == [in_title.ref, in_text.ref]
    items.mark_read(Reading(in_text.ref), step=1)
    assert [i.ref for i in items.search("low rank", read=True)] == [in_text.ref]
    assert [i.ref for i in items.search("low rank", read=False)] == [in_title.ref]


def test_a_replaced_text_is_found_by_its_new_words_only(connection):
    items = Items(connection)
    add(items, evolve(LORA, text="zebra"))
    add(items, evolve(LORA, version=2, text="giraffe"))
    assert items.search("zebra") == []
    assert len(items.search("giraffe")) == 1


@given(st.text())
def test_no_query_is_syntax(query):
    """Whatever a query holds, the expression is quoted words joined by OR."""
    expression = _match(query)
    assert not expression or all(
        part.startswith('"') and part.endswith('"') and part.count('"') == 2
        for part in expression.split(" OR ")
    )


def test_an_unknown_or_malformed_reference_is_nothing(connection):
    items = Items(connection)
    assert items.get("12") is None
    assert items.get("x; DROP TABLE knowledge") is None
    assert items.get("9" * 40) is None
