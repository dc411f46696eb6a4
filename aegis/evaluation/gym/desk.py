"""The desk: everything that a policy may know in one episode, and the candidates made from it.

It holds the search index and the goal's title. It holds neither relevance nor reward nor the
seed's text, so nothing that is shown can depend on them.

Signals of a read candidate, each a small integer:

    rank   position in the result list where the document was first seen, 1 to 9
    title  share of the goal's idf weight that stands in its title, tenths, 0 to 9
    text   tf-idf cosine of the goal's terms with its title and text, twentieths, 0 to 9
    rare   idf of the rarest term shared with the goal, in tenths of the largest, 0 to 9
           (terms of fewer than 3 documents count for none of text, rare and like)
    like   tf-idf cosine with the sum of what was read, twentieths, 0 to 9

Signals of a search candidate:

    page   the page of results asked for, 1 to 9
    goal   share of the goal's idf weight that the query covers, tenths, 0 to 9
    new    how far the query is from the nearest answered one (1 - shared over joint idf weight),
           tenths, 0 to 9; 0 on a further page
    last   mean `text` of the results on the page before, 0 to 9; 0 on a first page
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from attrs import define, field

from aegis.contracts.action import Action
from aegis.contracts.view import Recent, Seen, View
from aegis.evaluation.gym.goal import TWENTIETHS, Found, Goal, bucket
from aegis.evaluation.gym.queries import Query, proposals, title_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from aegis.evaluation.gym.search import SearchIndex

    Floats = npt.NDArray[np.float64]

SEARCH: Final = "search"
READ: Final = "read"
NOTE: Final = "write_note"
FINISH: Final = "finish"

CANDIDATES: Final = 24
READS: Final = 12
NEXT_PAGES: Final = 4
SEARCHES: Final = 10
PAGE: Final = 5
LAST_PAGE: Final = 9
ATTEMPTS: Final = 3
"""How often a call that keeps failing is offered."""

SHOWN_FOUND: Final = 6
SHOWN_KNOWLEDGE: Final = 6
SHOWN_RECENT: Final = 4
SALIENT: Final = 5


@define(eq=False)
class Asked:
    """A query that was answered: its idf weight, its pages so far, whether there may be more."""

    query: Query
    weight: float
    pages: int
    last: int
    more: bool


@define(eq=False)
class Desk:
    """The visible state of one episode.

    Attributes:
        index: The library.
        seed_document: The document that is no result, and whose title is the goal.
        limit: Steps of the episode at most.
        scratch: Zeros that a desk uses and leaves as zeros, (terms,); one is enough for all
            episodes of a gym, and to allocate it anew each time would cost more than an episode.
        goal: The goal.
        step: Number of the current step, from 1.
        found: Documents found and not read, by reference.
        read: Documents read, by reference.
        noted: Whether the note was written.
    """

    index: SearchIndex
    seed_document: int
    limit: int
    scratch: Floats
    goal: Goal = field(init=False)
    step: int = field(default=1, init=False)
    found: dict[str, Found] = field(factory=dict, init=False)
    read: dict[str, Found] = field(factory=dict, init=False)
    noted: bool = field(default=False, init=False)
    _refs: dict[int, str] = field(factory=dict, init=False)
    _asked: dict[tuple[int, ...], Asked] = field(factory=dict, init=False)
    _attempts: dict[str, int] = field(factory=dict, init=False)
    _missing: dict[int, str] = field(init=False)
    _strength: dict[int, float] = field(factory=dict, init=False)
    _squared: float = field(default=0.0, init=False)
    _dots: dict[str, float] = field(factory=dict, init=False)
    _titles: list[Query] = field(factory=list, init=False)
    _salient: tuple[int, ...] = field(default=(), init=False)
    _recent: list[Recent] = field(factory=list, init=False)
    _likes: dict[str, int] = field(factory=dict, init=False)
    _offered: tuple[Action, ...] | None = field(default=None, init=False)
    _searchable: list[Action] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.goal = Goal.of(self.index, self.seed_document)
        self._missing = dict(self.goal.shown)

    def results(self, query: str, page: int) -> tuple[int, ...]:
        """Return the documents on one page of a query's results; the seed is never among them."""
        ranking = [d for d in self.index.search(query) if d != self.seed_document]
        return tuple(ranking[(page - 1) * PAGE : page * PAGE])

    def attempt(self, action: Action) -> int:
        """Count a call and return how often it was made before."""
        call = call_of(action)
        before = self._attempts.get(call, 0)
        self._attempts[call] = before + 1
        return before

    def lay(self, documents: Iterable[int], page: int) -> list[str]:
        """Lay results on the desk and return the references of those that are new."""
        new = []
        for place, document in enumerate(documents, (page - 1) * PAGE + 1):
            if document not in self._refs:
                ref = str(len(self._refs) + 1)
                seen = Seen(ref, self.index.titles[document])
                self._refs[document] = ref
                self.found[ref] = self.goal.look(self.index, document, seen, place)
                new.append(ref)
        for ref in new:
            self._dots[ref] = sum(self._dots_with(self.found[ref], self.read.values()))
        self._liken(new)
        return new

    def _dots_with(self, one: Found, others: Iterable[Found]) -> list[float]:
        self.scratch[one.terms] = one.weights
        dots = [float(self.scratch[other.terms] @ other.weights) for other in others]
        self.scratch[one.terms] = 0.0
        return dots

    def answered(self, query: str, page: int, documents: Sequence[int]) -> None:
        """Remember that a page of a query is known."""
        terms = tuple(sorted(self.index.query_terms(query)))
        texts = [self._look_again(document).text for document in documents]
        last = round(sum(texts) / len(texts)) if texts else 0
        more = len(documents) == PAGE and page < LAST_PAGE
        self._asked[terms] = Asked(Query(terms, query), self._weight(terms), page, last, more)

    def _weight(self, terms: Iterable[int]) -> float:
        idf = self.index.weights
        return sum(idf[term] for term in terms)

    def _look_again(self, document: int) -> Found:
        ref = self._refs[document]
        return self.found.get(ref) or self.read[ref]

    def learn(self, ref: str) -> Found:
        """Move a document from what was found to what was read."""
        found = self.found.pop(ref)
        self.read[ref] = found
        terms = found.terms.tolist()
        for term, weight in zip(terms, found.weights.tolist(), strict=True):
            self._strength[term] = self._strength.get(term, 0.0) + weight
        self._squared += 2 * self._dots[ref] + float(found.weights @ found.weights)
        dots = self._dots_with(found, self.found.values())
        for other, dot in zip(self.found, dots, strict=True):
            self._dots[other] += dot
        self._titles.append(title_query(self.index, found.seen.title))
        for term in [*self._missing]:
            if self.index.holds(term, found.document):
                del self._missing[term]
        # Only terms of this document have gained strength.
        self._salient = self._strongest({*self._salient, *terms})
        self._liken(self.found)
        return found

    def _strongest(self, terms: Iterable[int]) -> tuple[int, ...]:
        able = [term for term in sorted(terms) if term not in self.goal.weights]
        return tuple(sorted(able, key=lambda term: -self._strength[term])[:SALIENT])

    def _liken(self, refs: Iterable[str]) -> None:
        if self.read:
            length = math.sqrt(self._squared) or 1.0  # what was read may hold rare terms only
            for ref in refs:
                self._likes[ref] = bucket(self._dots[ref] / length, TWENTIETHS)

    def end_step(self, action: Action, status: str, gained: int) -> None:
        """Note how the step went and begin the next one."""
        self._recent = [*self._recent[1 - SHOWN_RECENT :], Recent(_brief(action), status, gained)]
        self.step += 1
        self._offered = None
        if action.tool == SEARCH or status == "ok":  # else nothing has changed for searches
            self._searchable = None

    def view(self) -> View:
        """Return the view of the current step."""
        reads = [found.seen for found in self._reads()[:SHOWN_FOUND]]
        known = [found.seen for found in self.read.values()]
        return View(
            goal=f"Understand {self.goal.title}",
            step=self.step,
            limit=self.limit,
            missing=tuple(self._missing.values()),
            knowledge=tuple(known[-SHOWN_KNOWLEDGE:]),
            found=tuple(reads),
            gaps=tuple(self.index.shown[term] for term in self._salient),
            recent=tuple(self._recent),
        )

    @property
    def complete(self) -> bool:
        """Whether what was read covers every term of the goal."""
        return not self._missing

    def candidates(self) -> tuple[Action, ...]:
        """Return the legal candidates of the current step, at most `CANDIDATES`."""
        if self._offered is None:
            offered = [self._read_action(found) for found in self._reads()]
            if self._searchable is None:
                self._searchable = self._searches()
            offered += self._searchable
            if self.read and not self.noted and self._may_try(note := self._note_action()):
                offered.append(note)
            offered.append(Action(FINISH))
            self._offered = tuple(offered)
        return self._offered

    def _reads(self) -> list[Found]:
        likes = self._likes
        ready = [
            f for ref, f in self.found.items() if self._attempts.get(f"{READ} {ref}", 0) < ATTEMPTS
        ]
        ready.sort(key=lambda f: -(f.text + likes.get(f.seen.ref, 0)))
        return ready[:READS]

    def _read_action(self, found: Found) -> Action:
        return Action(
            READ,
            {"document": found.seen.ref},
            about=found.seen.title,
            signals={
                "rank": found.rank,
                "title": found.title,
                "text": found.text,
                "rare": found.rare,
                "like": self._likes.get(found.seen.ref, 0),
            },
        )

    def _note_action(self) -> Action:
        about = f"{len(self.read)} documents"
        return Action(NOTE, {"cites": list(self.read)}, about=about)

    def _searches(self) -> list[Action]:
        pages = sorted(
            (a for a in self._asked.values() if a.more), key=lambda a: (-a.last, a.pages)
        )
        offered = [self._search_action(a.query, a.pages + 1, a.last) for a in pages]
        offered = [action for action in offered if self._may_try(action)][:NEXT_PAGES]
        for query in self._fresh():
            if len(offered) == SEARCHES:
                break
            action = self._search_action(query, 1, 0)
            if self._may_try(action):
                offered.append(action)
        return offered

    def _fresh(self) -> Iterator[Query]:
        known = set(self._asked)
        for query in proposals(self.index, self.goal, self._titles, self._salient):
            if query.terms and query.terms not in known:
                known.add(query.terms)
                yield query

    def _search_action(self, query: Query, page: int, last: int) -> Action:
        return Action(
            SEARCH,
            {"query": query.text, "page": page},
            about=query.text,
            signals={
                "page": page,
                "goal": bucket(self.goal.share(query.terms)),
                "new": bucket(self._distance(query.terms)) if page == 1 else 0,
                "last": last,
            },
        )

    def _distance(self, terms: tuple[int, ...]) -> float:
        weight = self._weight(terms)
        nearest = 0.0
        for known, asked in self._asked.items():
            shared = self._weight(term for term in terms if term in known)
            nearest = max(nearest, shared / (weight + asked.weight - shared))
        return 1.0 - nearest

    def _may_try(self, action: Action) -> bool:
        return self._attempts.get(call_of(action), 0) < ATTEMPTS


def call_of(action: Action) -> str:
    """Return a call's identity within an episode."""
    if action.tool == SEARCH:
        return f"{SEARCH} {action.arguments['page']} {action.arguments['query']}"
    return f"{action.tool} {action.arguments['document']}" if action.tool == READ else action.tool


def _brief(action: Action) -> str:
    page = action.arguments.get("page", 1)
    words = [action.tool, action.about, f"page={page}" if page != 1 else ""]
    return " ".join(word for word in words if word)
