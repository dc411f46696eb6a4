from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_arxiv import feed
from aegis_arxiv.failure import NoAnswerError
from aegis_arxiv.loopback import Paper
from aegis_arxiv.loopback import feed as atom

ONE = Paper("2104.12255", "Zero", "What is the funniest number?").entry()
TWO = Paper("quant-ph/0201082", "Quantum languages", "Grammars.").entry()
WHOLE = atom([ONE, TWO], total=7)


def _titles(page: feed.Feed) -> list[str | None]:
    return [entry.findtext("{http://www.w3.org/2005/Atom}title") for entry in page.entries]


def test_whole_answer():
    page = feed.read(WHOLE, "host")
    assert _titles(page) == ["Zero", "Quantum languages"]
    assert (page.total, page.skipped, page.cut) == (7, (), False)


@given(st.integers(0, len(WHOLE)))
def test_an_answer_cut_anywhere_never_reads_as_whole_or_empty(place: int):
    body = WHOLE[:place]
    if body.rstrip() == WHOLE.rstrip():
        return
    try:
        page = feed.read(body, "host")
    except NoAnswerError:
        return
    assert page.cut
    assert len(page.entries) == len(re.findall(rb"</entry>", body))


@given(st.binary(max_size=200), st.integers(0, len(WHOLE)))
def test_any_bytes_are_read_or_refused(noise: bytes, place: int):
    with suppress(NoAnswerError):
        feed.read(WHOLE[:place] + noise + WHOLE[place:], "host")


def test_what_the_package_gets_is_whole_and_ends_with_the_page():
    page = feed.read(WHOLE[: WHOLE.index(b"<title>Quantum")], "host")
    again = feed.read(page.atom(start=20), "host")
    assert _titles(again) == ["Zero"]
    assert (again.total, again.cut) == (21, False)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("2021-06-17T17:37:18Z", "yesterday", "unreadable date 'yesterday'"),
        ("2021-06-17T17:37:18Z", "", "unreadable date ''"),
        ("2021-06-17T17:37:18Z", "0001-01-01T00:00:00+14:00", "unreadable date"),
        (
            "http://arxiv.org/abs/2104.12255v1",
            "http://arxiv.org/abs/",
            "without a paper's identifier",
        ),
        ("http://arxiv.org/abs/2104.12255v1", "", "without a paper's identifier"),
        ("Zero", " ", "2104.12255v1 has no title"),
    ],
)
def test_an_unsound_entry_is_left_out_and_named(old: str, new: str, said: str):
    page = feed.read(atom([ONE.replace(old, new), TWO]), "host")
    assert _titles(page) == ["Quantum languages"]
    assert len(page.skipped) == 1
    assert said in page.skipped[0]


@pytest.mark.parametrize("total", ["", "many", "-1", "1e9", "٣", "99999999999", "<b>3</b>"])
def test_a_total_that_is_no_number_is_unknown(total: str):
    body = WHOLE.replace(b">7<", f">{total}<".encode())
    assert feed.read(body, "host").total is None


def test_the_text_of_an_entry_cannot_open_another_one():
    forged = Paper("2104.12255", "</title></entry><entry><id>x</id>", "]]><entry/>").entry()
    page = feed.read(atom([forged]), "host")
    assert _titles(page) == ["</title></entry><entry><id>x</id>"]


def test_an_error_feed_is_an_error_with_its_reason():
    entry = (
        "<entry><id>http://arxiv.org/api/errors#incorrect_id_format_for_1234.12345</id>"
        "<title>Error</title><summary>incorrect id format for 1234.12345</summary></entry>"
    )
    with pytest.raises(NoAnswerError) as caught:
        feed.read(atom([entry]), "host")
    assert caught.value.fault == "question"
    assert caught.value.message == "host refuses the question: incorrect id format for 1234.12345"
    assert feed.error_report(atom([entry])) == "incorrect id format for 1234.12345"


def test_a_paper_named_error_is_a_paper():
    page = feed.read(atom([Paper("2104.12255", "Error", "On errors.").entry()]), "host")
    assert _titles(page) == ["Error"]


@pytest.mark.parametrize("body", [WHOLE, b"", b"<html>", b"{}"])
def test_what_is_no_error_feed_reports_nothing(body: bytes):
    assert feed.error_report(body) is None


def test_answers_of_the_older_format(shared):
    folder = shared / "arxiv" / "atom"
    page = feed.read((folder / "oldformat_xiv.xml").read_bytes(), "host")
    assert (len(page.entries), page.total, page.skipped, page.cut) == (2, 5619, (), False)
    page = feed.read((folder / "oldformat_zoia.xml").read_bytes(), "host")
    assert (len(page.entries), page.total, page.skipped, page.cut) == (1, 1, (), False)
