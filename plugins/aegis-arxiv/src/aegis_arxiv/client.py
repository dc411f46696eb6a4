"""One question, one request: the arxiv package between a strict transport and a strict reader."""

from __future__ import annotations

import io
import logging
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import arxiv
import certifi
import requests
import requests.utils
from attrs import frozen

from aegis import one_line
from aegis_arxiv import __version__, feed, transport
from aegis_arxiv.documents import document, latest
from aegis_arxiv.failure import NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aegis import Document
    from aegis_arxiv.feed import Feed
    from aegis_arxiv.question import Question
    from aegis_arxiv.settings import ArxivSettings
    from aegis_arxiv.transport import Answer

_log = logging.getLogger(__name__)

_REFUSALS: Final = frozenset({403, 429, 503})
_SHOWN: Final = 3  # reasons or identifiers that a message names


@frozen
class Reply:
    """What arXiv answered.

    Attributes:
        documents: The papers of the page, each once.
        total: Papers in the whole list, or None where arXiv did not say.
        missing: What is not there and should be, one text each; with none the page is whole.
    """

    documents: tuple[Document, ...]
    total: int | None
    missing: tuple[str, ...] = ()


def ask(question: Question, settings: ArxivSettings, timeout: float) -> Reply:
    """Ask arXiv one question, with one request.

    Args:
        question: What to ask.
        settings: Where to ask it, and as whom.
        timeout: Seconds for the whole exchange.

    Raises:
        NoAnswerError: If there is no answer, or none that can be trusted to be one.
    """
    gate = _OneRequest(question, settings, timeout)
    client = arxiv.Client(page_size=question.size, delay_seconds=0.0, num_retries=0)
    client.query_url_format = f"{settings.base_url}?{{}}"
    client._session.mount("http://", gate)  # the package has no other place for an adapter
    client._session.mount("https://", gate)
    orders = {
        "relevance": arxiv.SortCriterion.Relevance,
        "submitted": arxiv.SortCriterion.SubmittedDate,
    }
    search = arxiv.Search(
        query=question.search_query,
        id_list=[str(identifier) for identifier in question.ids],
        max_results=question.start + question.size,
        sort_by=orders[question.sort],
    )
    results = list(client.results(search, offset=question.start))
    assert gate.page is not None
    documents = tuple(map(document, results))
    missing = _missing(gate.page, question, documents)
    return Reply(latest(documents), gate.page.total, missing)


class _OneRequest:
    """The adapter of a `requests.Session` that carries out one request and reads its answer."""

    def __init__(self, question: Question, settings: ArxivSettings, timeout: float) -> None:
        self.page: Feed | None = None
        self._question = question
        self._settings = settings
        self._timeout = timeout
        self._sent = False

    def send(
        self,
        request: requests.PreparedRequest,
        *,
        verify: bool | str = True,
        proxies: Mapping[str, str] | None = None,
        **_: Any,
    ) -> requests.Response:
        assert not self._sent, "one question is one request"
        self._sent = True
        url = request.url or ""
        agent = str(request.headers.get("User-Agent", ""))
        answer = transport.get(
            url,
            {"User-Agent": self._agent(agent), "Accept": "application/atom+xml"},
            timeout=self._timeout,
            certificates=_certificates(verify),
            proxy=_proxy(url, proxies),
        )
        self.page = self._read(answer)
        _log.debug("%s: %d of %s papers", url, len(self.page.entries), self.page.total)
        return _response(request, self.page.atom(self._question.start))

    def close(self) -> None:
        """Close nothing: the connection ends with its request."""

    def _agent(self, package: str) -> str:
        contact = f" ({self._settings.contact})" if self._settings.contact else ""
        return f"aegis-arxiv/{__version__} {package}{contact}"

    def _read(self, answer: Answer) -> Feed:
        host = self._settings.host
        if answer.status != requests.codes.ok:
            raise _refusal(answer, host)
        if answer.cut and not answer.body:
            raise NoAnswerError(f"{host} broke off before its answer")
        page = feed.read(answer.body, host)
        if not page.entries:
            _check_emptiness(page, self._question, host)
        return page


def _response(request: requests.PreparedRequest, body: bytes) -> requests.Response:
    response = requests.Response()
    response.status_code = 200
    response.url = request.url or ""
    response.request = request
    response.raw = io.BytesIO(body)
    return response


def _check_emptiness(page: Feed, question: Question, host: str) -> None:
    """Raise unless a page without papers says itself that there are none."""
    if page.skipped:
        raise NoAnswerError(f"{host} sent nothing readable: {page.skipped[0]}")
    if page.cut:
        raise NoAnswerError(f"{host} broke off before the first paper")
    if page.total is None:
        raise NoAnswerError(f"{host} sent no paper and does not say that there is none")
    if page.total > question.start:
        raise NoAnswerError(f"{host} says that there are {page.total} papers and sent none")


def _missing(page: Feed, question: Question, documents: Iterable[Document]) -> tuple[str, ...]:
    missing = []
    sent = len(page.entries) + len(page.skipped)
    if page.cut:
        missing.append(f"the answer broke off after {len(page.entries)} papers")
    elif page.total is None:
        missing.append("the answer does not say how many papers there are")
    elif sent != (due := min(question.size, max(page.total - question.start, 0))):
        missing.append(f"{sent} papers came where {due} were due")
    if page.skipped:
        missing.append(f"left out: {_listed(page.skipped)}")
    if absent := _absent(question, documents):
        missing.append(f"not found: {_listed(absent)}")
    return tuple(missing)


def _absent(question: Question, documents: Iterable[Document]) -> list[str]:
    """Return the papers asked for by name that did not come; a filter may leave out any."""
    if question.search_query:
        return []
    found = {name for d in documents for name in (d.identifier, f"{d.identifier}v{d.version}")}
    return [str(paper) for paper in question.ids if str(paper) not in found]


def _listed(texts: Iterable[str]) -> str:
    every = list(texts)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more


def _refusal(answer: Answer, host: str) -> NoAnswerError:
    pause = asked_pause(answer.headers, time.time())
    if answer.status in _REFUSALS:
        message = f"{host} answered with HTTP {answer.status}"
        return NoAnswerError(message, "refused", retry_after=pause)
    if report := feed.error_report(answer.body):
        message = f"{host} refuses the question: {report}"
        return NoAnswerError(message, "question", retry_after=pause)
    if 300 <= answer.status < 400:
        place = one_line(answer.headers.get("location", "").partition("?")[0], 100) or "nowhere"
        fix = "set [tool.search_arxiv].base_url if that is right"
        return NoAnswerError(f"{host} sends on to {place}, which is not followed; {fix}")
    return NoAnswerError(f"{host} answered with HTTP {answer.status}", retry_after=pause)


def asked_pause(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, or None.

    Args:
        headers: The answer's headers, by names in lower case.
        now: The time, seconds since 1970; used only where the answer itself has no ``Date``, so
            that a wrong clock on this machine does not matter.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until = _moment(text)
    if until is None:
        return None
    sent = _moment(headers.get("date", ""))
    return max(until - (now if sent is None else sent), 0.0)


def _moment(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _certificates(verify: bool | str) -> Path:
    path = Path(verify if isinstance(verify, str) else certifi.where())
    if not path.exists():
        message = f"no certificates at {path}: correct REQUESTS_CA_BUNDLE, or unset it"
        raise NoAnswerError(message, "unreachable")
    return path


def _proxy(url: str, proxies: Mapping[str, str] | None) -> str | None:
    chosen = requests.utils.select_proxy(url, dict(proxies or {}))
    if not chosen:
        return None
    address = str(chosen) if "://" in chosen else f"http://{chosen}"
    try:
        parts = urlsplit(address)
        usable = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise NoAnswerError(
            "the proxy of the environment is not an http:// address: correct HTTPS_PROXY, or name "
            "the host in NO_PROXY",
            "unreachable",
        )
    return address
