"""A fixture of pytest, there for every test where this plugin is installed: a small arXiv."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aegis.testing import Loopback, Reply
    from aegis_arxiv.loopback import Paper


@pytest.fixture
def arxiv_server() -> Iterator[Callable[[Sequence[Paper | Reply]], Loopback]]:
    """A function that starts a small arXiv on 127.0.0.1, of papers or of replies in turn."""
    from contextlib import ExitStack

    from aegis.testing import Reply
    from aegis_arxiv.loopback import library, serve

    with ExitStack() as stack:

        def start(content: Sequence[Paper | Reply]) -> Loopback:
            replies = [one for one in content if isinstance(one, Reply)]
            papers = [one for one in content if not isinstance(one, Reply)]
            return stack.enter_context(serve(replies or library(papers)))

        yield start
