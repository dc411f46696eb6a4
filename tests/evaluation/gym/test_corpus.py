from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from aegis.errors import InputError
from aegis.evaluation.gym.corpus import corpus_digest, parse_note, read_corpus

NOTE = """---
title: A* search
tags: [search]
---

# A heading

It is standard in [[planning]] and [[tree-search]].
"""


def test_a_note_has_the_title_of_its_front_matter_and_the_words_of_its_links():
    note = parse_note("a-star-search", NOTE)
    assert (note.id, note.title) == ("a-star-search", "A* search")
    assert note.text.endswith("It is standard in planning and tree search.")
    assert "tags" not in note.text


def test_a_note_without_front_matter_is_named_by_its_heading_and_else_by_its_file():
    assert parse_note("x", "# Low rank\n\ntext").title == "Low rank"
    assert parse_note("sub/low-rank", "text").title == "low rank"


def test_a_folder_gives_its_notes_in_the_order_of_their_paths(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.md").write_text("B")
    (tmp_path / "sub" / "a.txt").write_text("A")
    (tmp_path / "image.png").write_bytes(b"\x89PNG")
    assert [document.id for document in read_corpus(tmp_path).documents] == ["b", "sub/a"]


@pytest.mark.parametrize("name", ["papers.jsonl", "papers.jsonl.gz"])
def test_rows_are_read_plain_and_compressed(tmp_path: Path, name: str):
    row = json.dumps(
        {"id": "2501.1", "title": "Two\n lines", "abstract": "one\u2028two"}, ensure_ascii=False
    )
    raw = f"{row}\n\n".encode()
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    (paper,) = read_corpus(tmp_path / name).documents
    assert (paper.id, paper.title, paper.text) == ("2501.1", "Two lines", "one\u2028two")


def test_everything_that_is_wrong_with_a_corpus_is_told_at_once(tmp_path: Path):
    rows = [
        '{"id": "a", "title": "A", "abstract": "x"}',
        "no json",
        '["list"]',
        '{"id": 3}',
        '{"id": "a", "title": "B", "text": "y"}',
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    (tmp_path / "bad.md").write_bytes(b"\xff\xfe")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b"{}" * 100)[:-12])
    with pytest.raises(InputError) as caught:
        read_corpus(tmp_path)
    codes = [problem.code for problem in caught.value.problems]
    assert codes == [
        "corpus-unreadable",
        "corpus-unreadable",
        "corpus-row",
        "corpus-row",
        "corpus-row",
        "corpus-duplicate",
    ]
    assert [
        p.where.rpartition(":")[2] for p in caught.value.problems if p.code == "corpus-row"
    ] == ["2", "3", "4"]


def test_what_is_hidden_or_elsewhere_is_no_part_of_it(tmp_path: Path):
    """Nobody is asked about deleted notes, or about what a link leads to."""
    notes, outside = tmp_path / "notes", tmp_path / "outside.md"
    for name in (".trash/gone.md", ".git/x.md", "sub/.venv/licence.txt", "kept.markdown", ".x.md"):
        (notes / name).parent.mkdir(parents=True, exist_ok=True)
        (notes / name).write_text("text")
    outside.write_text("text")
    (notes / "out.md").symlink_to(outside)
    (notes / "in.md").symlink_to(notes / "kept.markdown")
    (notes / "folder").symlink_to(tmp_path)
    assert [document.id for document in read_corpus(notes).documents] == ["in", "kept"]


def test_notes_of_the_same_name_and_rows_without_one_are_told_apart(tmp_path: Path):
    for name in ("a.md", "a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    rows = ['{"title": "A", "text": "x"}', '{"id": 7, "title": "B", "abstract": "y"}']
    (tmp_path / "rows.jsonl").write_text("\ufeff" + "\n".join(rows), encoding="utf-8")
    found = {document.id: document.text for document in read_corpus(tmp_path).documents}
    assert found == {"a": "a.md", "a.txt": "a.txt", "b": "b.txt", "rows.jsonl#1": "x", "7": "y"}


def test_front_matter_is_found_behind_a_byte_order_mark(tmp_path: Path):
    (tmp_path / "a.md").write_bytes(b"\xef\xbb\xbf" + NOTE.replace("\n", "\r\n").encode())
    (note,) = read_corpus(tmp_path).documents
    assert (note.title, "\r" in note.text) == ("A* search", False)


def test_names_that_are_no_text_are_told(tmp_path: Path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md")).write_text("text")
    (tmp_path / "rows.jsonl").write_text('{"id": "\\ud800", "title": "A", "text": "x"}')
    with pytest.raises(InputError) as caught:
        read_corpus(tmp_path)
    assert [problem.code for problem in caught.value.problems] == [
        "corpus-unreadable",
        "corpus-row",
    ]
    assert str(caught.value).isascii()


def test_a_foreign_file_is_told_in_a_few_lines(tmp_path: Path):
    (tmp_path / "log.jsonl").write_text('{"level": "info"}\n' * 500)
    with pytest.raises(InputError) as caught:
        read_corpus(tmp_path)
    assert len(caught.value.problems) == 21
    assert "480 more" in caught.value.problems[-1].message


def test_a_corpus_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"no documents at .*nowhere"):
        read_corpus(tmp_path / "nowhere")


def test_the_digest_depends_on_names_and_contents(tmp_path: Path):
    (tmp_path / "a.md").write_text("A")
    first = corpus_digest(tmp_path)
    assert corpus_digest(tmp_path) == first
    (tmp_path / "a.md").write_text("B")
    second = corpus_digest(tmp_path)
    (tmp_path / "a.md").rename(tmp_path / "b.md")
    assert len({first, second, corpus_digest(tmp_path)}) == 3
