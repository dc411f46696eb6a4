"""Papers of arXiv as documents of Aegis."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aegis import Document
from aegis_arxiv.identifier import Identifier, named_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    import arxiv

_WORK: Final = r"(?:paper|article|manuscript|submission|preprint|e-?print|work|version|note|letter)"
_GONE: Final = r"withdrawn|retracted"
# What authors and arXiv's administrators write: "This paper has been withdrawn by the authors",
# "Withdrawn", "This submission has been removed by arXiv administrators".
_WITHDRAWN: Final = re.compile(
    rf"\b(?:this|the|our)\s+(?:\w+\s+)?{_WORK}\s+(?:(?:has|have)\s+been|is|was)\s+(?:\w+\s+)?"
    rf"(?:{_GONE}|removed\s+by\s+arxiv)"
    rf"|\b{_WORK}\s+(?:{_GONE})\b"
    rf"|\b(?:{_GONE})\s+by\s+(?:the\s+|its\s+|all\s+)?(?:authors?|arxiv)\b",
    re.IGNORECASE,
)
_WITHDRAWN_COMMENT: Final = re.compile(rf"\s*(?:temporarily\s+)?(?:{_GONE})\b", re.IGNORECASE)
_DOI: Final = re.compile(r"\b10\.[0-9]{4,9}/[^\s\"<>{}|\\^`]{1,200}")


def document(result: arxiv.Result) -> Document:
    """Return the paper of one entry."""
    identifier = Identifier.parse(result.entry_id)
    summary, comment = _folded(result.summary), _folded(result.comment or "")
    return Document(
        source="arxiv",
        identifier=identifier.name,
        version=identifier.version,
        title=_folded(result.title),
        text=summary,
        url=identifier.url,
        authors=tuple(filter(None, (_folded(author.name) for author in result.authors))),
        published=result.published.date().isoformat(),
        tags=tuple(dict.fromkeys(result.categories)),
        references=_references(identifier, f"{summary}\n{comment}", result.doi or ""),
        withdrawn=is_withdrawn(summary, comment),
    )


def latest(documents: Iterable[Document]) -> tuple[Document, ...]:
    """Return each paper once, in its latest version, where it comes first."""
    kept: dict[str, Document] = {}
    for found in documents:
        known = kept.get(found.identifier)
        if known is None or found.version > known.version:
            kept[found.identifier] = found
    return tuple(kept.values())


def is_withdrawn(summary: str, comment: str) -> bool:
    """Return whether the abstract or the comment says that the paper was withdrawn."""
    if _WITHDRAWN_COMMENT.match(comment):
        return True
    return any(_WITHDRAWN.search(text) for text in (summary, comment))


def _references(own: Identifier, text: str, doi: str) -> tuple[str, ...]:
    papers = (paper.name for paper in named_in(text) if paper.name != own.name)
    dois = [doi.strip(), *(match[0].rstrip(".,;:)]'") for match in _DOI.finditer(text))]
    return tuple(dict.fromkeys([*papers, *(f"doi:{name}" for name in dois if name)]))


def _folded(text: str) -> str:
    return " ".join(text.split())
