"""How a view and its candidates become one sequence of ids.

    <halt> <goal> <term1> prefix <term2> tuning <found> <doc1> <doc2> a survey of <term2>
    <step> 4/40
        <candidate> read <doc1> <term1>-<term2> revisited text=7
        <candidate> search_library <term2> terms=1

The parts of a view, and what separates their items, are special tokens; text makes none of these
(the tokenizer's promise), so nothing from outside can forge structure. The state of ``<halt>``
tells whether to think on, that of each ``<candidate>`` what the candidate is worth.

Entities are renamed by their role: the words of the goal are ``<term1>``, ``<term2>``, ... in the
order in which they stand there, wherever they stand; documents are ``<doc1>``, ``<doc2>``, ... in
the order in which the view names them, and a candidate that takes one as an argument points at it.
A small model then finds what belongs together without having learned any name. A document that a
candidate names by its title is not spelt out in the view again.

All candidates begin at the same position, right behind the view, and nothing numbers them.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Final

from attrs import frozen

from aegis import SLOT_MARK, escape, shorten, unescape
from aegis_hrm.special_tokens import DOCUMENTS, SPECIAL_TOKENS, TERMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from aegis import Action, Seen, Tokenizer, View

_WORD: Final = re.compile(r"\w{3,}+(?!=)")  # no name of a signal
_TEXTS: Final = ("missing", "facts", "gaps", "observation")
_DOCUMENTS: Final = ("knowledge", "found")


@frozen
class Row:
    """One decision as ids.

    Attributes:
        ids: All tokens, the view's first, (S,).
        positions: Where each stands; candidates share their start, (S,).
        segments: 0 for the view, k for candidate k from 1, (S,).
        markers: Index of each candidate's ``<candidate>``, (C,).
        cut: Items of the view, and then tokens, that were left out to make it fit.
        fingerprint: Of the tokenizer and the layout that the ids belong to.
    """

    ids: tuple[int, ...]
    positions: tuple[int, ...]
    segments: tuple[int, ...]
    markers: tuple[int, ...]
    cut: int
    fingerprint: str

    @property
    def tokens(self) -> int:
        """How long it is, S."""
        return len(self.ids)


class Layout:
    """Turns views with their candidates into rows of ids.

    Args:
        tokenizer: ``hrm-bpe``, which has the special tokens, or any other.
        context: Most tokens of a view together with one candidate.
        candidate_tokens: Most tokens of a candidate.
        rows: Rows of the embedding for the tokenizer's ids. The special tokens of a tokenizer that
            lacks them have the ids behind these.

    Attributes:
        fingerprint: What the ids belong to.
        rows: Rows that the embedding needs.
    """

    def __init__(
        self, tokenizer: Tokenizer, context: int, candidate_tokens: int, rows: int = 0
    ) -> None:
        self._tokenizer = tokenizer
        self._special = _special_ids(tokenizer.capabilities.special_tokens, rows)
        self.rows = max(rows, 1 + max(self._special.values()))
        self._room = context - candidate_tokens
        self._most = candidate_tokens
        self._terms = [self._special[name] for name in TERMS]
        self._docs = [self._special[name] for name in DOCUMENTS]
        assert tokenizer.capabilities.fingerprint is not None
        self.fingerprint = tokenizer.capabilities.fingerprint
        self._known: dict[str, tuple[int, ...]] = {}

    def row(self, view: View, candidates: Sequence[Action]) -> Row:
        """Return the row of a decision.

        A view that does not fit loses items by the rule of `shorten`, then tokens in its middle; a
        candidate that does not fit loses tokens in its middle.
        """
        roles = _Roles.of(view, self._terms, self._docs)
        offered = [self._candidate(action, roles) for action in candidates]
        named = frozenset(_titled(view, candidates, roles))
        ids, cut = self._fitting(view, roles, named)
        start = len(ids)
        return Row(
            ids=(*ids, *chain.from_iterable(offered)),
            positions=(
                *range(start),
                *chain.from_iterable(range(start, start + len(c)) for c in offered),
            ),
            segments=(
                *[0] * start,
                *chain.from_iterable([k] * len(c) for k, c in enumerate(offered, start=1)),
            ),
            markers=tuple(_starts(start, offered)),
            cut=cut,
            fingerprint=self.fingerprint,
        )

    def _fitting(self, view: View, roles: _Roles, named: frozenset[str]) -> tuple[list[int], int]:
        ids = self._view(view, roles, named)
        if len(ids) <= self._room:
            return ids, 0
        short, cut = shorten(view, lambda v: len(self._view(v, roles, named)) <= self._room)
        ids = self._view(short, roles, named)
        excess = max(0, len(ids) - self._room)
        return _middle_out(ids, self._room), cut + excess

    def _view(self, view: View, roles: _Roles, named: frozenset[str]) -> list[int]:
        mark = self._special
        ids = [mark["<halt>"], mark["<goal>"], *self._text(view.goal, roles, spelt=True)]
        parts = {name: [self._text(text, roles) for text in getattr(view, name)] for name in _TEXTS}
        for name in _DOCUMENTS:
            seen: Iterable[Seen] = getattr(view, name)
            parts[name] = [self._document(each, roles, named) for each in seen]
        parts["recent"] = [
            self._text(f"{step.status} {step.gained:+d} {step.action}", roles)
            for step in view.recent
        ]
        for name in (*_TEXTS[:2], *_DOCUMENTS, *_TEXTS[2:], "recent"):
            for number, item in enumerate(parts[name]):
                ids.append(mark["<item>" if number else f"<{name}>"])
                ids += item
        return [*ids, mark["<step>"], *self._encoded(f"{view.step}/{view.limit}")]

    def _document(self, seen: Seen, roles: _Roles, named: frozenset[str]) -> list[int]:
        role = roles.documents.get(seen.ref)
        if role is None:
            return self._text(seen.title, roles)
        return [role] if seen.ref in named else [role, *self._text(seen.title, roles)]

    def _candidate(self, action: Action, roles: _Roles) -> list[int]:
        tool, _, rest = unescape(action.render()).partition(" ")  # what is encoded is escaped
        before, slot, after = rest.rpartition(SLOT_MARK) if action.slot else (rest, "", "")
        ids = [self._special["<candidate>"], *self._encoded(tool)]
        ids += [roles.documents[ref] for ref in _references(action, roles)]
        ids += self._text(before and f" {before}", roles)
        if slot:
            ids += [self._special["<slot>"], *self._text(after, roles)]
        return _middle_out(ids, self._most)

    def _text(self, text: str, roles: _Roles, *, spelt: bool = False) -> list[int]:
        """Return the ids of text with the words of the goal as roles.

        Args:
            text: Any text.
            roles: Of the view.
            spelt: Whether each such word follows its role, as in the goal itself.
        """
        ids: list[int] = []
        place = 0
        for word in _WORD.finditer(text):
            role = roles.terms.get(word[0].casefold())
            if role is not None:
                ids += self._encoded(text[place : word.start()].rstrip())
                ids.append(role)
                if spelt:
                    ids += self._encoded(word[0])
                place = word.end()
        ids += self._encoded(text[place:])
        return ids

    def _encoded(self, text: str) -> tuple[int, ...]:
        """Return the ids of plain text; what was encoded lately is remembered."""
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[text] = tuple(self._tokenizer.encode(escape(text)))
        return found


_REMEMBERED: Final = 20_000  # pieces of text, about 5 MB


@frozen
class _Roles:
    """The special ids of a view's entities, by word and by reference."""

    terms: Mapping[str, int]
    documents: Mapping[str, int]

    @classmethod
    def of(cls, view: View, terms: Sequence[int], docs: Sequence[int]) -> _Roles:
        words = dict.fromkeys(word.casefold() for word in _WORD.findall(view.goal))
        refs = dict.fromkeys(seen.ref for name in _DOCUMENTS for seen in getattr(view, name))
        return cls(
            dict(zip(words, terms, strict=False)),
            dict(zip(refs, docs, strict=False)),
        )


def _special_ids(own: Mapping[str, int], rows: int) -> dict[str, int]:
    if all(name in own for name in SPECIAL_TOKENS):
        return {name: own[name] for name in SPECIAL_TOKENS}
    return {name: rows + number for number, name in enumerate(SPECIAL_TOKENS)}


def _references(action: Action, roles: _Roles) -> list[str]:
    """Return the documents of the view that are an argument, or in a list that is one."""
    values = chain.from_iterable(
        value if isinstance(value, (list, tuple)) else (value,)
        for value in action.arguments.values()
    )
    return [value for value in values if isinstance(value, str) and value in roles.documents]


def _titled(view: View, candidates: Sequence[Action], roles: _Roles) -> Iterator[str]:
    """Yield the documents whose title a candidate that takes them says."""
    titles = {seen.ref: seen.title for name in _DOCUMENTS for seen in getattr(view, name)}
    for action in candidates:
        yield from (ref for ref in _references(action, roles) if titles[ref] == action.about)


def _middle_out(ids: list[int], most: int) -> list[int]:
    """Return at most `most` ids: as many from the start as from the end."""
    excess = len(ids) - most
    if excess <= 0:
        return ids
    head = most - most // 2
    return ids[:head] + ids[head + excess :]


def _starts(first: int, offered: Iterable[Sequence[int]]) -> Iterator[int]:
    for candidate in offered:
        yield first
        first += len(candidate)
