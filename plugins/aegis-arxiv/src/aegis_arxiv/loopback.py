"""A small arXiv on this machine, for tests: real HTTP on 127.0.0.1, over papers of your own.

    with serve(library([Paper("2106.00001", "Low-rank adaptation", "...")])) as server:
        settings = ArxivSettings(base_url=server.url)

`library` answers questions as arXiv does, `replay` gives recorded answers, and a list of `Reply`
gives what it says, one after another, faults included: a reply can be late, slow, cut, or reset.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from attrs import frozen

from aegis.testing import Reply, serve_http

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from aegis.testing import Answering, Loopback, Request

__all__ = ["Paper", "Reply", "feed", "library", "parameters", "replay", "serve"]

_ATOM: Final = "application/atom+xml; charset=utf-8"
_HEAD: Final = (
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    '<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" '
    'xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">\n'
    "  <id>https://arxiv.org/api/loopback</id>\n"
    "  <title>arXiv Query</title>\n"
    "  <updated>2026-01-01T00:00:00Z</updated>\n"
)


@frozen
class Paper:
    """A paper of the small arXiv."""

    identifier: str
    title: str
    abstract: str = ""
    version: int = 1
    authors: tuple[str, ...] = ("Ada Author",)
    categories: tuple[str, ...] = ("cs.LG",)
    published: str = "2021-06-17T17:37:18Z"
    comment: str = ""
    doi: str = ""

    def entry(self) -> str:
        """Return the paper as an entry of an Atom feed."""
        address = f"http://arxiv.org/abs/{escape(self.identifier)}v{self.version}"
        authors = "".join(f"<author><name>{escape(name)}</name></author>" for name in self.authors)
        categories = "".join(f'<category term="{escape(name)}"/>' for name in self.categories)
        comment = f"<arxiv:comment>{escape(self.comment)}</arxiv:comment>" if self.comment else ""
        doi = f"<arxiv:doi>{escape(self.doi)}</arxiv:doi>" if self.doi else ""
        return (
            f"  <entry>\n    <id>{address}</id>\n    <title>{escape(self.title)}</title>\n"
            f"    <updated>{escape(self.published)}</updated>\n"
            f'    <link href="{address}" rel="alternate" type="text/html"/>\n'
            f"    <summary>{escape(self.abstract)}</summary>\n    {categories}\n"
            f"    <published>{escape(self.published)}</published>\n    {comment}{doi}\n"
            f"    {authors}\n  </entry>\n"
        )


def serve(answers: Answering | Sequence[Reply]) -> AbstractContextManager[Loopback]:
    """Run a server whose `url` is for ``base_url``; as `aegis.testing.serve_http`."""
    return serve_http(answers, "/api/query", _ATOM)


def feed(entries: Iterable[str], total: int | None = None, start: int = 0) -> bytes:
    """Return an Atom feed of entries; `total` is their number where it is not given."""
    every = list(entries)
    numbers = {
        "itemsPerPage": len(every),
        "totalResults": len(every) if total is None else total,
        "startIndex": start,
    }
    lines = [f"  <opensearch:{name}>{n}</opensearch:{name}>\n" for name, n in numbers.items()]
    return "".join([_HEAD, *lines, *every, "</feed>\n"]).encode()


def library(papers: Sequence[Paper]) -> Answering:
    """Return what answers as arXiv does: words, categories, dates, identifiers and pages."""

    def answer(asked: Request) -> Reply:
        found = [paper for paper in papers if _matches(paper, asked.query)]
        start, size = int(asked.query.get("start", 0)), int(asked.query.get("max_results", 10))
        page = found[start : start + size]
        return Reply(feed((paper.entry() for paper in page), total=len(found), start=start))

    return answer


def replay(recorded: Mapping[frozenset[tuple[str, str]], Reply]) -> Answering:
    """Return what answers with recorded replies, by the parameters of the request."""

    def answer(asked: Request) -> Reply:
        return recorded.get(frozenset(asked.query.items()), Reply(status=404))

    return answer


def parameters(url: str) -> frozenset[tuple[str, str]]:
    """Return the parameters of an address, as `replay` wants them."""
    return frozenset(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _matches(paper: Paper, query: Mapping[str, str]) -> bool:
    names = query.get("id_list", "")
    if names and not {paper.identifier, f"{paper.identifier}v{paper.version}"} & set(
        names.split(",")
    ):
        return False
    asked = query.get("search_query", "")
    if not asked and not names:
        return False
    text = f"{paper.title} {paper.abstract} {' '.join(paper.authors)}".lower()
    words = re.findall(r'\w+:"([^"]*)"', asked)
    categories = re.findall(r"cat:([\w.*-]+)", asked)
    day = re.sub(r"[^0-9]", "", paper.published)[:12]
    dates = re.search(r"submittedDate:\[(\d{12}) TO (\d{12})\]", asked)
    return (
        all(word.lower() in text for word in words)
        and (not categories or any(_is_in(paper, name) for name in categories))
        and (dates is None or dates[1] <= day <= dates[2])
    )


def _is_in(paper: Paper, category: str) -> bool:
    if category.endswith(".*"):
        return any(name.startswith(category[:-1]) for name in paper.categories)
    return category in paper.categories
