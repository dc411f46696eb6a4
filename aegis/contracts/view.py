"""The view: what an engine is shown at one step.

Structured data with one canonical text rendering. ``View.parse(view.render()) == view`` for every
view, whatever its texts hold: text from outside can fill a line but cannot open a new one.

    goal: Understand low-rank adaptation
    missing: rank | adapter
    facts: Low-rank adaptation freezes the weights and trains two thin matrices.
    knowledge: 17 Low-rank adaptation | 21 Adapter layers
    found: 30 Prefix tuning
    gaps: singular value decomposition
    recent: ok +3 search_library low-rank adaptation
    step: 4/40

What changes least comes first, so that an engine can keep the beginning in a cache.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from attrs import field, frozen

from aegis.contracts.text import BAR, escape, unescape
from aegis.errors import InputError

_REF: Final = re.compile(r"[^\s|\\]{1,128}")


def _ref(_: object, __: object, value: str) -> None:
    if not _REF.fullmatch(value):
        raise ValueError(f"a reference is one word without bars, not {value!r}")


@frozen
class Seen:
    """A document in the view: a short reference that tools accept, and its title."""

    ref: str = field(validator=_ref)
    title: str


@frozen
class Recent:
    """One earlier step of this episode: what was done, how it went, items gained."""

    action: str
    status: str = field(validator=_ref)
    gained: int = 0


@frozen
class View:
    """What the engine is shown at one step.

    Attributes:
        goal: The goal, one sentence.
        step: Number of this step in its episode, from 1.
        limit: Steps that the episode has at most; 0 where there is no limit.
        missing: Terms of the goal that nothing covers yet.
        facts: Sentences retrieved from the knowledge for this goal.
        knowledge: Documents that were read.
        found: Documents that were found and not read yet.
        gaps: Terms that keep coming up and that nothing explains, strongest first.
        observation: What an environment shows besides; its own words, a line each.
        recent: The last steps of this episode, oldest first.
    """

    goal: str
    step: int = 1
    limit: int = 0
    missing: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    knowledge: tuple[Seen, ...] = ()
    found: tuple[Seen, ...] = ()
    gaps: tuple[str, ...] = ()
    observation: tuple[str, ...] = ()
    recent: tuple[Recent, ...] = ()

    def render(self) -> str:
        """Return the canonical text; the digest and every text engine use exactly this."""
        lines = [f"goal: {escape(self.goal)}"]
        for name in _TEXTS_FIRST:
            _add(lines, name, [escape(text) for text in getattr(self, name)])
        for name in _DOCUMENTS:
            _add(lines, name, [f"{seen.ref} {escape(seen.title)}" for seen in getattr(self, name)])
        for name in _TEXTS_LAST:
            _add(lines, name, [escape(text) for text in getattr(self, name)])
        _add(lines, "recent", [f"{r.status} {r.gained:+d} {escape(r.action)}" for r in self.recent])
        lines.append(f"step: {self.step}/{self.limit}")
        return "\n".join(lines)

    @classmethod
    def parse(cls, text: str) -> View:
        """Return the view that renders as `text`.

        Raises:
            InputError: If the text is not the rendering of a view.
        """
        try:
            view = cls._parse(text)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError.of(
                "view-malformed", f"not the rendering of a view: {error}"
            ) from error
        if view.render() != text:
            raise InputError.of("view-malformed", "not the canonical rendering of a view")
        return view

    @classmethod
    def _parse(cls, text: str) -> View:
        rows = [line.split(": ", 1) for line in text.split("\n")]
        raw = dict(rows)
        if len(raw) != len(rows):
            raise ValueError("a section occurs twice")
        step, limit = raw.pop("step").split("/")
        values: dict[str, object] = {"goal": unescape(raw.pop("goal"))}
        for key, value in raw.items():
            items = value.split(BAR)
            if key in _TEXTS_FIRST or key in _TEXTS_LAST:
                values[key] = tuple(unescape(item) for item in items)
            elif key in _DOCUMENTS:
                pairs = [item.split(" ", 1) for item in items]
                values[key] = tuple(Seen(ref, unescape(title)) for ref, title in pairs)
            elif key == "recent":
                triples = [item.split(" ", 2) for item in items]
                values[key] = tuple(Recent(unescape(a), s, int(g)) for s, g, a in triples)
            else:
                raise ValueError(f"unknown section {key!r}")
        return cls(step=int(step), limit=int(limit), **values)  # type: ignore[arg-type]  # checked by the round trip in parse

    @property
    def digest(self) -> str:
        """The sha256 of the rendering, in hexadecimal."""
        return hashlib.sha256(self.render().encode("utf-8")).hexdigest()


_TEXTS_FIRST: Final = ("missing", "facts")
_DOCUMENTS: Final = ("knowledge", "found")
_TEXTS_LAST: Final = ("gaps", "observation")


def _add(lines: list[str], name: str, items: list[str]) -> None:
    if items:
        lines.append(f"{name}: {BAR.join(items)}")
