"""Builtin plugin: the environment ``research-gym``, seeded practice over a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import frozen

from aegis.contracts.capabilities import EnvironmentCapabilities
from aegis.contracts.component import Component, setting
from aegis.evaluation.gym.version import VERSION
from aegis.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aegis.contracts.component import Runtime

plugin_api = 1

NAME: Final = "research-gym"


@frozen(kw_only=True)
class GymSettings:
    """What is practised on."""

    corpus: str | None = setting(
        None,
        path="always",
        help="Folder of notes (.md, .markdown, .txt) or rows (.jsonl, .jsonl.gz with title, "
        "abstract and mostly id); without it, the agent's library.",
    )
    split: Literal["practice", "validation", "test"] = setting(
        "practice",
        help="Topics that are played; an agent plays practice alone, eval and compare the others.",
    )
    k: int = setting(
        0,
        ge=0,
        le=1000,
        help="Relevant documents of a topic; 0: 20 for corpora over 2,000 documents, else 8.",
    )
    failures: float = setting(0.10, ge=0, le=1, help="Share of tool calls that fail.")
    steps: int = setting(40, ge=1, le=10_000, help="Steps of an episode at most.")


def _describe(settings: GymSettings) -> EnvironmentCapabilities:
    if settings.corpus is None:
        return EnvironmentCapabilities(version=VERSION, splits=True, library=True)
    from aegis.evaluation.gym.corpus import corpus_digest

    content = corpus_digest(Path(settings.corpus))
    return EnvironmentCapabilities(version=VERSION, splits=True, content=content)


def _build(settings: GymSettings, _: Mapping[str, Any], runtime: Runtime) -> Any:
    from aegis.evaluation.gym.cache import load_index
    from aegis.evaluation.gym.environment import ResearchGym

    library = runtime.library or runtime.project / "data" / "library"
    corpus = Path(settings.corpus) if settings.corpus is not None else library
    return ResearchGym(
        load_index(runtime.project / corpus, runtime.data / NAME),
        split=settings.split,
        k=settings.k,
        steps=settings.steps,
        failures=settings.failures,
    )


@hookimpl
def aegis_environments() -> Iterable[Component]:
    """Return the environment ``research-gym``."""
    return [
        Component(
            kind="environment",
            name=NAME,
            summary="Seeded practice: find and read what belongs to a topic of a corpus.",
            config=GymSettings,
            describe=_describe,
            build=_build,
        )
    ]
