"""The small arXiv as a fixture: an agent of a temporary project searches it."""

from __future__ import annotations

import time

from aegis import ToolContext
from aegis_arxiv.loopback import Paper, Reply

PAPER = Paper("2106.00001", "Low-rank adaptation in practice", "Low-rank adaptation works.")
SETTINGS = '[tool.search_arxiv]\nbase_url = "{url}"\n'
ONLINE = ["runtime.offline=false"]


def call(tool, tmp_path, **arguments):
    return tool.call(arguments, ToolContext("k", time.monotonic() + 20, tmp_path))


def test_a_paper_of_the_test_is_found(arxiv_server, aegis_project, tmp_path):
    server = arxiv_server([PAPER])
    project = aegis_project(SETTINGS.format(url=server.url), ["arxiv"])
    found = call(
        project.build("tool", "search_arxiv", sets=ONLINE), tmp_path, query="low-rank adaptation"
    )

    assert [document.title for document in found.documents] == [PAPER.title]
    assert len(server.asked) == 1


def test_a_reply_of_the_test_is_given(arxiv_server, aegis_project, tmp_path):
    server = arxiv_server([Reply(status=400)])
    project = aegis_project(SETTINGS.format(url=server.url), ["arxiv"])
    found = call(
        project.build("tool", "search_arxiv", sets=ONLINE), tmp_path, query="low-rank adaptation"
    )

    assert found.status == "error"
