"""One HTTP request with a deadline for all of it, a cap on its answer, and no second try.

The timeouts of the usual clients hold for each read, so that a server which sends a byte now and
then holds them for ever. Here the exchange runs in a thread of its own, and at the deadline its
socket is shut.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import urllib3
from attrs import frozen
from urllib3.connection import HTTPConnection, HTTPSConnection

from aegis_arxiv.failure import NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BODY_CAP: Final = 2 * 1024 * 1024
"""Bytes of an answer, unpacked, that are read; a page of 50 papers has about 150 kB."""

_CHUNK: Final = 16 * 1024
_SHUT: Final = 0.2  # seconds for the thread to end after its socket was shut


@frozen
class Answer:
    """What a server sent.

    Attributes:
        status: The HTTP status.
        headers: The headers, by names in lower case.
        body: The body, unpacked.
        cut: Whether the connection ended before the body did.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool


def get(
    url: str,
    headers: Mapping[str, str],
    *,
    timeout: float,
    certificates: Path | None = None,
    proxy: str | None = None,
) -> Answer:
    """Send one GET request.

    Args:
        url: An absolute http or https address.
        headers: Headers to send; ``Accept-Encoding`` and ``Connection`` are set here.
        timeout: Seconds for the whole exchange, from looking up the name to the last byte.
        certificates: File or folder of trusted certificates; None for those of the system.
        proxy: Address of an HTTP proxy to go through, or None.

    Raises:
        NoAnswerError: If there is no whole header within the time, or the answer is too large.
    """
    exchange = _Exchange(url, headers, timeout, certificates, proxy)
    thread = threading.Thread(target=exchange.run, name="arxiv-request", daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        exchange.shut()
        thread.join(_SHUT)
        raise exchange.lateness()
    if exchange.error is not None:
        raise exchange.error
    assert exchange.answer is not None
    return exchange.answer


class _Exchange:
    """A request on its way; `run` in one thread, `shut` from another."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        timeout: float,
        certificates: Path | None,
        proxy: str | None,
    ) -> None:
        parts = urlsplit(url)
        self.answer: Answer | None = None
        self.error: NoAnswerError | None = None
        self._host = parts.netloc
        self._timeout = timeout
        self._target = f"{parts.path or '/'}?{parts.query}"
        self._headers = {**headers, "Accept-Encoding": "gzip", "Connection": "close"}
        if proxy and parts.scheme == "http":
            self._target = url  # a proxy wants the whole address
            self._headers |= _proxy_headers(proxy)
        self._connection = _connection(url, timeout, certificates, proxy)
        self._socket: socket.socket | None = None
        self._shut = threading.Event()

    def run(self) -> None:
        try:
            self.answer = self._exchange()
        except NoAnswerError as error:
            self.error = error
        except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError) as error:
            self.error = self._failure(error)
        finally:
            self._connection.close()

    def shut(self) -> None:
        self._shut.set()
        for held in (self._socket, self._connection.sock):
            if held is not None:
                with suppress(OSError):  # it may have ended by itself in this moment
                    socket.socket.shutdown(held, socket.SHUT_RDWR)

    def lateness(self) -> NoAnswerError:
        if self._socket is None:
            return NoAnswerError(f"{self._host} is unreachable", "unreachable", late=True)
        return NoAnswerError(f"{self._host} did not answer within {self._timeout:.3g} s", late=True)

    def _exchange(self) -> Answer | None:
        self._connection.connect()
        self._socket = self._connection.sock
        if self._shut.is_set():
            return None  # nobody waits for it: arXiv is not asked
        self._connection.request(
            "GET", self._target, headers=self._headers, preload_content=False, decode_content=False
        )
        response = self._connection.getresponse()
        headers = {name.lower(): value for name, value in response.headers.items()}
        try:
            body, cut = _read(response, self._host, headers.get("content-encoding", ""))
        finally:
            response.close()  # it holds the socket: the server says that the connection ends
        return Answer(response.status, headers, body, cut)

    def _failure(self, error: Exception) -> NoAnswerError:
        if isinstance(error, (ssl.SSLCertVerificationError, urllib3.exceptions.SSLError)):
            return NoAnswerError(f"{self._host} is unreachable: no trusted TLS", "unreachable")
        refused = isinstance(error, urllib3.exceptions.NewConnectionError)  # a timeout by descent
        if not refused and isinstance(error, (TimeoutError, urllib3.exceptions.TimeoutError)):
            return self.lateness()
        if self._socket is None:
            return NoAnswerError(f"{self._host} is unreachable", "unreachable")
        return NoAnswerError(f"{self._host} broke the connection ({type(error).__name__})")


def _connection(
    url: str, timeout: float, certificates: Path | None, proxy: str | None
) -> HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    hop = urlsplit(proxy) if proxy else parts
    hop_host = hop.hostname or ""
    if parts.scheme == "http":
        return HTTPConnection(hop_host, hop.port or 80, timeout=timeout)
    folder = certificates is not None and certificates.is_dir()
    connection = HTTPSConnection(
        hop_host,
        hop.port or (80 if proxy else 443),
        timeout=timeout,
        cert_reqs="CERT_REQUIRED",
        ca_certs=None if folder or certificates is None else str(certificates),
        ca_cert_dir=str(certificates) if folder else None,
    )
    if proxy:
        connection.set_tunnel(host, parts.port or 443, _proxy_headers(proxy))
    return connection


def _proxy_headers(proxy: str) -> dict[str, str]:
    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return dict(urllib3.make_headers(proxy_basic_auth=pair))


def _read(response: urllib3.BaseHTTPResponse, host: str, packed: str) -> tuple[bytes, bool]:
    """Return the unpacked body, and whether it was cut."""
    packed = packed.strip().lower()
    if packed not in ("", "identity", "gzip", "x-gzip"):
        raise NoAnswerError(f"{host} answered in the unknown encoding {packed[:20]!r}")
    unpack = zlib.decompressobj(wbits=31) if packed.endswith("gzip") else None
    body, received = bytearray(), 0
    try:
        for chunk in response.stream(_CHUNK, decode_content=False):
            received += len(chunk)
            body += unpack.decompress(chunk, BODY_CAP + 1 - len(body)) if unpack else chunk
            if max(received, len(body)) > BODY_CAP:
                raise NoAnswerError(f"{host} answered with more than {BODY_CAP >> 20} MiB")
    except (urllib3.exceptions.ProtocolError, ConnectionError):
        return bytes(body), True
    except zlib.error as error:
        raise NoAnswerError(f"{host} answered with damaged gzip data") from error
    return bytes(body), unpack is not None and not unpack.eof
