"""Builtin plugin: the tools ``search_library``, ``read`` and ``write_note``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from aegis.contracts.capabilities import ToolCapabilities
from aegis.contracts.component import Component, Runtime, setting
from aegis.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aegis.contracts.roles import Tool

plugin_api = 1


@frozen
class SearchLibrarySettings:
    """Section ``[tool.search_library]``."""

    folder: str | None = setting(
        None, path="always", help="Folder to search; without it that of [agent].library."
    )
    results: int = setting(5, ge=1, le=20, help="Documents that a page of results holds.")


@frozen
class ReadSettings:
    """Section ``[tool.read]``."""

    sentences: int = setting(3, ge=1, le=10, help="Key sentences kept of a document.")
    terms: int = setting(8, ge=1, le=20, help="Characteristic terms kept of a document.")


@frozen
class WriteNoteSettings:
    """Section ``[tool.write_note]``."""

    folder: str = setting(
        "data/run/notes", path="always", help="Folder that notes are written into."
    )


@hookimpl
def aegis_tools() -> Iterable[Component]:
    """Return the three tools."""
    return [
        Component(
            kind="tool",
            name="search_library",
            summary="Searches a folder of notes and papers: Markdown, text, BibTeX, JSONL, PDF.",
            config=SearchLibrarySettings,
            describe=lambda _: ToolCapabilities(text_slot="query"),
            build=_search_library,
        ),
        Component(
            kind="tool",
            name="read",
            summary="Reads a document that was found: key sentences, terms, references.",
            config=ReadSettings,
            describe=lambda _: ToolCapabilities(),
            build=_read,
        ),
        Component(
            kind="tool",
            name="write_note",
            summary="Writes a note of what was learned, as a Markdown file.",
            config=WriteNoteSettings,
            describe=lambda _: ToolCapabilities(text_slot="text"),
            build=_write_note,
        ),
    ]


def _search_library(
    settings: SearchLibrarySettings, _: Mapping[str, Any], runtime: Runtime
) -> Tool:
    from aegis.builtin._library.search import SearchLibrary

    default = runtime.library or runtime.project / "data" / "library"
    folder = default if settings.folder is None else runtime.project / settings.folder
    return SearchLibrary(folder, settings.results)


def _read(settings: ReadSettings, _: Mapping[str, Any], __: Runtime) -> Tool:
    from aegis.builtin._library.read import Read

    return Read(settings.sentences, settings.terms)


def _write_note(settings: WriteNoteSettings, _: Mapping[str, Any], runtime: Runtime) -> Tool:
    from aegis.builtin._library.note import WriteNote

    return WriteNote(runtime.project / settings.folder)
