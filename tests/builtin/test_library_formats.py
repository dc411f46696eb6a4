"""Every format of the library, as it should be and damaged: nothing in a file is fatal."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.builtin._library import bibtex, formats
from aegis.builtin._library.extraction import TEXT_LIMIT, Skipped, Unreadable
from aegis.builtin._library.notes import front_matter
from aegis.contracts.outcome import Document


@pytest.fixture
def extract(tmp_path):
    def run(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return list(formats.read(path, f"sub/{name}"))

    return run


def pdf_bytes(*pages, title=None):
    """Return a PDF of plain text pages, made by hand."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>")
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for n, page in enumerate(pages):
        lines = " ".join(f"({line}) Tj T*" for line in page.split("\n"))
        stream = f"BT /F1 12 Tf 14 TL 72 720 Td {lines} ET"
        box = "/MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R {box} /Contents {5 + 2 * n} 0 R >>")
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    if title is not None:
        objects.append(f"<< /Title ({title}) >>")
    data, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(data))
        data += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    info = f"/Info {len(objects)} 0 R" if title is not None else ""
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {info} >>"
    return data + f"{end}\nstartxref\n{len(data)}\n%%EOF\n".encode()


# ------------------------------------------------------------------ Markdown and text


NOTE = """---
title: "Low-rank adaptation (LoRA)"
tags: [fine-tuning, parameter-efficiency]
related: [adapter-layers]
authors:
  - Edward Hu
  - Yelong Shen
reference: Hu et al. 2021, LoRA, arXiv:2106.09685
---

# Another heading

It freezes the weights, unlike [[adapter-layers]] and [[low-rank]].
"""


def test_a_note_has_title_tags_and_what_it_names(extract):
    (document,) = extract("low-rank.md", NOTE)
    assert document.source == "library"
    assert document.identifier == "sub/low-rank"
    assert document.title == "Low-rank adaptation (LoRA)"
    assert document.tags == ("fine-tuning", "parameter-efficiency")
    assert document.authors == ("Edward Hu", "Yelong Shen")
    assert document.references == ("adapter-layers", "2106.09685", "low-rank")
    assert document.text.startswith("# Another heading")
    assert document.url == "sub/low-rank.md"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# The heading #\n\nText.", "The heading"),
        ("Text without any.", "My own-name".replace("-", " ")),
        ("---\nnot closed: true\n\n## Deep\n", "Deep"),
        ("---\n---\nText.", "My own name"),
        ("\ufeff# With a mark\n", "With a mark"),
        ("# Windows\r\n\r\nText.\r\n", "Windows"),
    ],
)
def test_a_note_without_front_matter_is_called_by_its_heading_or_name(extract, text, title):
    (document,) = extract("my-own_name.md", text)
    assert document.title == title


def test_a_text_file_is_called_by_its_first_line(extract):
    (document,) = extract("a.txt", "\nThe title\n\nAnd the text on https://x.org.")
    assert (document.title, document.identifier) == ("The title", "sub/a")
    assert document.references == ("https://x.org",)
    (document,) = extract("long-first.txt", "x" * 400)
    assert document.title == "Long first"


def test_a_file_that_is_no_utf8_is_unreadable(extract):
    with pytest.raises(Unreadable, match=r"not UTF-8 \(byte 3\)"):
        extract("a.md", b"caf\xe9")


@settings(max_examples=200)
@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(["---", "a: b", "a:", "- x", "b: [c, d]", "", ":", "[", "a: [", "x"]),
        max_size=12,
    ).map("\n".join)
)
def test_front_matter_of_any_text(text):
    facts, body = front_matter(text)
    assert text.endswith(body)
    assert all(isinstance(value, list) for value in facts.values())


def test_the_sample_library_is_read_whole(root):
    files = sorted((root / "data" / "library").glob("*.md"))
    slugs = {file.stem for file in files}
    for file in files:
        (document,) = formats.read(file, file.name)
        assert document.identifier == file.stem
        assert document.title
        assert document.tags
        assert len(document.text) > 200
        assert set(document.references) & slugs, f"{file.name} is linked to nothing"


# ------------------------------------------------------------------ BibTeX


BIB = r"""
@comment{ignored, entirely = {yes}}
@string{nips = "Advances in " # "Neural Information Processing"}
@inproceedings{vaswani2017,
  title = {Attention Is {All} You Need},
  author = {Vaswani, Ashish and Noam Shazeer and K{\"u}nne, Jos\'e and others},
  booktitle = nips # { Systems},
  year = 2017, month = dec,
  eprint = {1706.03762}, archivePrefix = {arXiv},
  abstract = "We propose the {T}ransformer -- a model with 50\% less."
}
@article{broken, title = {never closed, author = {x}

@ARTICLE(second,
  TITLE = "Quoted {"}inner{"} title", editor = "Stra{\ss}e, A.",
  doi = {10.1038/Nature14539}, keywords = {deep learning; nets},
  date = {2015-05-28},
)
@misc{, title = {no key}}
@misc{untitled, year = {2001}}
@misc{last, title = {Last}, url = {https://arxiv.org/abs/2106.09685v2}, year = {in press}}
"""


def test_a_bibliography_becomes_documents_and_its_faults_are_named(extract):
    found = extract("refs.bib", BIB)
    documents = {one.identifier: one for one in found if isinstance(one, Document)}
    assert set(documents) == {
        "sub/refs.bib#vaswani2017",
        "sub/refs.bib#second",
        "sub/refs.bib#last",
    }
    first = documents["sub/refs.bib#vaswani2017"]
    assert first.title == "Attention Is All You Need"
    assert first.authors == ("Ashish Vaswani", "Noam Shazeer", "José Künne")
    assert first.published == "2017-12"
    assert first.text == "We propose the Transformer \u2013 a model with 50% less."
    assert first.references == ("1706.03762",)
    second = documents["sub/refs.bib#second"]
    assert second.title == 'Quoted "inner" title'
    assert second.authors == ("A. Straße",)
    assert second.references == ("10.1038/nature14539",)
    assert second.url == "https://doi.org/10.1038/Nature14539"
    assert second.tags == ("deep learning", "nets")
    assert second.published == "2015-05-28"
    assert documents["sub/refs.bib#last"].references == ("2106.09685",)
    assert [one for one in found if isinstance(one, Skipped)] == [
        Skipped("line 12", "a brace or quotation mark is not closed"),
        Skipped("line 19", "it has no key"),
        Skipped("line 20", "entry untitled has no title"),
    ]


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(
            [
                "@",
                "@article{",
                "@string(",
                "key,",
                "title",
                "=",
                "{",
                "}",
                '"',
                "#",
                ",",
                "\\",
                "{a}",
                '"b"',
                "\n",
                " ",
                "1999",
                "@comment{",
            ]
        ),
        max_size=30,
    ).map("".join)
)
def test_any_text_is_a_bibliography_with_faults(text):
    for entry in bibtex.entries(text):
        assert isinstance(entry, bibtex.Entry | bibtex.Fault)
        assert 1 <= entry.line <= text.count("\n") + 1


@pytest.mark.parametrize(
    ("latex", "plain"),
    [
        (r"{\'E}cole", "École"),
        (r"\'Ecole", "École"),
        (r"\v{S}imon \c{c}a \H{o}", "Šimon ça ő"),
        (r"\"{u}ber \~n \^{\i}", "über ñ î"),
        (r"\O{}re \L odz \ae on", "Øre Łodz æon"),
        (r"{A}~{B} \& \emph{c} --- d", "A B & c \u2013- d"),
        (r"\bfseries x", "x"),
    ],
)
def test_latex_becomes_text(latex, plain):
    assert bibtex.plain_text(latex) == plain


# ------------------------------------------------------------------ JSON lines


RECORDS = [
    {
        "id": "2106.09685",
        "title": "LoRA:\n Low-Rank",
        "abstract": "We freeze.",
        "authors": ["A", "B"],
        "categories": ["cs.CL"],
        "listed": "2021-06",
    },
    {"text": "Only text here. And more.", "tags": "a b", "authors": "C, D", "year": 1999},
    {"id": 7, "title": "Number", "body": "x\ud800y", "related": ["lora"]},
]


def test_records_of_other_shapes_become_documents(extract):
    lines = "\n".join(map(json.dumps, RECORDS)) + "\n\n[1]\n{broken\n{}\n" + "[" * 100_000
    for name, content in (
        ("a.jsonl", lines.encode()),
        ("a.jsonl.gz", gzip.compress(lines.encode())),
    ):
        found = extract(name, content)
        first, second, third = (one for one in found if isinstance(one, Document))
        assert first.identifier == f"sub/{name}#2106.09685"
        assert first.title == "LoRA: Low-Rank"
        assert first.references == ("2106.09685",)
        assert (first.authors, first.tags, first.published) == (("A", "B"), ("cs.CL",), "2021-06")
        assert (second.identifier, second.title) == (f"sub/{name}#2", "Only text here.")
        assert (second.authors, second.tags, second.published) == (("C", "D"), ("a", "b"), "1999")
        assert (third.text, third.references) == ("x?y", ("lora",))
        assert [one for one in found if isinstance(one, Skipped)] == [
            Skipped("line 5", "no object"),
            Skipped("line 6", "no JSON"),
            Skipped("line 7", "neither title nor text"),
            Skipped("line 8", "no JSON"),
        ]


def test_a_cut_archive_keeps_what_came_before(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    lines = "\n".join(json.dumps({"title": f"Title {n} {n * 7919}"}) for n in range(2000))
    path.write_bytes(gzip.compress(lines.encode())[:-2000])
    found = []
    with pytest.raises(Unreadable, match="damaged"):
        found.extend(formats.read(path, "a.jsonl.gz"))
    assert len(found) > 100


def test_an_archive_that_unpacks_to_too_much_is_left(extract, monkeypatch):
    monkeypatch.setattr("aegis.builtin._library.records.UNPACKED_LIMIT", 1000)
    with pytest.raises(Unreadable, match="unpacks to more"):
        extract("a.jsonl.gz", gzip.compress(b" " * 100_000))


# ------------------------------------------------------------------ PDF


def test_a_pdf_is_read_page_by_page(extract):
    data = pdf_bytes(
        "A Study of Things\nLow-rank adap-\ntation works. See arXiv:2106.09685.", "Page two."
    )
    (document,) = extract("paper.pdf", data)
    assert document.identifier == "sub/paper.pdf"
    assert document.title == "A Study of Things"
    assert "adaptation works" in document.text
    assert "Page two." in document.text
    assert document.references == ("2106.09685",)


@pytest.mark.parametrize(
    ("told", "title"),
    [
        ("Told Title", "Told Title"),
        ("Microsoft Word - draft.doc", "First Line"),
        ("untitled", "First Line"),
        ("", "First Line"),
    ],
)
def test_a_pdf_is_called_as_it_says_unless_a_program_said_it(extract, told, title):
    (document,) = extract("paper.pdf", pdf_bytes("First Line\ntext", title=told))
    assert document.title == title


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no readable PDF"),
        (b"%PDF-1.4 nonsense", "no readable PDF"),
        (pdf_bytes("x")[:150], "no readable PDF"),
        (pdf_bytes(""), "holds no text"),
    ],
)
def test_a_damaged_pdf_is_unreadable_and_says_why(extract, data, said):
    with pytest.raises(Unreadable, match=said):
        extract("paper.pdf", data)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_damage_of_a_pdf_is_a_fact_and_not_a_crash(tmp_path_factory, data):
    whole = pdf_bytes("A title here\nsome text", "more text", title="T")
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[at : at + data.draw(st.integers(1, 30))] = data.draw(st.binary(max_size=10))
    path = tmp_path_factory.mktemp("pdf") / "a.pdf"
    path.write_bytes(damaged)
    said = ["a reason"]
    try:
        found = list(formats.read(path, "a.pdf"))
    except Unreadable as unreadable:
        found, said = [], [str(unreadable)]
    assert all(isinstance(one, Document | Skipped) for one in found)
    assert all(said)


# ------------------------------------------------------------------ limits


def test_a_file_that_is_too_large_or_of_another_kind_is_left(tmp_path):
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.truncate(formats.FILE_LIMIT + 1)
    with pytest.raises(Unreadable, match="larger than 20 MB"):
        list(formats.read(path, "a.txt"))
    with pytest.raises(Unreadable, match="does not read"):
        list(formats.read(Path(__file__), "a.py"))
    assert [formats.suffix_of(n) for n in ("A.MD", "x.jsonl.gz", "x.json", ".pdf")] == [
        ".md",
        ".jsonl.gz",
        None,
        ".pdf",
    ]


def test_long_texts_and_many_entries_are_cut(extract, monkeypatch):
    (document,) = extract("a.txt", "Title\n" + "x" * 2 * TEXT_LIMIT)
    assert len(document.text) == TEXT_LIMIT
    monkeypatch.setattr(formats, "ENTRY_LIMIT", 2)
    found = extract("a.jsonl", '{"title": "one"}\n' * 5)
    assert len(found) == 3
    assert "more than 2 entries" in found[2].reason
