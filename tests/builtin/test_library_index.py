"""The index follows the folder, survives damage and interruption, and finds what it should."""

from __future__ import annotations

import gzip
import itertools
import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.builtin._library import formats
from aegis.builtin._library import index as library_index
from aegis.builtin._library.index import FAULTS, Index, damaged, delete, found
from aegis.knowledge.stemming import stem
from aegis.knowledge.text import content_words

FOREVER = float("inf")


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "library"
    made.mkdir()
    return made


@pytest.fixture
def file(tmp_path):
    return tmp_path / "index.sqlite"


def put(folder, name, text="text"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def identifiers(file, folder, query="word"):
    with Index(file, folder) as index:
        index.update(FOREVER)
        return [one.identifier for one in index.search(query, 50)]


def test_new_changed_renamed_and_removed_files_are_followed(file, folder):
    put(folder, "a.md", "# A\n\nword")
    put(folder, "sub/b.txt", "B\n\nword")
    assert identifiers(file, folder) == ["a", "sub/b"]
    put(folder, "a.md", "# A\n\nnothing here now")
    put(folder, "c.md", "# C\n\nword")
    assert identifiers(file, folder) == ["c", "sub/b"]
    (folder / "c.md").rename(folder / "d.md")
    (folder / "sub" / "b.txt").unlink()
    assert identifiers(file, folder) == ["d"]
    assert identifiers(file, folder, "nothing") == ["a"]


def test_a_file_that_did_not_change_is_not_read_again(file, folder, monkeypatch):
    paths = [put(folder, f"{n}.md", f"# N{n}\n\nword") for n in range(3)]
    assert len(identifiers(file, folder)) == 3
    read = []
    real = formats.read
    monkeypatch.setattr(
        formats, "read", lambda path, relative: read.append(relative) or real(path, relative)
    )
    identifiers(file, folder)
    os.utime(paths[0], ns=(1, 1))  # touched: hashed again, not read again
    identifiers(file, folder)
    assert read == []
    put(folder, "1.md", "# N1\n\nword word")
    assert len(identifiers(file, folder)) == 3
    assert read == ["1.md"]


def test_a_change_of_the_same_size_is_seen(file, folder):
    path = put(folder, "a.md", "# A\n\nword")
    assert identifiers(file, folder) == ["a"]
    path.write_text("# A\n\nwork", "utf-8")
    os.utime(path, ns=(5, 5))
    assert identifiers(file, folder) == []


def test_damaged_files_are_named_and_counted_and_the_others_are_found(file, folder):
    put(folder, "good.md", "# Good\n\nword")
    (folder / "bad.md").write_bytes(b"\xff\xfe")
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7 nothing")
    put(folder, "some.jsonl", '{"title": "word"}\nbroken\nbroken\n')
    with Index(file, folder) as index:
        state = index.update(FOREVER)
        again = index.update(FOREVER)
        assert len(index.search("word", 9)) == 2
    assert state.documents == 2
    assert state.skipped == 4
    assert state == again, "what is wrong is remembered"
    assert [problem.split(" ")[0] for problem in state.problems] == [
        "bad.md",
        "bad.pdf",
        "some.jsonl",
    ]
    assert "not UTF-8" in state.problems[0]


def test_hidden_files_and_links_that_lead_out_are_left(file, folder, tmp_path):
    put(tmp_path, "secret.md", "# Secret\n\nword")
    put(tmp_path, "outside/x.md", "# X\n\nword")
    put(folder, ".hidden.md", "word")
    put(folder, ".git/config.md", "word")
    put(folder, "real.md", "# Real\n\nword")
    put(folder, "picture.png", "word")
    (folder / "link-out.md").symlink_to(tmp_path / "secret.md")
    (folder / "folder-out").symlink_to(tmp_path / "outside")
    (folder / "loop").symlink_to(folder)
    (folder / "dangling.md").symlink_to(folder / "nowhere.md")
    (folder / "inside.md").symlink_to(folder / "real.md")
    os.mkfifo(folder / "pipe.md")
    assert sorted(unit.relative for unit in found(folder.resolve())) == ["inside.md", "real.md"]
    linked = tmp_path / "linked"
    linked.symlink_to(folder)
    assert sorted(identifiers(file, linked)) == ["inside", "real"]


def test_a_note_and_a_text_of_one_name_and_an_entry_that_stands_twice(file, folder):
    put(folder, "a.md", "# A\n\nword")
    put(folder, "a.txt", "A\n\nword")
    put(folder, "r.jsonl", '{"id": "x", "title": "word"}\n{"id": "x", "title": "word again"}\n')
    with Index(file, folder) as index:
        state = index.update(FOREVER)
        assert {one.identifier for one in index.search("word", 9)} == {"a", "a.txt", "r.jsonl#x"}
    assert state.problems == ("r.jsonl (r.jsonl#x: stands there twice)",)


def test_time_that_runs_out_leaves_the_rest_for_the_next_time(file, folder):
    for n in range(4):
        put(folder, f"{n}.md", "# N\n\nword")
    with Index(file, folder) as index:
        assert index.update(time.monotonic() - 1).waiting == 4
        assert index.search("word", 9) == []
        assert index.update(FOREVER).waiting == 0
        assert len(index.search("word", 9)) == 4


def test_a_file_that_takes_the_worker_down_is_given_up_after_two_attempts(
    file, folder, monkeypatch
):
    put(folder, "a.md", "# A\n\nword")
    put(folder, "deadly.md", "# D\n\nword")
    real = formats.read

    def read(path, relative):
        if relative == "deadly.md":
            os._exit(9)
        return real(path, relative)

    monkeypatch.setattr(formats, "read", read)
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            identifiers(file, folder)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    with Index(file, folder) as index:
        state = index.update(FOREVER)
        assert [one.identifier for one in index.search("word", 9)] == ["a"]
    assert state.problems == ("deadly.md (reading it did not come to an end)",)
    monkeypatch.setattr(formats, "read", real)
    put(folder, "deadly.md", "# D\n\nword, and harmless")
    assert identifiers(file, folder) == ["a", "deadly"]


def test_too_many_files_are_said(file, folder, monkeypatch):
    monkeypatch.setattr(library_index, "FILES", 2)
    for n in range(5):
        put(folder, f"{n}.md")
    with Index(file, folder) as index:
        state = index.update(FOREVER)
    assert (state.documents, state.skipped) == (2, 3)
    assert state.problems == ("3 files (more than 2 in the folder)",)


# ------------------------------------------------------------------ the file is a cache


def test_an_index_that_is_no_database_or_of_another_version_is_made_anew(file, folder):
    put(folder, "a.md", "# A\n\nword")
    file.write_bytes(b"no database at all, but long enough to be looked at" * 50)
    assert identifiers(file, folder) == ["a"]
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 99")
    connection.execute("DROP TABLE files")
    connection.close()
    assert identifiers(file, folder) == ["a"]
    delete(file)
    assert identifiers(file, folder) == ["a"]
    delete(file)
    assert not list(file.parent.glob("index.sqlite*"))


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("damage")
    folder, file = tmp_path / "library", tmp_path / "index.sqlite"
    for n in range(3):
        put(folder, f"{n}.md", f"# Title {n}\n\n" + "word and more " * 40)
    with Index(file, folder) as index:
        index.update(FOREVER)
        whole = index.search("word", 9)
    shutil.copy(file, tmp_path / "whole")
    return folder, file, whole


@settings(max_examples=150, deadline=None)
@given(
    at=st.floats(0, 1, exclude_max=True),
    filling=st.binary(min_size=1, max_size=300),
    times=st.integers(1, 10),
)
def test_damage_anywhere_is_found_or_harmless(three, at, filling, times):
    folder, file, whole = three
    data = file.with_name("whole").read_bytes()
    delete(file)
    start = int(at * len(data))
    changed = (filling * times)[: len(data) - start]
    file.write_bytes(data[:start] + changed + data[start + len(changed) :])
    try:
        with Index(file, folder) as index:
            index.update(FOREVER)
            served = index.search("word", 9)
    except FAULTS as error:
        if not damaged(error):
            raise
        served = []
    # What the words led to may have been lost; what is served is as it was put in.
    assert all(document in whole for document in served)


def test_a_database_that_is_locked_is_not_thrown_away(file, folder):
    put(folder, "a.md")
    identifiers(file, folder)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        connection = sqlite3.connect(file, timeout=0)
        with pytest.raises(sqlite3.OperationalError) as locked:
            connection.execute("BEGIN IMMEDIATE")
        assert not damaged(locked.value)
        connection.close()
    finally:
        other.close()


# ------------------------------------------------------------------ search


@pytest.fixture(scope="module")
def sample(root, tmp_path_factory):
    with Index(tmp_path_factory.mktemp("index") / "i.sqlite", root / "data" / "library") as index:
        state = index.update(FOREVER)
        assert state.skipped == 0
        yield index


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("low rank adaptation", "low-rank-adaptation"),
        ("Attention", "attention"),
        ("vanishing gradient", "vanishing-gradients"),
        ("multi-armed bandit", "multi-armed-bandits"),
        ("BM25", "bm25"),
        ("policy gradients", "policy-gradient"),
        ("what is a Kalman-like Hidden Markov model?", "hidden-markov-models"),
    ],
)
def test_the_document_about_a_subject_comes_first(sample, query, first):
    assert sample.search(query, 5)[0].identifier == first


def test_pages_follow_each_other_without_a_gap(sample):
    whole = [one.identifier for one in sample.search("gradient descent", 20)]
    pages = [
        one.identifier
        for page in range(4)
        for one in sample.search("gradient descent", 5, 5 * page)
    ]
    assert pages == whole
    assert len(set(whole)) == 20


def test_what_the_library_does_not_know_is_not_found(sample):
    assert sample.search("quantum chromodynamics", 5) == []
    assert sample.search("", 5) == []
    assert sample.search("!!! ***", 5) == []


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=100)
    | st.lists(
        st.sampled_from(
            [
                '"',
                "NEAR(",
                "AND",
                "OR",
                "NOT",
                "*",
                "title:",
                "^",
                "attention",
                "(",
                ")",
                "-",
                "+",
                "'",
                "\x00",
                "{",
                "\ud800",
            ]
        ),
        max_size=12,
    ).map(" ".join)
)
def test_nothing_in_a_query_is_syntax(sample, query):
    assert isinstance(sample.search(query, 3), list)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "attention",
                "gradient",
                "reward",
                "tokens",
                "exploration",
                "entropy",
                "kernel",
                "adapters",
                "dropout",
            ]
        ),
        min_size=1,
        max_size=6,
        unique=True,
    )
)
def test_every_result_speaks_of_half_of_the_words(sample, asked):
    for document in sample.search(" ".join(asked), 20):
        stems = {stem(word) for word in content_words(f"{document.title} {document.text}")}
        # The index folds more endings than `stem` does, so a word counts by its beginning too.
        hits = sum(
            stem(word) in stems or any(one.startswith(word[:5]) for one in stems) for word in asked
        )
        assert hits >= (len(asked) + 1) // 2


def test_the_papers_of_the_reference_corpus_are_found(shared, tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    with gzip.open(shared / "arxiv" / "metadata_20k.jsonl.gz") as lines:
        (folder / "papers.jsonl").write_bytes(b"".join(itertools.islice(lines, 3000)))
    with Index(tmp_path / "i.sqlite", folder) as index:
        state = index.update(FOREVER)
        assert (state.documents, state.skipped) == (3000, 0)
        found = index.search("low-rank adaptation of language models", 3)
    assert len(found) == 3
    assert all("low-rank" in one.title.lower() for one in found)
    assert Path(found[0].url).name == "papers.jsonl"
