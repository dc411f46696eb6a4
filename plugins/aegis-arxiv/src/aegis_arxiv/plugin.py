"""The plugin ``arxiv``: the manifest of the tool ``search_arxiv``.

Cheap to import: the tool, and with it the network libraries, are imported when it is built and
called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aegis
from aegis_arxiv.settings import ArxivSettings, problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

plugin_api = 1


@aegis.hookimpl
def aegis_tools() -> Iterable[aegis.Component]:
    """Return the tool ``search_arxiv``."""
    return [
        aegis.Component(
            kind="tool",
            name="search_arxiv",
            summary="Searches arXiv by words, categories, dates and identifiers.",
            config=ArxivSettings,
            describe=_describe,
            check=_check,
            build=_build,
        )
    ]


def _describe(settings: ArxivSettings) -> aegis.ToolCapabilities:
    del settings  # the same for all
    return aegis.ToolCapabilities(text_slot="query", closed_candidates=True, network=True)


def _check(settings: ArxivSettings, parts: Mapping[str, Any]) -> Iterable[aegis.Problem]:
    del parts  # it has none
    return problems(settings)


def _build(settings: ArxivSettings, parts: Mapping[str, Any], runtime: aegis.Runtime) -> aegis.Tool:
    del parts  # it has none
    from aegis import ConfigError
    from aegis_arxiv.tool import SearchArxiv

    if wrong := tuple(problems(settings)):
        raise ConfigError(wrong)
    return SearchArxiv(settings, runtime.data / "search_arxiv", offline=runtime.offline)
