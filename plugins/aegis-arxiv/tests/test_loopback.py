from __future__ import annotations

import threading
import urllib.error
import urllib.request
from contextlib import suppress

import arxiv
import pytest

from aegis_arxiv.loopback import Paper, Reply, library, parameters, replay, serve


def test_the_package_itself_finds_nothing_odd_about_it(papers):
    with serve(library(papers)) as server:
        client = arxiv.Client(page_size=2, delay_seconds=0, num_retries=0)
        client.query_url_format = server.url + "?{}"
        results = list(client.results(arxiv.Search('all:"low" AND (cat:cs.* OR cat:math.GT)')))
    assert [result.get_short_id() for result in results] == ["2106.09685v2", "math/0309136v1"]
    assert results[0].categories == ["cs.CL", "cs.AI", "cs.LG"]
    assert results[1].comment.startswith("This paper has been withdrawn")


def test_replies_come_in_turn_and_the_last_one_repeats():
    with serve([Reply(b"a"), Reply(b"b")]) as server:
        bodies = [urllib.request.urlopen(server.url).read() for _ in range(3)]
    assert bodies == [b"a", b"b", b"b"]
    assert len(server.asked) == 3


def test_a_recorded_answer_is_found_by_its_parameters():
    recorded = {parameters("https://export.arxiv.org/api/query?id_list=&start=0"): Reply(b"found")}
    with serve(replay(recorded)) as server:
        assert urllib.request.urlopen(f"{server.url}?start=0&id_list=").read() == b"found"
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{server.url}?start=1&id_list=")
        assert caught.value.code == 404
        caught.value.close()


def test_a_server_stops_at_once_while_a_reply_waits():
    with serve([Reply(wait=60.0)]) as server:
        thread = threading.Thread(target=lambda: _quietly(server.url))
        thread.start()
        while not server.asked:
            pass
    thread.join(5.0)
    assert not thread.is_alive()


def _quietly(url: str) -> None:
    with suppress(OSError):
        urllib.request.urlopen(url, timeout=10).close()


def test_text_is_escaped():
    entry = Paper("2106.00001", "a < b & c", "</summary>").entry()
    assert "a &lt; b &amp; c" in entry
    assert "&lt;/summary&gt;" in entry
