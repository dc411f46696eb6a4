"""A small arXiv on this machine, for tests: real HTTP on 127.0.0.1, over papers of your own.

    with serve(library([Paper("2106.00001", "Low-rank adaptation", "...")])) as server:
        settings = ArxivSettings(base_url=server.url)

`library` answers questions as arXiv does, `replay` gives recorded answers, and a list of `Reply`
gives what it says, one after another, faults included: a reply can be late, slow, cut, or reset.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


@frozen
class Asked:
    """A request that the server got.

    Attributes:
        query: The parameters.
        headers: The headers, by names in lower case.
        moment: `time.monotonic()` when it came.
        beside: Requests that were being answered when it came.
    """

    query: Mapping[str, str]
    headers: Mapping[str, str]
    moment: float
    beside: int = 0


@frozen
class Reply:
    """What the server sends.

    Attributes:
        body: The body.
        status: The HTTP status.
        headers: Headers that replace or join the usual ones; an empty value removes one.
        wait: Seconds before the first byte.
        drip: Seconds after each byte of the status line, the headers and the body.
        cut: Bytes of the body after which the connection ends, or None.
        reset: Whether the connection is reset instead of ended.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    wait: float = 0.0
    drip: float = 0.0
    cut: int | None = None
    reset: bool = False


Answering = Callable[[Asked], Reply]


class Loopback:
    """A running server.

    Attributes:
        url: Address of its query interface, for ``base_url``.
        asked: The requests that it got, in order.
    """

    def __init__(self, answering: Answering) -> None:
        self.asked: list[Asked] = []
        self._answering = answering
        self._lock = threading.Lock()
        self._busy = 0
        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_port}/api/query"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End at once, replies under way included."""
        self._ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than the server runs."""
        if seconds:
            self._ended.wait(seconds)

    @contextmanager
    def exchange(self, query: Mapping[str, str], headers: Mapping[str, str]) -> Iterator[Reply]:
        """Note a request, and give the reply to it."""
        with self._lock:
            asked = Asked(query, headers, time.monotonic(), self._busy)
            self.asked.append(asked)
            self._busy += 1
            reply = self._answering(asked)
        try:
            yield reply
        finally:
            with self._lock:
                self._busy -= 1


@contextmanager
def serve(answers: Answering | Sequence[Reply]) -> Iterator[Loopback]:
    """Run a server.

    Args:
        answers: What answers each request, or replies to give in turn; the last one repeats.
    """
    server = Loopback(answers if callable(answers) else _in_turn(answers))
    server.start()
    try:
        yield server
    finally:
        server.stop()


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

    def answer(asked: Asked) -> Reply:
        found = [paper for paper in papers if _matches(paper, asked.query)]
        start, size = int(asked.query.get("start", 0)), int(asked.query.get("max_results", 10))
        page = found[start : start + size]
        return Reply(feed((paper.entry() for paper in page), total=len(found), start=start))

    return answer


def replay(recorded: Mapping[frozenset[tuple[str, str]], Reply]) -> Answering:
    """Return what answers with recorded replies, by the parameters of the request."""

    def answer(asked: Asked) -> Reply:
        return recorded.get(frozenset(asked.query.items()), Reply(status=404))

    return answer


def parameters(url: str) -> frozenset[tuple[str, str]]:
    """Return the parameters of an address, as `replay` wants them."""
    return frozenset(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _in_turn(replies: Sequence[Reply]) -> Answering:
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


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


def _handler(server: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with server.exchange(query, headers) as reply:
                self.close_connection = True
                server.pause(reply.wait)
                with suppress(OSError):  # the client may have gone
                    self._send(reply)

        def _send(self, reply: Reply) -> None:
            head = {"Content-Type": _ATOM, "Content-Length": str(len(reply.body))}
            head |= {"Connection": "close", **reply.headers}
            lines = [f"HTTP/1.1 {reply.status} Reply"]
            lines += [f"{name}: {value}" for name, value in head.items() if value]
            self._write("\r\n".join([*lines, "", ""]).encode("latin-1"), reply.drip)
            self._write(reply.body[: reply.cut], reply.drip)
            if reply.reset:
                linger = struct.pack("ii", 1, 0)  # on, for no time: a reset instead of an end
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()

        def _write(self, data: bytes, drip: float) -> None:
            if not drip:
                self.wfile.write(data)
                return
            for place in range(len(data)):
                self.wfile.write(data[place : place + 1])
                server.pause(drip)

        def log_message(self, *_: Any) -> None:
            """Say nothing: a test reads ``asked``."""

    return Handler
