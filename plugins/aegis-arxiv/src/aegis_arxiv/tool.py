"""The tool ``search_arxiv``."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

from aegis import ToolResult, ToolSpec
from aegis_arxiv.answers import Answers
from aegis_arxiv.failure import NoAnswerError
from aegis_arxiv.limiter import INTERVAL, Limiter
from aegis_arxiv.proposals import proposals
from aegis_arxiv.question import SCHEMA, Question
from aegis_arxiv.state import StateFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from aegis import Action, Document, ToolContext, View
    from aegis_arxiv.client import Reply
    from aegis_arxiv.limiter import Wait
    from aegis_arxiv.settings import ArxivSettings

_MARGIN = 0.25  # seconds of the call's own time that are kept for everything but the request
_SLACK = 5.0  # seconds beyond the request's own limit after which the host ends the call
_LEAST = 0.05  # seconds below which a request is not worth its place in the limit


class SearchArxiv:
    """Searches arXiv; a call makes at most one request and never waits to make it.

    What processes must agree on (when arXiv was last asked, whether it can be reached, what it
    answered) lies in one file of `folder`: `candidates` reads it in the agent's process, `call`
    writes it in the worker.

    Args:
        settings: The section of the configuration.
        folder: Folder for the shared file; the same as ``ToolContext.cache``.
        offline: Whether nothing may touch the network.
        interval: Seconds between two requests; arXiv's terms want 3.
        clock: Nanoseconds of a clock that never goes back and that processes share.
    """

    def __init__(
        self,
        settings: ArxivSettings,
        folder: Path,
        *,
        offline: bool = False,
        interval: float = INTERVAL,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._settings = settings
        self._offline = offline
        file = StateFile(folder)
        self._limiter = Limiter(file, interval=interval, clock=clock)
        self._answers = Answers(file, settings.cache_hours)
        self.spec = ToolSpec(
            name="search_arxiv",
            description="Search arXiv for papers by words, categories, dates or identifiers.",
            arguments=SCHEMA,
            timeout=settings.timeout + _SLACK,
            stale_after=settings.cache_hours * 3600.0,
        )

    def candidates(self, view: View) -> Iterable[Action]:
        """Return questions that the view suggests, best first; none while arXiv is left alone."""
        if self._offline:
            return ()
        try:
            if self._limiter.peek() is not None:
                return ()
            known = self._answers.known()
        except sqlite3.Error:
            known = ()  # another process holds the file: the call itself finds out
        return proposals(view, self._settings, known)

    def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        """Answer one question from what is kept, or ask arXiv if it may be asked now."""
        try:
            question = Question.of(arguments, self._settings)
        except ValueError as error:
            return ToolResult("error", f"search_arxiv: {error}")
        if (kept := self._kept(question)) is not None:
            return kept
        if self._offline or context.offline:
            message = f"offline: {self._settings.host} is not asked"
            return ToolResult("denied", message, unreachable=True)
        return self._ask(question, context.deadline)

    def _ask(self, question: Question, deadline: float) -> ToolResult:
        from aegis_arxiv.client import ask  # first, since its import takes time of its own

        timeout = min(self._settings.timeout, deadline - time.monotonic() - _MARGIN)
        if timeout < _LEAST:
            return ToolResult("timeout", "no time left for a request")
        try:
            wait = self._limiter.acquire(timeout + _MARGIN)
        except (sqlite3.Error, OSError) as error:
            message = f"arXiv is not asked, since its limit cannot be kept: {error}"
            return ToolResult("error", message, retry_after=INTERVAL)
        if wait is not None:
            return _denied(wait)
        try:
            reply = ask(question, self._settings, timeout)
        except NoAnswerError as error:
            return self._failed(error)
        return self._answered(question, reply)

    def _kept(self, question: Question) -> ToolResult | None:
        try:
            kept = self._answers.get(question)
        except sqlite3.Error:
            return None  # what is wrong with the file shows when it is written, and is told then
        return None if kept is None else _whole(question, *kept, "")

    def _answered(self, question: Question, reply: Reply) -> ToolResult:
        try:
            pause, note = self._limiter.release(None), ""
            if not (reply.missing and reply.documents):
                self._answers.put(question, reply.documents, reply.total or 0)
        except (sqlite3.Error, OSError) as error:
            pause, note = INTERVAL, f"; not kept: {error}"
        return _result(question, reply, note, pause)

    def _failed(self, error: NoAnswerError) -> ToolResult:
        try:
            pause = self._limiter.release(error)
        except (sqlite3.Error, OSError):
            pause = INTERVAL  # the next call tells that the file cannot be written
        return ToolResult(
            "timeout" if error.late else "error",
            error.message,
            retry_after=pause,
            unreachable=error.fault == "unreachable",
        )


def _denied(wait: Wait) -> ToolResult:
    return ToolResult("denied", wait.reason, retry_after=wait.seconds, unreachable=wait.unreachable)


def _result(question: Question, reply: Reply, note: str, pause: float) -> ToolResult:
    if not reply.missing:
        return _whole(question, reply.documents, reply.total or 0, note, pause)
    message = "; ".join(reply.missing) + note
    if not reply.documents:
        return ToolResult("empty", message, retry_after=pause)
    return ToolResult("partial", message, documents=reply.documents, retry_after=pause)


def _whole(
    question: Question,
    documents: tuple[Document, ...],
    total: int,
    note: str,
    pause: float = 0.0,
) -> ToolResult:
    if documents:
        message = f"{len(documents)} of {total} papers, page {question.page}{note}"
        return ToolResult("ok", message, documents=documents, retry_after=pause)
    message = f"no papers after the first {total}" if total else "no papers"
    return ToolResult("empty", message + note, retry_after=pause)
