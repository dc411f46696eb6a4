"""The tool ``read``: key sentences, terms and references of a document that was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aegis.builtin._library.queries import subject, terms_of
from aegis.contracts.action import Action
from aegis.contracts.outcome import Reading, ToolResult
from aegis.contracts.roles import ToolSpec
from aegis.errors import ToolError
from aegis.knowledge.text import key_sentences, references, terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from aegis.contracts.outcome import Document
    from aegis.contracts.roles import ToolContext
    from aegis.contracts.view import View

NAME: Final = "read"

_REFERENCES: Final = 30


class Read:
    """Reads one document.

    Args:
        sentences: Key sentences kept, at most.
        count: Terms kept, at most.
    """

    spec = ToolSpec(
        name=NAME,
        description="Read a document that was found: its key sentences, terms and references.",
        arguments={
            "type": "object",
            "properties": {"document": {"type": "string", "format": "document"}},
            "required": ["document"],
            "additionalProperties": False,
        },
        timeout=20.0,
    )

    def __init__(self, sentences: int, count: int) -> None:
        self._sentences = sentences
        self._terms = count

    def candidates(self, view: View) -> Iterator[Action]:
        """Yield one call for each document found, in the view's order.

        Signals: ``rank`` in the view, ``match``: the share of the goal's words in the title in
        fifths, ``missing``: how many missing terms the title names, ``new``: how many of its words
        no title of what was read holds, at most nine.
        """
        goal, missing = terms_of(subject(view)), terms_of(view.missing)
        known = terms_of(seen.title for seen in view.knowledge)
        for rank, seen in enumerate(view.found, 1):
            words = terms_of([seen.title])
            signals = {
                "rank": rank,
                "match": round(5 * len(words & goal) / len(goal)) if goal else 0,
                "missing": len(words & missing),
                "new": min(9, len(words - known)),
            }
            yield Action(NAME, {"document": seen.ref}, about=seen.title, signals=signals)

    def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        """Return what the document that was handed over says.

        Raises:
            ToolError: If it was not handed over.
        """
        ref = str(arguments["document"])
        document = context.documents.get(ref)
        if document is None:
            raise ToolError.of("document-absent", f'document "{ref}" was not handed to the call')
        if not document.text.strip():
            return ToolResult("empty", f'"{document.title}" has no text to read')
        return ToolResult("ok", readings=(self._reading(ref, document),))

    def _reading(self, ref: str, document: Document) -> Reading:
        text = f"{document.title}.\n\n{document.text}"
        found = terms(text, self._terms)
        return Reading(
            ref,
            sentences=key_sentences(document.text, [document.title, *found], self._sentences),
            terms=found,
            references=_named(document),
        )


def _named(document: Document) -> tuple[str, ...]:
    named: Iterable[str] = (*document.references, *references(document.text))
    own = document.identifier
    return tuple(one for one in dict.fromkeys(named) if one != own)[:_REFERENCES]
