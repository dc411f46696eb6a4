"""The three library tools: what they propose, what they answer, and the same through a worker."""

from __future__ import annotations

import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.agent.worker import Workers
from aegis.builtin import library
from aegis.builtin._library.note import WriteNote
from aegis.builtin._library.queries import MOST
from aegis.builtin._library.read import Read
from aegis.builtin._library.search import SearchLibrary
from aegis.contracts.component import Runtime
from aegis.contracts.outcome import Document
from aegis.contracts.roles import ToolContext
from aegis.contracts.view import Recent, Seen, View
from aegis.errors import ToolError
from aegis.host.composition import Chosen
from aegis.host.interface import actions
from aegis.host.manager import Host

VIEW = View(
    "Understand parameter-efficient fine-tuning",
    missing=("parameter", "tuning"),
    gaps=("intrinsic dimension",),
    found=(Seen("3", "Low-rank adaptation (LoRA)"), Seen("5", "Prefix tuning | a \\ title")),
    knowledge=(Seen("1", "Adapter layers"),),
    facts=("LoRA freezes the weights.", "It rests on a low intrinsic rank."),
)


@pytest.fixture
def search(root):
    return SearchLibrary(root / "data" / "library", 5)


@pytest.fixture
def context(tmp_path):
    def make(key="run-1", **documents):
        return ToolContext(key, time.monotonic() + 100, tmp_path, documents=documents)

    return make


def closed(tool, view):
    return [action for action in tool.candidates(view) if action.slot is None]


# ------------------------------------------------------------------ search_library


def test_searches_are_proposed_from_goal_missing_gaps_and_titles(search):
    queries = [action.arguments["query"] for action in closed(search, VIEW)]
    assert queries[0] == "parameter efficient fine tuning"
    assert {
        "parameter tuning",
        "tuning",
        "parameter",
        "intrinsic dimension",
        "adapter layers",
    } <= set(queries)
    assert len(queries) <= MOST
    first = closed(search, VIEW)[0]
    assert dict(first.signals) == {"terms": 4, "missing": 2}
    assert first.render() == "search_library parameter efficient fine tuning terms=4 missing=2"


def test_one_open_query_is_left_to_an_engine_that_writes(search):
    (open_one,) = [action for action in search.candidates(VIEW) if action.slot]
    assert (open_one.slot, open_one.arguments) == ("query", {})
    assert open_one.filled("my own words").arguments == {"query": "my own words"}


def test_the_next_page_of_a_query_that_gave_results_is_proposed(search):
    first = closed(search, VIEW)[0]
    asked = View(
        "Understand parameter-efficient fine-tuning", recent=(Recent(first.render(), "ok", 2),)
    )
    (second,) = [action for action in closed(search, asked) if "page" in action.arguments]
    assert second.arguments == {"query": "parameter efficient fine tuning", "page": 2}
    assert second.signals["page"] == 2
    more = View(
        "Understand parameter-efficient fine-tuning",
        recent=(*asked.recent, Recent(second.render(), "ok", 1)),
    )
    assert [a.arguments["page"] for a in closed(search, more) if "page" in a.arguments] == [3]
    written = View("x", recent=(Recent("search_library odd \\p words = here", "ok", 1),))
    assert {"query": "odd | words = here", "page": 2} in [
        dict(a.arguments) for a in closed(search, written)
    ]
    for recent in (
        Recent(first.render(), "empty", 0),
        Recent(first.render(), "ok", 0),
        Recent("read Adapter layers rank=1", "ok", 0),
        Recent("search_library", "ok", 0),
    ):
        assert not any(
            "page" in a.arguments
            for a in closed(search, View("Understand entropy", recent=(recent,)))
        )


TEXTS = st.text(max_size=60) | st.sampled_from(
    ["low-rank adaptation", "Understand attention", "attention", "gradients of gradients"]
)
VIEWS = st.builds(
    View,
    TEXTS,
    missing=st.lists(TEXTS, max_size=5).map(tuple),
    gaps=st.lists(TEXTS, max_size=5).map(tuple),
    facts=st.lists(TEXTS.filter(str.strip), max_size=3).map(tuple),
    found=st.lists(st.builds(Seen, st.sampled_from(["1", "2", "77"]), TEXTS), max_size=5).map(
        tuple
    ),
    knowledge=st.lists(st.builds(Seen, st.just("9"), TEXTS), max_size=3).map(tuple),
    recent=st.lists(
        st.builds(
            Recent,
            TEXTS | TEXTS.map("search_library {} page=2".format),
            st.sampled_from(["ok", "empty"]),
            st.integers(0, 3),
        ),
        max_size=4,
    ).map(tuple),
)


@settings(max_examples=200, deadline=None)
@given(VIEWS)
def test_every_candidate_of_any_view_is_legal_and_no_question_is_asked_twice(
    tmp_path_factory, view
):
    plugin = next(
        iter(
            Host.load(
                [], tmp_path_factory.getbasetemp(), builtins=("aegis.builtin.library",)
            ).plugins
        )
    )
    tools = (
        SearchLibrary(tmp_path_factory.getbasetemp(), 5),
        Read(3, 8),
        WriteNote(tmp_path_factory.getbasetemp() / "notes"),
    )
    for tool in tools:
        proposed = actions(tool, view, plugin)
        assert len(proposed) <= MOST + 1
        keys = [action.key for action in proposed]
        refs = [seen.ref for seen in view.found]
        assert len(set(keys)) == len(keys) or len(set(refs)) < len(refs)
        assert all(len(action.render().splitlines()) == 1 for action in proposed)
        assert list(tool.candidates(view)) == list(tool.candidates(view))


def test_a_search_returns_documents_page_by_page(search, context):
    one = search.call({"query": "low rank adaptation"}, context())
    two = search.call({"query": "low rank adaptation", "page": 2}, context())
    assert one.status == two.status == "ok"
    assert one.documents[0].identifier == "low-rank-adaptation"
    assert len(one.documents) == 5
    assert not {d.identifier for d in one.documents} & {d.identifier for d in two.documents}
    assert one.message == "5 of 235 documents"


def test_nothing_found_is_empty_and_says_so(search, context):
    nothing = search.call({"query": "quantum chromodynamics"}, context())
    assert nothing.status == "empty"
    assert nothing.message == 'nothing in the library about "quantum chromodynamics"'
    late = search.call({"query": "low rank adaptation", "page": 20}, context())
    assert (late.status, late.message) == ("empty", "no further page")


def test_a_folder_that_does_not_exist_is_told_with_the_way_out(tmp_path, context):
    with pytest.raises(ToolError) as absent:
        SearchLibrary(tmp_path / "nowhere", 5).call({"query": "x"}, context())
    (problem,) = absent.value.problems
    assert problem.code == "library-absent"
    assert "[agent].library" in problem.fix


def test_a_folder_that_is_not_indexed_yet_is_partial(tmp_path, context):
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "a.md").write_text("# Word")
    tool = SearchLibrary(tmp_path / "library", 5)
    late = ToolContext("k", time.monotonic(), tmp_path)
    result = tool.call({"query": "word"}, late)
    assert result.status == "partial"
    assert "1 files are not indexed yet" in result.message
    assert tool.call({"query": "word"}, context()).status == "ok"


def test_a_damaged_index_is_made_anew_within_the_call(search, context, tmp_path):
    search.call({"query": "attention"}, context())
    (file,) = tmp_path.glob("*.sqlite")
    data = bytearray(file.read_bytes())
    data[4096:] = b"\x5a" * (len(data) - 4096)
    file.write_bytes(data)
    result = search.call({"query": "attention"}, context())
    assert result.status == "ok"
    assert result.documents[0].identifier == "attention"


def test_files_that_are_left_out_are_named_in_the_message(tmp_path, context):
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "good.md").write_text("# Word")
    (tmp_path / "library" / "bad.pdf").write_bytes(b"nothing")
    result = SearchLibrary(tmp_path / "library", 5).call({"query": "word"}, context())
    assert result.status == "ok"
    assert "1 left out of the index: bad.pdf" in result.message


# ------------------------------------------------------------------ read


def test_each_document_found_may_be_read_and_is_told_apart():
    first, second = Read(3, 8).candidates(VIEW)
    assert (first.arguments, first.about) == ({"document": "3"}, "Low-rank adaptation (LoRA)")
    assert dict(first.signals) == {"rank": 1, "match": 0, "missing": 0, "new": 4}
    assert dict(second.signals) == {"rank": 2, "match": 1, "missing": 1, "new": 3}


def test_reading_gives_sentences_terms_and_references(search, context):
    document = search.call({"query": "low rank adaptation"}, context()).documents[0]
    result = Read(3, 8).call({"document": "7"}, context(**{"7": document}))
    (reading,) = result.readings
    assert (result.status, reading.ref, result.documents) == ("ok", "7", ())
    assert len(reading.sentences) == 3
    assert reading.sentences[0].startswith("Low-rank adaptation fine-tunes a model")
    assert reading.terms[0] == "low-rank adaptation"
    assert {"2106.09685", "adapter-layers", "quantized-low-rank-adaptation"} <= set(
        reading.references
    )


def test_a_document_without_text_is_empty_and_an_absent_one_an_error(context):
    bare = Document("library", "x", "Title", " \n")
    assert Read(3, 8).call({"document": "7"}, context(**{"7": bare})).status == "empty"
    with pytest.raises(ToolError, match='document "8" was not handed'):
        Read(3, 8).call({"document": "8"}, context(**{"7": bare}))


# ------------------------------------------------------------------ write_note


def test_a_note_is_proposed_once_there_is_something_to_note(tmp_path):
    tool = WriteNote(tmp_path)
    assert list(tool.candidates(View("Understand entropy"))) == []
    digest, open_one = tool.candidates(VIEW)
    assert digest.arguments["text"] == (
        "Understand parameter-efficient fine-tuning: LoRA freezes the weights. It rests on a low intrinsic rank."
    )
    assert open_one.slot == "text"


def test_a_note_is_a_file_with_front_matter_and_the_same_key_the_same_file(tmp_path, context):
    tool = WriteNote(tmp_path / "deep" / "notes")
    text = "What I learned: adapters add few weights. See [[adapter-layers]] and arXiv:2106.09685."
    first = tool.call({"text": text}, context("run-1"))
    assert first == tool.call({"text": text}, context("run-1"))
    second = tool.call({"text": text}, context("run-2"))
    names = sorted(file.name for file in (tmp_path / "deep" / "notes").iterdir())
    assert [name[:20] for name in names] == ["0001-what-i-learned-", "0002-what-i-learned-"]
    (document,) = first.documents
    assert (document.source, document.title, document.text) == ("note", "What I learned", text)
    assert document.references == ("adapter-layers", "2106.09685")
    assert document.identifier == names[0].removesuffix(".md")
    assert second.documents[0].identifier == names[1].removesuffix(".md")
    content = (tmp_path / "deep" / "notes" / names[0]).read_text()
    assert content == f"---\ntitle: What I learned\ntags: [note]\n---\n\n{text}\n"


@settings(max_examples=100, deadline=None)
@given(
    st.text(min_size=1, max_size=80)
    | st.sampled_from(
        [
            "../../etc/passwd",
            "---\ntitle: forged\n---",
            "[a, b]",
            "x\ud800y",
            "a\x00b",
            "/",
            "\\",
            "...",
            "con: x",
        ]
    )
)
def test_a_note_of_any_text_stays_in_its_folder(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("notes")
    result = WriteNote(folder).call({"text": text}, ToolContext(f"k{text!r}", 0.0, folder))
    assert result.status == ("ok" if text.strip() else "empty")
    files = list(folder.rglob("*"))
    assert len(files) == len(result.documents)
    for document in result.documents:
        assert files[0].name == f"{document.identifier}.md"
        assert document.tags == ("note",)
        assert document.title == " ".join(document.title.split())


def test_a_note_that_was_cut_off_leaves_nothing_to_be_found(tmp_path, context, monkeypatch):
    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        WriteNote(tmp_path).call({"text": "a note"}, context())
    assert list(tmp_path.glob("[!.]*")) == []
    monkeypatch.undo()
    assert WriteNote(tmp_path).call({"text": "a note"}, context()).status == "ok"


# ------------------------------------------------------------------ the plugin


def test_the_manifests_import_nothing_that_is_heavy():
    script = (
        "import sys; from aegis.builtin import library; tools = list(library.aegis_tools());"
        "[tool.describe(tool.config()) for tool in tools];"
        "heavy = {'sqlite3', 'numpy', 'pypdf', 'sqlalchemy', 'torch', 'rich', 'aegis.builtin._library'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


def test_the_tools_work_in_the_workers_of_a_project(root, tmp_path):
    host = Host.load([], tmp_path)
    tools = [
        Chosen(f"tool.{p.component.name}", p, p.component.config(), "")
        for p in host.components("tool")
        if p.component.name in {"search_library", "read", "write_note"}
    ]
    assert len(tools) == 3
    runtime = Runtime(
        project=tmp_path,
        data=tmp_path / "data" / "run" / "cache",
        library=root / "data" / "library",
    )
    with Workers(SimpleNamespace(tools=tools), runtime) as workers:
        assert workers.ready() == {}
        assert len(workers.pids()) == 1, "one process a plugin"
        found = workers.call("search_library", {"query": "dropout"}, key="1").documents[0]
        assert found.identifier == "dropout"
        (reading,) = workers.call(
            "read", {"document": "7"}, key="2", documents={"7": found}
        ).readings
        assert reading.ref == "7"
        note = workers.call("write_note", {"text": " ".join(reading.sentences)}, key="3")
        assert note.status == "ok"
        missing = workers.call("read", {"document": "8"}, key="4")
        assert (missing.status, missing.message) == (
            "error",
            'document "8" was not handed to the call',
        )
    assert len(list((tmp_path / "data" / "run" / "notes").glob("*.md"))) == 1
    assert list((tmp_path / "data" / "run" / "cache" / "search_library").glob("*.sqlite"))


def test_a_project_says_where_its_library_is(root, tmp_path):
    (search, _, write) = library.aegis_tools()
    runtime = Runtime(project=tmp_path, data=tmp_path)
    assert search.build(search.config(), {}, runtime)._folder == tmp_path / "data" / "library"
    assert search.build(search.config(folder="mine"), {}, runtime)._folder == tmp_path / "mine"
    assert write.build(write.config(), {}, runtime)._folder == tmp_path / "data" / "run" / "notes"
