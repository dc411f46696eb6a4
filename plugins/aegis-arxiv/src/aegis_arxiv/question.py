"""A question to arXiv: checked arguments, and the query that they make.

Text from outside can only become a quoted word of the query. Operators, parentheses, field
prefixes and parameters are written here and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict, evolve, frozen

from aegis_arxiv.identifier import Identifier
from aegis_arxiv.settings import CATEGORY, FIELDS, is_day
from aegis_arxiv.words import MOST_WORDS, content_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aegis_arxiv.settings import ArxivSettings

_LONGEST_QUERY: Final = 300
_MOST_IDS: Final = 50
_MOST_CATEGORIES: Final = 10
_MOST_PAGES: Final = 600  # of 50 papers: arXiv answers no further than 30,000 into a list
_FIRST: Final = "199108010000"  # arXiv opened in August 1991
_LAST: Final = "209912312359"
_A_DATE: Final = "a date, YYYY-MM-DD"
_A_FIELD: Final = f"one of {', '.join(FIELDS)}"

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "query": {
            "type": "string",
            "minLength": 1,
            "maxLength": _LONGEST_QUERY,
            "description": f"Words that a paper must hold; the first {MOST_WORDS} that carry "
            "meaning count. There are no operators.",
        },
        "ids": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 100},
            "minItems": 1,
            "maxItems": _MOST_IDS,
            "description": "arXiv identifiers, old or new, with or without version; with words, "
            "only those among them that hold the words.",
        },
        "page": {"type": "integer", "minimum": 1, "maximum": _MOST_PAGES},
        "field": {"type": "string", "enum": list(FIELDS)},
        "categories": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 40},
            "maxItems": _MOST_CATEGORIES,
            "description": "Categories, any of which a paper must be in: cs.LG, hep-th, cs.*",
        },
        "since": {"type": "string", "maxLength": 10, "description": "Earliest day, YYYY-MM-DD"},
        "until": {"type": "string", "maxLength": 10, "description": "Latest day, YYYY-MM-DD"},
    },
    "additionalProperties": False,
}
"""The arguments of ``search_arxiv``; at least one of ``query`` and ``ids`` is needed."""


@frozen
class Question:
    """One page of one list of papers.

    Attributes:
        words: Words that a paper must hold, in lower case (arXiv does not tell cases apart).
        ids: Papers asked for by name.
        field: Where the words are looked for.
        categories: Categories, any of which a paper must be in.
        since: Earliest day of submission, ISO, or empty.
        until: Latest day of submission, ISO, or empty.
        sort: ``relevance`` or ``submitted``.
        page: Number of the page, from 1.
        size: Papers on a page.
    """

    words: tuple[str, ...] = ()
    ids: tuple[Identifier, ...] = ()
    field: str = "all"
    categories: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    sort: str = "relevance"
    page: int = 1
    size: int = 10

    @classmethod
    def of(cls, arguments: Mapping[str, Any], settings: ArxivSettings) -> Question:
        """Return the question that the arguments of a call and the settings make.

        Raises:
            ValueError: With everything that is wrong with the arguments.
        """
        reader = _Arguments(arguments, settings)
        question = reader.question()
        if reader.wrong:
            raise ValueError("; ".join(reader.wrong))
        return question

    @property
    def start(self) -> int:
        """Number of the first paper of the page within the list, from 0."""
        return (self.page - 1) * self.size

    @property
    def search_query(self) -> str:
        """The query in arXiv's language; empty where only identifiers are asked for."""
        clauses = [f'{self.field}:"{word}"' for word in self.words]
        if self.categories:
            clauses.append(f"({' OR '.join(f'cat:{name}' for name in self.categories)})")
        if self.since or self.until:
            first = f"{self.since.replace('-', '')}0000" if self.since else _FIRST
            last = f"{self.until.replace('-', '')}2359" if self.until else _LAST
            clauses.append(f"submittedDate:[{first} TO {last}]")
        return " AND ".join(clauses)

    @property
    def key(self) -> str:
        """The identity of the question: sha256 in hexadecimal."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    @property
    def series(self) -> str:
        """The key of the first page: the same for all pages of a list."""
        return evolve(self, page=1).key


class _Arguments:
    """Reads arguments that may hold anything, and collects what is wrong with them."""

    def __init__(self, arguments: Mapping[str, Any], settings: ArxivSettings) -> None:
        self.wrong: list[str] = []
        self._arguments = arguments
        self._settings = settings

    def question(self) -> Question:
        unknown = sorted(set(self._arguments) - set(SCHEMA["properties"]))
        self.wrong += [f"unknown argument {name!r}" for name in unknown]
        if not set(self._arguments) & {"query", "ids"}:
            self.wrong.append("one of query and ids is needed")
        ids = self._ids()
        size = len(ids) or self._settings.results
        narrow = "ids" not in self._arguments  # papers asked for by name are not narrowed
        question = Question(
            words=self._words(),
            ids=ids,
            field=self._text("field", FIELDS.__contains__, _A_FIELD, self._settings.field),
            categories=self._categories(self._settings.categories if narrow else ()),
            since=self._text("since", _is_bound, _A_DATE, self._settings.since if narrow else ""),
            until=self._text("until", _is_bound, _A_DATE, self._settings.until if narrow else ""),
            sort=self._settings.sort,
            page=self._page(ids),
            size=size,
        )
        if question.since and question.until and question.since > question.until:
            self.wrong.append(f"since {question.since} is after until {question.until}")
        return question

    def _words(self) -> tuple[str, ...]:
        query = self._arguments.get("query")
        if query is None:
            return ()
        if not isinstance(query, str) or not 0 < len(query) <= _LONGEST_QUERY:
            self.wrong.append(f"query: a text of 1 to {_LONGEST_QUERY} characters")
            return ()
        found = tuple(word.lower() for word in content_words(query)[:MOST_WORDS])
        if not found:
            self.wrong.append("query: holds no word")
        return found

    def _ids(self) -> tuple[Identifier, ...]:
        found = []
        for text in self._texts("ids", _MOST_IDS):
            try:
                found.append(Identifier.parse(text))
            except ValueError as error:
                self.wrong.append(f"ids: {error}")
        return tuple(dict.fromkeys(found))

    def _categories(self, default: tuple[str, ...]) -> tuple[str, ...]:
        if "categories" not in self._arguments:
            return default
        names = self._texts("categories", _MOST_CATEGORIES)
        for name in names:
            if not re.fullmatch(CATEGORY, name):
                self.wrong.append(f'categories: {name[:40]!r} is none (such as "cs.LG")')
        return names

    def _texts(self, name: str, most: int) -> tuple[str, ...]:
        values = self._arguments.get(name, [])
        listed = isinstance(values, (list, tuple)) and len(values) <= most
        if not listed or not all(isinstance(value, str) for value in values):
            self.wrong.append(f"{name}: a list of at most {most} texts")
            return ()
        if name == "ids" and name in self._arguments and not values:
            self.wrong.append("ids: at least one")
        return tuple(values)

    def _text(self, name: str, allowed: Callable[[str], bool], rule: str, default: str) -> str:
        value = self._arguments.get(name, default)
        if isinstance(value, str) and allowed(value):
            return value
        self.wrong.append(f"{name}: {rule}")
        return ""

    def _page(self, ids: tuple[Identifier, ...]) -> int:
        page = self._arguments.get("page", 1)
        if not isinstance(page, int) or isinstance(page, bool) or not 1 <= page <= _MOST_PAGES:
            self.wrong.append(f"page: a number from 1 to {_MOST_PAGES}")
            return 1
        if ids and page > 1:
            self.wrong.append("page: identifiers have one page")
        return page


def _is_bound(text: str) -> bool:
    return not text or is_day(text)
