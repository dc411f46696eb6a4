from __future__ import annotations

import pytest

from aegis_arxiv.settings import ArxivSettings, problems


def test_defaults_are_right():
    assert list(problems(ArxivSettings())) == []
    assert ArxivSettings().host == "export.arxiv.org"


def test_everything_wrong_is_told_at_once():
    settings = ArxivSettings(
        categories=("cs.LG", "cs LG", "CS.lg"),
        since="2021-02-30",
        until="20210101",
        base_url="ftp://export.arxiv.org",
        contact="a\r\nHost: evil.example",
    )
    found = list(problems(settings))
    assert [problem.code for problem in found] == [
        "arxiv-category",
        "arxiv-category",
        "arxiv-date",
        "arxiv-date",
        "arxiv-address",
        "arxiv-contact",
    ]
    assert all(problem.where.startswith("[tool.search_arxiv]") and problem.fix for problem in found)


def test_dates_in_the_wrong_order_are_told():
    settings = ArxivSettings(since="2022-01-01", until="2021-01-01")
    assert [problem.code for problem in problems(settings)] == ["arxiv-date"]


@pytest.mark.parametrize(
    "name", ["cs.LG", "hep-th", "cs.*", "cond-mat.mes-hall", "math.GT", "q-bio.NC"]
)
def test_categories_of_arxiv_are_right(name: str):
    assert list(problems(ArxivSettings(categories=(name,)))) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "export.arxiv.org/api/query",
        "https://",
        "https://user:secret@export.arxiv.org/api",
        "https://export.arxiv.org/api?x=1",
        "https://export.arxiv.org/api#x",
        "https://export.arxiv.org/{}",
        "https://export.arxiv.org:99999/",
        "https://export.arxiv.org:0/",
        "https://[export/",
        "https://export.arxiv.org/a b",
        "file:///etc/passwd",
    ],
)
def test_what_is_no_address_is_told(url: str):
    assert [problem.code for problem in problems(ArxivSettings(base_url=url))] == ["arxiv-address"]


def test_a_contact_must_fit_a_header():
    assert [p.code for p in problems(ArxivSettings(contact="é@example.org"))] == ["arxiv-contact"]
