"""The section ``[tool.search_arxiv]``, and what a schema cannot say about it."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from attrs import frozen

from aegis import Problem, setting

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELDS: Final = ("all", "ti", "abs", "au", "co", "jr", "rn")
"""What may be searched: everything, title, abstract, author, comment, journal, report number."""

CATEGORY: Final = r"[a-z]+(?:-[a-z]+)*(?:\.(?:[A-Za-z]+(?:-[A-Za-z]+)*|\*))?"
"""A category (``cs.LG``), an archive (``hep-th``), or all of an archive (``cs.*``)."""

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@frozen
class ArxivSettings:
    """Settings of ``search_arxiv``."""

    results: int = setting(10, ge=1, le=50, help="Papers that one question asks for.")
    categories: tuple[str, ...] = setting(
        (), help='Categories to search, such as "cs.LG" or "cs.*"; none means all.'
    )
    since: str = setting("", help="Earliest day of submission, YYYY-MM-DD; empty for no bound.")
    until: str = setting("", help="Latest day of submission, YYYY-MM-DD; empty for no bound.")
    field: str = setting(
        "all",
        choices=FIELDS,
        help="Where words are looked for: everything, title (ti), abstract (abs), author (au), "
        "comment (co), journal (jr), report number (rn).",
    )
    sort: str = setting(
        "relevance",
        choices=("relevance", "submitted"),
        help="Order of the papers: most relevant first, or latest first.",
    )
    timeout: float = setting(10.0, ge=0.1, le=60.0, help="Seconds that one request may take.")
    base_url: str = setting(
        "https://export.arxiv.org/api/query", help="Address of the query interface."
    )
    contact: str = setting("", help="How arXiv can reach you; added to the user agent.")
    cache_hours: float = setting(
        168.0, ge=0.0, help="Hours for which an answer is used again; 0 for never."
    )

    @property
    def host(self) -> str:
        """The name of the server, with its port where it is unusual."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]


def problems(settings: ArxivSettings) -> Iterator[Problem]:
    """Yield everything that is wrong with a section whose types are right."""
    where = "[tool.search_arxiv]"
    for category in settings.categories:
        if not re.fullmatch(CATEGORY, category):
            yield Problem(
                "arxiv-category",
                f"{category!r} is no arXiv category",
                f"{where}.categories",
                'use names such as "cs.LG", "hep-th" or "cs.*" (https://arxiv.org/category_taxonomy)',
            )
    for name, text in (("since", settings.since), ("until", settings.until)):
        if text and _day(text) is None:
            fix = "write it as YYYY-MM-DD, or leave it empty"
            yield Problem("arxiv-date", f"{text!r} is no date", f"{where}.{name}", fix)
    if _day(settings.since) and _day(settings.until) and settings.since > settings.until:
        message = f"since {settings.since} is after until {settings.until}"
        yield Problem("arxiv-date", message, where, "swap them")
    yield from _address_problems(settings, where)


def _address_problems(settings: ArxivSettings, where: str) -> Iterator[Problem]:
    if not _is_address(settings.base_url):
        yield Problem(
            "arxiv-address",
            f"{settings.base_url!r} is no address of a query interface",
            f"{where}.base_url",
            'remove the key to use "https://export.arxiv.org/api/query"',
        )
    if not settings.contact.isprintable() or len(settings.contact) > 200:
        fix = "write one line, such as an e-mail address"
        yield Problem("arxiv-contact", "not one line of text", f"{where}.contact", fix)
    elif not settings.contact.isascii():
        fix = "write an e-mail address or a web address"
        yield Problem("arxiv-contact", "a header holds ASCII only", f"{where}.contact", fix)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username or set(text) & set("{}?# "))
    named = parts.scheme in ("http", "https") and bool(parts.hostname)
    return named and plain and text.isprintable() and text.isascii() and port != 0


def is_day(text: str) -> bool:
    """Return whether `text` is a date as ``since`` and ``until`` want it."""
    return _day(text) is not None
