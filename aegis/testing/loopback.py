"""A real HTTP server on 127.0.0.1 that says what a test wants, faults included.

    with serve_http([Reply(status=503), Reply(b"{}")]) as server:
        client = Client(server.url)

What answers is a function of the request, or a list of replies, one after another. A reply can be
late, slow, cut, or reset.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from attrs import evolve, field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterator


@frozen
class Request:
    """A request that the server got.

    Attributes:
        query: The parameters.
        headers: The headers, by names in lower case.
        moment: `time.monotonic()` when it came.
        beside: Requests that were being answered when it came.
        method: ``GET`` or ``POST``.
        path: The path, without the parameters.
        body: What was sent with it.
    """

    query: Mapping[str, str]
    headers: Mapping[str, str]
    moment: float
    beside: int = 0
    method: str = "GET"
    path: str = "/"
    body: bytes = b""


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


Answering = Callable[[Request], Reply]


class Loopback:
    """A running server.

    Attributes:
        url: Its address.
        asked: The requests that it got, in order.
        content_type: Of replies whose headers say no other.
    """

    def __init__(
        self, answering: Answering, path: str = "", content_type: str = "application/json"
    ) -> None:
        self.content_type = content_type
        self.asked: list[Request] = []
        self._answering = answering
        self._lock = threading.Lock()
        self._busy = 0
        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_port}{path}"
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
    def exchange(self, request: Request) -> Iterator[Reply]:
        """Note a request, and give the reply to it."""
        with self._lock:
            asked = evolve(request, moment=time.monotonic(), beside=self._busy)
            self.asked.append(asked)
            self._busy += 1
            reply = self._answering(asked)
        try:
            yield reply
        finally:
            with self._lock:
                self._busy -= 1


@contextmanager
def serve_http(
    answers: Answering | Sequence[Reply],
    path: str = "",
    content_type: str = "application/json",
) -> Iterator[Loopback]:
    """Run a server.

    Args:
        answers: What answers each request, or replies to give in turn; the last one repeats.
        path: What its `url` ends with; it answers every path.
        content_type: Of replies whose headers say no other.
    """
    answering = answers if callable(answers) else _in_turn(answers)
    server = Loopback(answering, path, content_type)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _in_turn(replies: Sequence[Reply]) -> Answering:
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def _handler(server: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def _answer(self, method: str) -> None:
            address = urlsplit(self.path)
            request = Request(
                query=dict(parse_qsl(address.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                moment=0.0,
                method=method,
                path=address.path,
                body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            )
            with server.exchange(request) as reply:
                self.close_connection = True
                server.pause(reply.wait)
                with suppress(OSError):  # the client may have gone
                    self._send(reply)

        def _send(self, reply: Reply) -> None:
            head = {"Content-Type": server.content_type, "Content-Length": str(len(reply.body))}
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
