"""How a decision becomes token ids: the one encoding that serving and training share.

A view is encoded as its rendering and a short marker, a candidate as its rendering and a line
break; the two are encoded apart, so that the ids of the view do not depend on the candidate and
are computed once.

    goal: Understand low-rank adaptation
    missing: rank | adapter
    step: 4/40
    next: search_library rank terms=2

Instructions, where there are any, stand before every view as a text of their own: their ids are
the same for all views, so that an engine reads them once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from attrs import frozen

from aegis import SLOT_MARK, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis import Action, Tokenizer, View

MARKER: Final = "\nnext:"
"""What follows the rendering of a view. Views cannot forge it: their texts hold no line break."""

_LINES: Final = 1024  # lines of candidates whose ids are kept
_LARGEST_RESERVE: Final = 256  # tokens of a context that are kept for a candidate and its text


@frozen
class Prompt:
    """The ids of a view.

    Attributes:
        ids: Its token ids, start ids and instructions included.
        cut: Items of the view, and then tokens, that were left out to make it fit.
    """

    ids: tuple[int, ...]
    cut: int = 0


class Encoding:
    """Turns views, candidates and texts into ids that fit a context.

    Args:
        tokenizer: Any tokenizer; its special tokens never come from text.
        context_length: Tokens that fit at once beside the instructions.
        start: Ids before any text.
        instructions: Text before every view.

    Attributes:
        shared: Ids that every prompt begins with: those of the instructions and what stands before
            them; none where there are no instructions.
        reserve: Most tokens of a candidate; the view has the rest of the context.
        end: Id of the line break that ends a candidate.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        context_length: int,
        start: Sequence[int] = (),
        instructions: str = "",
    ) -> None:
        self._tokenizer = tokenizer
        before = instruction_ids(tokenizer, instructions)
        self.shared = (*start, *before) if before else ()
        self._start = () if before else tuple(start)
        # Some tokenizers put a space before every text themselves; then none is added here.
        own_space = tokenizer.encode("x a") == [*tokenizer.encode("x"), *tokenizer.encode("a")]
        self._lead = "" if own_space else " "
        # Actions are few and come up at every step.
        self._line = lru_cache(maxsize=_LINES)(self._line_ids)
        self.reserve = min(_LARGEST_RESERVE, context_length // 4)
        self._room = context_length - self.reserve
        self.end = tokenizer.encode("a\n")[-1]

    def prompt(self, view: View) -> Prompt:
        """Return the ids of a view, cut by the rule of `shorten` where it is too long."""
        ids = self._prompt_ids(view)
        if len(ids) <= self._room:
            return Prompt((*self.shared, *ids))
        short, cut = shorten(view, lambda v: len(self._prompt_ids(v)) <= self._room)
        ids = self._prompt_ids(short)
        excess = max(0, len(ids) - self._room)
        if excess:
            head = self._room // 2
            ids = ids[:head] + ids[head + excess :]
        return Prompt((*self.shared, *ids), cut + excess)

    def candidate(self, action: Action) -> list[int]:
        """Return the ids of a candidate, its end of line included, at most `reserve`."""
        return list(self._line(action.render()))

    def opening(self, action: Action, room_for_text: int) -> list[int]:
        """Return the ids of an action up to its slot, leaving room for the text in `reserve`."""
        before = action.render().rpartition(SLOT_MARK)[0].rstrip()
        return self._tokenizer.encode(f"{self._lead}{before}")[
            : max(1, self.reserve - room_for_text)
        ]

    def text(self, text: str) -> list[int]:
        """Return the ids of text in a slot, without an end of line."""
        return self._tokenizer.encode(f"{self._lead}{text}")

    def _line_ids(self, text: str) -> tuple[int, ...]:
        ids = self._tokenizer.encode(f"{self._lead}{text}\n")
        return tuple(ids if len(ids) <= self.reserve else [*ids[: self.reserve - 1], self.end])

    def _prompt_ids(self, view: View) -> list[int]:
        return [*self._start, *self._tokenizer.encode(view.render() + MARKER)]


def instruction_ids(tokenizer: Tokenizer, instructions: str) -> list[int]:
    """Return the ids of instructions and of the line break after them; none for no text."""
    return tokenizer.encode(f"{instructions}\n") if instructions else []
