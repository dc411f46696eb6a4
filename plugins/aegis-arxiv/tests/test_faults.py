"""What arXiv, or what stands between, may answer: nothing wrong may look like nothing found."""

from __future__ import annotations

import gzip
import time

import pytest
from attrs import frozen

from aegis_arxiv.loopback import Paper, Reply, feed, serve

ONE = Paper("2106.09685", "LoRA", "Low-rank matrices.").entry()
TWO = Paper("1902.00751", "Adapters", "Small modules.").entry()
WHOLE = feed([ONE, TWO])
MIDDLE = WHOLE.index(b"<title>Adapters") + 10
HEADER_END = WHOLE.index(b"<entry>")
TIMEOUT = 0.4  # seconds
GZIP = {"Content-Encoding": "gzip"}
HTML = {"Content-Type": "text/html"}
NO_TOTAL = feed([]).replace(b"opensearch:totalResults", b"opensearch:other")
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><feed xmlns="http://www.w3.org/2005/Atom">'
    b"<title>&c;</title></feed>"
)
OUTSIDE = (
    b'<!DOCTYPE feed [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b'<feed xmlns="http://www.w3.org/2005/Atom"><title>&x;</title></feed>'
)
RSS = b'<?xml version="1.0"?><rss version="2.0"><channel><title>cs.LG</title></channel></rss>'
REPORT = (
    "<entry><id>http://arxiv.org/api/errors#start_must_be</id><title>Error</title>"
    "<summary>start must be an integer</summary></entry>"
)
ERROR = feed([REPORT])
CAPTCHA = (
    b"<!DOCTYPE html><html><title>Automated Access Detected</title><body>captcha</body></html>"
)


def _chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


CHUNKED = {"Transfer-Encoding": "chunked", "Content-Length": ""}


@frozen
class Fault:
    """A fault, what must come of it, and a piece of what must be said."""

    name: str
    reply: Reply
    status: str
    said: str
    pause: float = 3.0
    papers: int = 0


FAULTS = [
    Fault("429 with seconds", Reply(status=429, headers={"Retry-After": "17"}), "error", "HTTP 429", 17.0),
    Fault(
        "429 with a date",
        Reply(
            status=429,
            headers={
                "Date": "Wed, 21 Oct 2026 07:28:00 GMT",
                "Retry-After": "Wed, 21 Oct 2026 07:28:40 GMT",
            },
        ),
        "error",
        "HTTP 429",
        40.0,
    ),
    Fault("429 without a word", Reply(status=429), "error", "HTTP 429", 60.0),
    Fault("429 with a feed", Reply(WHOLE, status=429), "error", "HTTP 429", 60.0),
    Fault("503 with seconds", Reply(status=503, headers={"Retry-After": "5"}), "error", "HTTP 503", 5.0),
    Fault("503 without a word", Reply(b"busy", status=503), "error", "HTTP 503", 60.0),
    Fault("503 with an error feed", Reply(ERROR, status=503), "error", "HTTP 503", 60.0),
    Fault("403", Reply(status=403), "error", "HTTP 403", 60.0),
    Fault("500", Reply(status=500), "error", "HTTP 500"),
    Fault("502 with a page", Reply(CAPTCHA, status=502, headers=HTML), "error", "HTTP 502"),
    Fault("404", Reply(status=404), "error", "HTTP 404"),
    Fault("204", Reply(status=204), "error", "HTTP 204"),
    Fault("206 with a feed", Reply(WHOLE, status=206), "error", "HTTP 206"),
    Fault("hang", Reply(WHOLE, wait=30.0), "timeout", "did not answer within"),
    Fault("header byte by byte", Reply(WHOLE, drip=0.02), "timeout", "did not answer within"),
    Fault(
        "body byte by byte",
        Reply(b"\n" * 2000, headers={"Content-Length": "2000"}, drip=0.002),
        "timeout",
        "did not answer within",
    ),
    Fault("cut in an entry", Reply(WHOLE, cut=MIDDLE), "partial", "broke off after 1 papers", papers=1),
    Fault("cut after the header", Reply(WHOLE, cut=HEADER_END), "error", "broke off before the first"),
    Fault("cut in the header", Reply(WHOLE, cut=30), "error", "no XML"),
    Fault("cut before the body", Reply(WHOLE, cut=0), "error", "broke off before its answer"),
    Fault("cut at the very end", Reply(WHOLE, cut=len(WHOLE) - 8), "partial", "broke off after 2", papers=2),
    Fault(
        "cut, and empty by its count",
        Reply(feed([]), cut=feed([]).index(b"</feed>")),
        "error",
        "broke off before the first",
    ),
    Fault("short without a length", Reply(WHOLE[:MIDDLE], headers={"Content-Length": ""}), "partial", "broke off", papers=1),
    Fault(
        "chunks that end early",
        Reply(_chunked(WHOLE[: MIDDLE - 40], WHOLE[MIDDLE - 40 : MIDDLE]), headers=CHUNKED),
        "partial",
        "broke off after 1 papers",
        papers=1,
    ),
    Fault("chunks that are none", Reply(b"zz\r\nnothing", headers=CHUNKED), "error", "broke off before its answer"),
    Fault("reset before an answer", Reply(WHOLE, cut=0, reset=True), "error", "broke"),
    Fault("reset in an entry", Reply(WHOLE, cut=MIDDLE, reset=True), "error|partial", "broke off"),
    Fault("a web page", Reply(b"<html><title>Hi</title></html>", headers=HTML), "error", 'web page "Hi"', 60.0),
    Fault("a web page called a feed", Reply(b"\n<!doctype HTML><p>Hi"), "error", "web page", 60.0),
    Fault("captcha", Reply(CAPTCHA, headers=HTML), "error", "wants a person", 60.0),
    Fault("XML that is none", Reply(b"<feed><entry></feed>"), "error", "not with an Atom feed"),
    Fault("bad XML after an entry", Reply(WHOLE.replace(b"<title>Adapters", b"<title><b>Adapters")), "partial", "broke off", papers=1),
    Fault("an unknown entity", Reply(feed([ONE.replace("LoRA", "Lo&Ra;")])), "error", "broke off before"),
    Fault("entity bomb", Reply(BOMB), "error", "document type"),
    Fault("entity from outside", Reply(OUTSIDE), "error", "document type"),
    Fault("bomb behind another encoding", Reply(b"<?xml version='1.0' encoding='cp037'?>" + BOMB[21:].decode().encode("cp037")), "error", "no XML"),
    Fault("gzip bomb", Reply(gzip.compress(b" " * 200_000_000, 1), headers=GZIP), "error", "more than 2 MiB"),
    Fault("gzip cut", Reply(gzip.compress(WHOLE, 0)[:MIDDLE], headers=GZIP), "partial", "broke off", papers=1),
    Fault("gzip damaged", Reply(b"\x1f\x8b\x08\x00" + b"\xff" * 50, headers=GZIP), "error", "damaged gzip"),
    Fault("gzip that is none", Reply(WHOLE, headers=GZIP), "error", "damaged gzip"),
    Fault("another packing", Reply(WHOLE, headers={"Content-Encoding": "br"}), "error", "unknown encoding"),
    Fault("gzip without saying so", Reply(gzip.compress(WHOLE)), "error", "no XML"),
    Fault("nothing", Reply(b""), "error", "nothing"),
    Fault("white space", Reply(b" \n\t "), "error", "nothing"),
    Fault("nothing, packed", Reply(gzip.compress(b""), headers=GZIP), "error", "nothing"),
    Fault("no paper and no count", Reply(NO_TOTAL), "error", "does not say that there is none"),
    Fault("no paper and a count", Reply(feed([], total=7)), "error", "says that there are 7 papers and sent none"),
    Fault("fewer papers than due", Reply(feed([ONE], total=7)), "partial", "1 papers came where 7 were due", papers=1),
    Fault("more papers than there are", Reply(feed([ONE, TWO], total=1)), "partial", "2 papers came where 1 were due", papers=2),
    Fault("papers and no count", Reply(WHOLE.replace(b"totalResults", b"other")), "partial", "does not say how many", papers=2),
    Fault("error feed, 400", Reply(ERROR, status=400), "error", "refuses the question: start must be an integer"),
    Fault("error feed, 200", Reply(ERROR), "error", "refuses the question: start must be an integer"),
    Fault("400 without a word", Reply(status=400), "error", "HTTP 400"),
    Fault("wrong charset", Reply(WHOLE.replace(b"Adapters", "Adaptérs".encode("latin-1"))), "partial", "broke off after 1", papers=1),
    Fault("UTF-16", Reply(WHOLE.decode().replace("UTF-8", "UTF-16").encode("utf-16")), "error", "no XML"),
    Fault("UTF-16 without a mark", Reply(WHOLE.decode().replace("UTF-8", "UTF-16").encode("utf-16-le")), "error", "no XML"),
    Fault("UTF-16 bomb", Reply(BOMB.decode().encode("utf-16")), "error", "no XML"),
    Fault("zero byte in an entry", Reply(WHOLE.replace(b"Adapters", b"Adap\0ters")), "partial", "broke off after 1", papers=1),
    Fault("zero byte after the end", Reply(WHOLE + b"\0"), "partial", "broke off after 2", papers=2),
    Fault("too much", Reply(WHOLE[:-8] + b" " * 3_000_000), "error", "more than 2 MiB"),
    Fault("too deep", Reply(feed(["<a>" * 100_000])), "error", "broke off before"),
    Fault("too deep, and whole", Reply(feed(["<a>" * 50_000 + "</a>" * 50_000, ONE])), "error", "broke off before"),
    Fault("too deep in an entry", Reply(feed([ONE, TWO.replace("</entry>", "<a>" * 50_000 + "</a>" * 50_000 + "</entry>")])), "partial", "broke off after 1", papers=1),
    Fault("one bad date", Reply(feed([ONE.replace("2021-06-17T", "soon"), TWO])), "partial", "left out: 2106.09685v1 has the unreadable date", papers=1),
    Fault("bad dates only", Reply(feed([ONE.replace("2021-06-17T", "soon")])), "error", "nothing readable"),
    Fault("an entry of no paper", Reply(feed([ONE, TWO.replace("/abs/1902.00751v1", "/abs/?")])), "partial", "without a paper's identifier", papers=1),
    Fault("RSS", Reply(RSS), "error", "<rss>, not with an Atom feed"),
    Fault("Atom of another kind", Reply(b'<entry xmlns="http://www.w3.org/2005/Atom"/>'), "error", "<entry>, not"),
    Fault("JSON", Reply(b'{"feed": []}', headers={"Content-Type": "application/json"}), "error", "no XML"),
    Fault("zero bytes", Reply(b"\x00" * 100), "error", "no XML"),
    Fault("sent on within the host", Reply(status=301, headers={"Location": "/api/v2/query?x=1"}), "error", "sends on to /api/v2/query,"),
    Fault("sent on to nowhere", Reply(status=302), "error", "sends on to nowhere"),
    Fault("sent on to no address", Reply(status=302, headers={"Location": "http://["}), "error", "sends on to"),
    Fault("a flood of headers", Reply(WHOLE, headers={f"X-{n}": "a" for n in range(200)}), "error", "broke the connection"),
    Fault("an endless header", Reply(WHOLE, headers={"X": "a" * 100_000}), "error", "broke the connection"),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_fault_is_told_for_what_it_is(build, call, clock, fault: Fault):
    with serve([fault.reply]) as server:
        tool = build(server.url, timeout=TIMEOUT)
        call(tool, ids=["abc"])  # imports
        began = time.monotonic()
        result = call(tool, query="x")
        seconds = time.monotonic() - began
        assert result.status in fault.status.split("|"), result
        assert result.status not in ("ok", "empty")
        assert fault.said in result.message
        assert len(result.documents) == fault.papers or "|" in fault.status
        assert result.retry_after == fault.pause
        assert seconds < TIMEOUT + 1.5
        assert len(result.message) < 400
        assert "\n" not in result.message
        assert not result.unreachable
        # Whatever came, nothing is sent before the pause is over, and nothing of it is kept.
        clock.advance(fault.pause - 0.01)
        assert call(tool, query="x").status == "denied"
        assert len(server.asked) == 1
        clock.advance(0.01)
        call(tool, query="x")
        assert len(server.asked) == 2


def test_the_only_empty_answer_is_one_that_says_so(build, call):
    with serve([Reply(feed([], total=0))]) as server:
        result = call(build(server.url), query="x")
    assert (result.status, result.documents) == ("empty", ())


def test_no_request_goes_where_an_answer_sends_it(build, call):
    with serve([Reply(WHOLE)]) as other:
        for status in (301, 302, 303, 307, 308):
            reply = Reply(status=status, headers={"Location": f"{other.url}?x=1"})
            with serve([reply]) as server:
                result = call(build(server.url, timeout=1.0), query="x", seconds=5.0 + status)
                assert result.status in ("error", "denied")
    assert other.asked == []


def test_the_recorded_captcha_page(build, call, shared):
    page = (shared / "arxiv" / "atom" / "synthetic_captcha_from_xiv.html").read_bytes()
    with serve([Reply(page, headers=HTML)]) as server:
        result = call(build(server.url), query="x")
    assert result.status == "error"
    assert 'wants a person to visit it "arXiv.org - Automated Access Detected"' in result.message


def test_four_hundred_seconds_of_failure_are_eight_requests(build, call, clock):
    with serve([Reply(status=500)]) as server:
        tool = build(server.url)
        for _ in range(400):
            call(tool, query="x")
            clock.advance(1.0)
    assert len(server.asked) == 8  # at 0, 3, 9, 21, 45, 93, 189, 381 seconds
