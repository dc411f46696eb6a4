"""Actions: the candidates among which every decision is a choice."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, field, frozen

from aegis.contracts.text import escape, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

SLOT_MARK: Final = "…"
"""What stands in a candidate's text for an argument that the engine will write."""


@frozen
class Action:
    """One legal, fully specified action: a tool's name and its arguments.

    Attributes:
        tool: Name of the tool (or of the environment's own action).
        arguments: The arguments, JSON values.
        slot: Name of the one free-text argument that is left for the engine to write, or None.
        about: What the arguments refer to in words, such as a document's title. From outside,
            therefore never trusted, and no part of the action's identity.
        signals: Small integers that tell candidates apart (rank, bucket of a term match). Every
            engine gets the same ones: a rule reads them as numbers, a language model as text.
    """

    tool: str
    arguments: Mapping[str, Any] = field(factory=dict)
    slot: str | None = None
    about: str = ""
    signals: Mapping[str, int] = field(factory=dict)

    def render(self) -> str:
        """Return the candidate's canonical text, one line."""
        words = [self.tool]
        shown = self._shown
        if self.slot is not None:
            shown = f"{shown} {SLOT_MARK}".lstrip()
        if shown:
            words.append(escape(shown))
        words += [f"{name}={value}" for name, value in self.signals.items()]
        return " ".join(words)

    def shortened(self, characters: int) -> Action:
        """Return the action described in at most `characters`, as far as its signals allow.

        Only what it is about is cut: the call and its identity stay as they are.
        """
        action, shown = self, self._shown
        while (excess := len(action.render()) - characters) > 0 and len(shown) > 1:
            shown = one_line(shown, max(1, len(shown) - excess))
            action = evolve(self, about=shown)
        return action

    @property
    def _shown(self) -> str:
        return self.about or " ".join(_plain(value) for value in self.arguments.values())

    @property
    def key(self) -> str:
        """The identity of the call: sha256 of the tool and its arguments, in hexadecimal."""
        call = json.dumps([self.tool, dict(self.arguments), self.slot], sort_keys=True)
        return hashlib.sha256(call.encode("ascii")).hexdigest()

    def filled(self, text: str) -> Action:
        """Return the action with `text` in its slot."""
        if self.slot is None:
            raise ValueError(f"{self.tool} has no open slot")
        return evolve(self, arguments={**self.arguments, self.slot: text}, slot=None)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
