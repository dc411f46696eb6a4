"""Which questions to arXiv a view suggests."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from aegis import Action
from aegis_arxiv.question import Question
from aegis_arxiv.words import content_words, topic_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aegis import View
    from aegis_arxiv.answers import Known
    from aegis_arxiv.settings import ArxivSettings

_MOST: Final = 6  # closed questions
_TOPIC: Final = 4  # words of a goal that a question keeps; arXiv wants all of them in a paper
_TOOL: Final = "search_arxiv"
_PAGE: Final = re.compile(r" page=([0-9]{1,3})$")  # the last signal of an action that has it


def proposals(view: View, settings: ArxivSettings, known: Sequence[Known]) -> tuple[Action, ...]:
    """Return questions that the view suggests, best first.

    At most six closed ones, the page after one that was answered, and one whose words an engine
    may write. A question whose answer is kept is offered too: whether this agent has seen the
    answer is for the host to know.

    Args:
        view: What is known and missing.
        settings: The section of the configuration.
        known: What was answered and is kept, latest first.
    """
    questions = {question.series: question for question in _questions(view, settings)}
    asked = list(questions.values())[:_MOST]
    closed = [_action({"query": " ".join(one.words)}, one, view) for one in asked]
    page = _recent(view, known) or _furthest(asked[:1], known)
    following = () if page is None else _next(page, view, settings)
    return (*closed, *following, Action(_TOOL, {}, slot="query"))


def _action(arguments: dict[str, Any], question: Question, view: View) -> Action:
    return Action(_TOOL, arguments, signals=_signals(question, view))


def _questions(view: View, settings: ArxivSettings) -> Iterator[Question]:
    for text in _texts(view):
        with suppress(ValueError):  # there is no word in it
            yield Question.of({"query": text[:300].strip()}, settings)


def _texts(view: View) -> Iterator[str]:
    """Yield the words of questions, best first."""
    topic = topic_words(view.goal)[:_TOPIC]
    yield " ".join(topic)
    missing = [" ".join(content_words(term)) for term in view.missing]
    yield from (" ".join(content_words(f"{' '.join(topic[:2])} {term}")) for term in missing[:3])
    yield " ".join(missing[:2])
    yield from (" ".join(content_words(gap)) for gap in view.gaps[:3])
    yield from missing[:2]
    yield " ".join(topic[:2])


def _signals(question: Question, view: View) -> dict[str, int]:
    asked = set(question.words)
    covered = {
        name: sum(_is_within(term, asked) for term in terms)
        for name, terms in (("missing", view.missing), ("gaps", view.gaps))
    }
    counts = {name: count for name, count in covered.items() if count}
    page = {"page": question.page} if question.page > 1 else {}
    return {"terms": len(asked), **counts, **page}


def _is_within(term: str, asked: set[str]) -> bool:
    words = {word.lower() for word in content_words(term)}
    return bool(words) and words <= asked


def _recent(view: View, known: Sequence[Known]) -> Known | None:
    """Return the page that answered last in this episode, if its answer is kept."""
    for recent in reversed(view.recent):
        if recent.status == "ok" and recent.action.startswith(f"{_TOOL} "):
            number = _PAGE.search(recent.action)
            asked = " ".join(content_words(recent.action.removeprefix(_TOOL))).lower()
            pages = [
                page
                for page in known
                if page.page == (int(number[1]) if number else 1)
                and page.words
                and f"{asked} ".startswith(f"{page.words} ")
            ]
            if pages:
                return max(pages, key=lambda page: len(page.words))
    return None


def _furthest(asked: Sequence[Question], known: Sequence[Known]) -> Known | None:
    """Return the last page that is kept of the questions' lists."""
    series = {question.series for question in asked}
    pages = [page for page in known if page.series in series]
    return max(pages, key=lambda page: page.page, default=None)


def _next(page: Known, view: View, settings: ArxivSettings) -> Iterator[Action]:
    """Yield the page after one that is kept, if it is of a list that these settings ask for."""
    arguments: dict[str, Any] = {"query": page.words, "page": page.page + 1}
    with suppress(ValueError):  # it is further than arXiv answers
        question = Question.of(arguments, settings)
        if question.series == page.series and page.has_next:
            yield _action(arguments, question, view)
