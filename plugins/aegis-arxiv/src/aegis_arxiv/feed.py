"""Reads an Atom answer strictly: what is whole, what is missing, and what it says of itself.

The arxiv package recovers from anything: a page that was cut, or is no feed at all, looks to it
like one that holds little or nothing, and one unreadable date makes it give up the page. So the
answer is read here first, and the package is handed a feed that holds the sound entries alone.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree as ET

from attrs import frozen

from aegis import one_line
from aegis_arxiv.failure import NoAnswerError
from aegis_arxiv.identifier import Identifier

_ATOM: Final = "{http://www.w3.org/2005/Atom}"
_SEARCH: Final = "{http://a9.com/-/spec/opensearch/1.1/}"
_ERRORS: Final = "arxiv.org/api/errors"
_DEEPEST: Final = 16  # elements within each other; an answer of arXiv has four
_PAGE_MARK: Final = re.compile(rb"<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_PAGE_TITLE: Final = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)
_HUMAN: Final = re.compile(r"captcha|automated access|verify you are human", re.IGNORECASE)


@frozen
class Feed:
    """One page of an answer.

    Attributes:
        entries: The sound entries.
        total: Papers in the whole list, or None where the answer does not say.
        skipped: Why entries were left out, one text each.
        cut: Whether the answer ended, or became unreadable, before its end.
    """

    entries: tuple[ET.Element, ...]
    total: int | None
    skipped: tuple[str, ...]
    cut: bool

    def atom(self, start: int) -> bytes:
        """Return a feed of the sound entries that ends with this page."""
        feed = ET.Element(f"{_ATOM}feed")
        for name, number in (
            ("totalResults", start + len(self.entries)),
            ("startIndex", start),
            ("itemsPerPage", len(self.entries)),
        ):
            ET.SubElement(feed, f"{_SEARCH}{name}").text = str(number)
        feed.extend(self.entries)
        return bytes(ET.tostring(feed, encoding="utf-8", xml_declaration=True))


def read(body: bytes, host: str) -> Feed:
    """Return the page that an answer holds.

    Args:
        body: The answer, unpacked.
        host: Who answered, for messages.

    Raises:
        NoAnswerError: If the answer is no Atom feed, or is one that reports an error.
    """
    if not body.strip():
        raise NoAnswerError(f"{host} answered with nothing")
    _refuse_page(body, host)
    root, cut = _root(body, host)
    if root.tag != f"{_ATOM}feed":
        name = one_line(root.tag.rpartition("}")[2], 40)
        raise NoAnswerError(f"{host} answered with <{name}>, not with an Atom feed")
    entries = root.findall(f"{_ATOM}entry")
    if report := next(filter(None, map(_error, entries)), None):
        raise NoAnswerError(f"{host} refuses the question: {report}", "question")
    flaws = [(entry, _flaw(entry)) for entry in entries]
    return Feed(
        entries=tuple(entry for entry, flaw in flaws if flaw is None),
        total=_total(root),
        skipped=tuple(flaw for _, flaw in flaws if flaw is not None),
        cut=cut,
    )


def error_report(body: bytes) -> str | None:
    """Return what an answer with an error status says, or None if it is no error feed."""
    try:
        read(body, "")
    except NoAnswerError as error:
        return error.message.partition(": ")[2] if error.fault == "question" else None
    return None


def _refuse_page(body: bytes, host: str) -> None:
    if not _PAGE_MARK.search(body[:2000].partition(b"<feed")[0]):
        return
    text = body[:20_000].decode("utf-8", errors="replace")
    title = _PAGE_TITLE.search(text)
    name = f' "{one_line(title[1], 60)}"' if title else ""
    what = "wants a person to visit it" if _HUMAN.search(text) else "answered with a web page"
    raise NoAnswerError(f"{host} {what}{name}", "refused")


def _root(body: bytes, host: str) -> tuple[ET.Element, bool]:
    """Return the root with its whole children, and whether anything after them is unreadable."""
    # UTF-8 whatever the answer declares, and nothing after a zero byte, which UTF-16 cannot do
    # without: so this search sees every document type, and no entity is ever defined.
    body, zero, _ = body.partition(b"\0")
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise NoAnswerError(f"{host} answered with a document type, which no feed has")
    children = _Children()
    parser = ET.XMLParser(target=children, encoding="utf-8")  # noqa: S314 - see above
    try:
        parser.feed(body)
        parser.close()
    except (ET.ParseError, _TooDeepError):
        if children.root is None:
            raise NoAnswerError(f"{host} answered with what is no XML") from None
        return children.whole(), True
    return children.whole(), bool(zero)


class _TooDeepError(Exception):
    """The elements are nested deeper than any feed's."""


class _Children:
    """A target of the parser that keeps the root and those of its children that are whole."""

    def __init__(self) -> None:
        self.root: ET.Element | None = None
        self._depth = 0
        self._builder = ET.TreeBuilder()
        self._whole: list[ET.Element] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _TooDeepError
        element = self._builder.start(tag, attributes)
        if self.root is None:
            self.root = element

    def end(self, tag: str) -> None:
        element = self._builder.end(tag)
        self._depth -= 1
        if self._depth == 1:
            self._whole.append(element)

    def data(self, text: str) -> None:
        self._builder.data(text)

    def close(self) -> None:
        """End the document; the builder's own check is the parser's already."""

    def whole(self) -> ET.Element:
        assert self.root is not None
        root = ET.Element(self.root.tag)
        root.extend(self._whole)
        return root


def _total(root: ET.Element) -> int | None:
    text = (root.findtext(f"{_SEARCH}totalResults") or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def _error(entry: ET.Element) -> str | None:
    identifier = (entry.findtext(f"{_ATOM}id") or "").strip()
    title = (entry.findtext(f"{_ATOM}title") or "").strip()
    if _ERRORS not in identifier and not (title == "Error" and "/abs/" not in identifier):
        return None
    return one_line(entry.findtext(f"{_ATOM}summary") or "", 160) or "no reason given"


def _flaw(entry: ET.Element) -> str | None:
    """Return why an entry cannot be used, or None."""
    identifier = (entry.findtext(f"{_ATOM}id") or "").strip()
    try:
        name = str(Identifier.parse(identifier))
    except ValueError:
        return f"an entry without a paper's identifier ({one_line(identifier, 40)!r})"
    if not (entry.findtext(f"{_ATOM}title") or "").strip():
        return f"{name} has no title"
    for part in ("updated", "published"):
        text = entry.findtext(f"{_ATOM}{part}") or ""
        if not _is_time(text):
            return f"{name} has the unreadable date {one_line(text, 40)!r}"
    return None


def _is_time(text: str) -> bool:
    try:
        moment = datetime.fromisoformat(text.strip())
        (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return True
