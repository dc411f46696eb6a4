"""The tool ``search_library``: searches a folder of notes and papers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from aegis.builtin._library.queries import PAGES, candidates
from aegis.contracts.outcome import ToolResult
from aegis.contracts.roles import ToolSpec
from aegis.errors import Problem, ToolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from aegis.builtin._library.index import State
    from aegis.contracts.action import Action
    from aegis.contracts.outcome import Document
    from aegis.contracts.roles import ToolContext
    from aegis.contracts.view import View

NAME: Final = "search_library"

_TEXT: Final = 600_000
_RESERVE: Final = 3.0


class SearchLibrary:
    """Searches the library.

    Args:
        folder: The library.
        results: Documents that a page holds.
    """

    spec = ToolSpec(
        name=NAME,
        description="Search the library of notes and papers for documents about some words.",
        arguments={
            "type": "object",
            "properties": {
                "query": {"type": "string", "minLength": 1, "maxLength": 200},
                "page": {"type": "integer", "minimum": 1, "maximum": PAGES},
            },
            "required": ["query"],
            "additionalProperties": False,
        },
        timeout=120.0,
        stale_after=24 * 3600.0,
    )

    def __init__(self, folder: Path, results: int) -> None:
        self._folder = folder
        self._results = results

    def candidates(self, view: View) -> Iterable[Action]:
        """Return searches for the goal, what it lacks, the gaps, and next pages; one is open."""
        return candidates(NAME, view)

    def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        """Bring the index up to date and return one page of results.

        Raises:
            ToolError: If the folder does not exist.
        """
        query, page = str(arguments["query"]), int(arguments.get("page", 1))
        if not self._folder.is_dir():
            raise ToolError(_absent(self._folder))
        found, state = self._found(query, page, context)
        return _result(query, page, found, state)

    def _found(
        self, query: str, page: int, context: ToolContext
    ) -> tuple[tuple[Document, ...], State]:
        from aegis.builtin._library import index

        name = hashlib.sha256(str(self._folder.resolve()).encode("utf-8", "surrogateescape"))
        file = context.cache / f"index-{name.hexdigest()[:12]}.sqlite"
        try:
            return self._searched(file, query, page, context.deadline)
        except index.FAULTS as error:
            if not index.damaged(error):
                raise
        index.delete(file)
        return self._searched(file, query, page, context.deadline)

    def _searched(
        self, file: Path, query: str, page: int, deadline: float
    ) -> tuple[tuple[Document, ...], State]:
        from aegis.builtin._library.index import Index

        with Index(file, self._folder) as library:
            state = library.update(deadline - _RESERVE)
            found = library.search(query, self._results, (page - 1) * self._results)
        room = _TEXT // self._results
        return tuple(evolve(one, text=one.text[:room]) for one in found), state


def _result(query: str, page: int, found: tuple[Document, ...], state: State) -> ToolResult:
    said = [f"{len(found)} of {state.documents} documents"] if found else []
    if not found:
        said.append("no further page" if page > 1 else f'nothing in the library about "{query}"')
    if state.skipped:
        named = ", ".join(state.problems[:3])
        said.append(f"{state.skipped} left out of the index: {named}")
    if state.waiting:
        said.append(f"{state.waiting} files are not indexed yet: search again")
        return ToolResult("partial", "; ".join(said), found)
    return ToolResult("ok" if found else "empty", "; ".join(said), found)


def _absent(folder: Path) -> Problem:
    return Problem(
        "library-absent",
        f"the library folder {folder} does not exist",
        where="[agent].library",
        fix="make the folder and put notes or papers into it, or set [agent].library to yours",
    )
