from __future__ import annotations

import gzip
import socket
import threading
import time
from pathlib import Path

import certifi
import pytest

from aegis_arxiv import transport
from aegis_arxiv.failure import NoAnswerError
from aegis_arxiv.loopback import Reply, serve


def _get(url: str, **options) -> transport.Answer:
    return transport.get(url, {"User-Agent": "test"}, **{"timeout": 5.0, **options})


def test_one_answer():
    with serve([Reply(b"hello", 418, {"X-One": "1"})]) as server:
        answer = _get(f"{server.url}?a=b%20c")
    assert (answer.status, answer.body, answer.cut) == (418, b"hello", False)
    assert answer.headers["x-one"] == "1"
    assert server.asked[0].query == {"a": "b c"}
    assert server.asked[0].headers["user-agent"] == "test"
    assert server.asked[0].headers["connection"] == "close"


def test_a_packed_answer_is_unpacked():
    body = gzip.compress(b"hello" * 1000)
    with serve([Reply(body, headers={"Content-Encoding": "gzip"})]) as server:
        assert _get(server.url).body == b"hello" * 1000


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_of_exactly_the_cap_is_read_and_one_byte_more_is_not(packed: bool):
    for size, fits in ((transport.BODY_CAP, True), (transport.BODY_CAP + 1, False)):
        body = b"x" * size
        headers = {"Content-Encoding": "gzip"} if packed else {}
        with serve([Reply(gzip.compress(body) if packed else body, headers=headers)]) as server:
            if fits:
                assert len(_get(server.url).body) == size
            else:
                with pytest.raises(NoAnswerError, match="more than 2 MiB"):
                    _get(server.url)


def test_bytes_after_packed_data_count_against_the_cap():
    body = gzip.compress(b"x") + b"y" * transport.BODY_CAP
    reply = Reply(body, headers={"Content-Encoding": "gzip"})
    with serve([reply]) as server, pytest.raises(NoAnswerError, match="more than 2 MiB"):
        _get(server.url)


def _requests() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "arxiv-request"]


def test_a_slow_server_is_left_at_the_deadline_and_its_thread_ends():
    with serve([Reply(b"x" * 200, drip=0.05)]) as server:
        began = time.monotonic()
        with pytest.raises(NoAnswerError, match=r"did not answer within 0\.3 s") as caught:
            _get(server.url, timeout=0.3)
        assert caught.value.late
        assert time.monotonic() - began < 2.0
        assert _requests() == []


def test_a_name_that_resolves_too_late_is_not_asked(monkeypatch: pytest.MonkeyPatch):
    go_on, real = threading.Event(), socket.getaddrinfo

    def slow(*arguments, **options):
        go_on.wait(10.0)
        return real(*arguments, **options)

    with serve([Reply(b"x")]) as server:
        monkeypatch.setattr(socket, "getaddrinfo", slow)
        with pytest.raises(NoAnswerError) as caught:
            _get(server.url, timeout=0.2)
        assert (caught.value.fault, caught.value.late) == ("unreachable", True)
        (thread,) = _requests()
        go_on.set()
        thread.join(5.0)
        assert not thread.is_alive()
    assert server.asked == []


def test_a_name_that_does_not_resolve_is_unreachable():
    with pytest.raises(NoAnswerError) as caught:
        _get("http://arxiv.invalid/api/query", timeout=10.0)
    assert caught.value.fault == "unreachable"
    assert caught.value.message == "arxiv.invalid is unreachable"


def test_a_closed_port_is_unreachable():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NoAnswerError) as caught:
        _get(f"http://127.0.0.1:{port}/")
    assert caught.value.fault == "unreachable"


def test_a_server_that_takes_no_connection_is_unreachable():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        held = []
        for _ in range(4):  # fill the queue: further connections hang
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(address)
            held.append(one)
        with pytest.raises(NoAnswerError) as caught:
            _get(f"http://127.0.0.1:{address[1]}/", timeout=0.3)
        for one in held:
            one.close()
    assert caught.value.fault == "unreachable"
    assert caught.value.late


def test_plain_http_where_tls_is_expected_is_unreachable():
    with serve([Reply(b"x")]) as server:
        url = server.url.replace("http://", "https://")
        with pytest.raises(NoAnswerError) as caught:
            _get(url, certificates=Path(certifi.where()))
    assert caught.value.fault == "unreachable"
    assert server.asked == []


def test_a_proxy_is_asked_for_the_whole_address():
    lines: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    lines.append(connection.recv(4096))
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

        thread = threading.Thread(target=answer)
        thread.start()
        proxy = f"http://me:pass%20word@127.0.0.1:{listener.getsockname()[1]}"
        assert _get("http://arxiv.invalid/api?x=1", proxy=proxy).body == b"hi"
        with pytest.raises(NoAnswerError):  # it grants the tunnel, and then speaks no TLS
            _get("https://arxiv.invalid/api?x=1", proxy=proxy)
        thread.join()
    assert lines[0].startswith(b"GET http://arxiv.invalid/api?x=1 HTTP/1.1\r\n")
    assert lines[1].startswith(b"CONNECT arxiv.invalid:443 HTTP/1.")
    assert all(b"uthorization: Basic bWU6cGFzcyB3b3Jk" in line for line in lines)
