"""From a tool's result to knowledge: what is kept, what it earns, what it leaves open.

Only results with status ``ok`` become knowledge. A failed, partial or empty result never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen

from aegis.agent.viewing import NOTES
from aegis.contracts.outcome import Document
from aegis.knowledge.gaps import explains
from aegis.knowledge.goals import Stems

if TYPE_CHECKING:
    from aegis.config.settings import RewardSettings
    from aegis.contracts.outcome import ToolResult
    from aegis.contracts.roles import ToolSpec
    from aegis.knowledge.gaps import Gaps
    from aegis.knowledge.goals import Goal
    from aegis.knowledge.items import Items

Doing = Literal["search", "read", "write"]


@frozen
class Integrated:
    """What one result changed.

    Attributes:
        gained: New items that are relevant: to the goal, or to a gap.
        items: References of all items that came back.
        read: References of the items that were read.
        message: One line for people.
        reward: What the table of rewards gives for it.
    """

    gained: int
    items: tuple[str, ...]
    read: tuple[str, ...]
    message: str
    reward: float


def doing(spec: ToolSpec) -> Doing:
    """Return what kind of work a tool does, from its manifest alone."""
    properties = spec.arguments.get("properties", {}).values()
    if any(schema.get("format") == "document" for schema in properties):
        return "read"
    return "search" if spec.effects == "none" else "write"


class Integrator:
    """Keeps what results bring. Writes go into the ledger's open transaction."""

    def __init__(self, items: Items, gaps: Gaps, rewards: RewardSettings) -> None:
        self._items = items
        self._gaps = gaps
        self._rewards = rewards

    def integrate(
        self, result: ToolResult, spec: ToolSpec, goal: Goal, *, at: str, step: int
    ) -> Integrated:
        """Keep a result and say what it earned."""
        if result.status != "ok":
            return Integrated(0, (), (), result.message, self._failure(spec))
        if doing(spec) == "read":
            return self._readings(result, step)
        if doing(spec) == "write":
            return self._notes(result, spec, at=at, step=step)
        return self._findings(result, spec, goal, at=at, step=step)

    def _failure(self, spec: ToolSpec) -> float:
        return self._rewards.failed_search if doing(spec) == "search" else 0.0

    def _findings(
        self, result: ToolResult, spec: ToolSpec, goal: Goal, *, at: str, step: int
    ) -> Integrated:
        wanted = [gap.term for gap in self._gaps.open()]
        about = [
            d
            for d in result.documents
            if Stems.of(d.title, d.text).about(goal.terms)
            or any(explains(d.title, term) for term in wanted)
        ]
        kept = [self._items.add(d, tool=spec.name, at=at, step=step) for d in about]
        new = sum(fresh and not item.document.withdrawn for item, fresh in kept)
        others = len(result.documents) - len(about)
        message = f"{len(result.documents)} found: {new} new, {len(about) - new} known"
        message += f", {others} about something else" if others else ""
        reward = new * self._rewards.new_item if new else self._rewards.failed_search
        return Integrated(new, tuple(item.ref for item, _ in kept), (), message, reward)

    def _readings(self, result: ToolResult, step: int) -> Integrated:
        refs = []
        for reading in result.readings:
            item = self._items.get(reading.ref)
            if item is None:
                continue
            self._items.mark_read(reading, step)
            refs.append(item.ref)
            named = [*reading.terms, *reading.references, *item.document.references]
            self._gaps.note(named, self._items.explained, step)
            self._gaps.close([item.document.title], step)
        message = f"{sum(len(r.sentences) for r in result.readings)} key sentences"
        return Integrated(0, tuple(refs), tuple(refs), message, self._rewards.read * len(refs))

    def _notes(self, result: ToolResult, spec: ToolSpec, *, at: str, step: int) -> Integrated:
        notes = [document for document in result.documents if document.source in NOTES]
        kept = [self._items.add(d, tool=spec.name, at=at, step=step)[0] for d in notes]
        reward = self._rewards.note if kept else 0.0
        return Integrated(0, tuple(i.ref for i in kept), (), result.message or "noted", reward)


def told(text: str, digest: str) -> Document:
    """Return what a person said as a document."""
    title = text.split(". ", 1)[0][:120]
    return Document(source="told", identifier=digest[:16], title=title, text=text)
