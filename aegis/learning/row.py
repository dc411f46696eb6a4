"""One step on its way into a dataset, and why a step by itself cannot be learned from."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

from aegis.learning.returns import Went, returns_to_go

if TYPE_CHECKING:
    from aegis.contracts.action import Action
    from aegis.contracts.experience import Decision, Experience

NO_RESULT: Final = "no result: the step is only an intent"
NOTHING: Final = "no recorded choice and no text: nothing to learn"
NO_CHOICE: Final = "one candidate and no text: there was no choice"
OTHER_RULES: Final = "recorded under other rules of its environment"
NEEDS_CANDIDATES: Final = "no candidates, which the trainer needs"

_compact: Final = json.JSONEncoder(separators=(",", ":")).encode


@define(eq=False)
class Episode:
    """An episode as far as the selection shows it.

    Attributes:
        key: What it is split by (`aegis.learning.splitting`).
        rewards: Of its settled steps, in order.
        ended: Whether its last settled step ended it.
        returns: Return-to-go of each of them, once `close` was called.
    """

    key: str
    rewards: list[float] = field(factory=list)
    ended: bool = False
    returns: list[float] = field(factory=list)

    def close(self, discount: float) -> None:
        """Compute the returns: over all of its steps, whichever will be left out."""
        self.returns = returns_to_go(self.rewards, discount)


@frozen(eq=False)
class Row:
    """One settled step.

    Attributes:
        experience: The step.
        episode: Its episode.
        place: Its place among the settled steps of its episode, from 0.
        question: Digest of what was asked: the view and the candidates.
        content: Digest of question and answer: the choice and the text as well.
    """

    experience: Experience
    episode: Episode
    place: int
    question: bytes
    content: bytes

    @classmethod
    def of(cls, experience: Experience, episode: Episode, place: int) -> Row:
        """Return the row of a step; equal digests are equal contents."""
        decision = experience.decision
        shown = [_parts(action) for action in decision.candidates]
        asked = f"{experience.view.render()}\n{_compact(shown)}"
        question = hashlib.sha256(asked.encode("utf-8")).digest()
        # What was chosen is its place; only where there is none the action says it.
        action = decision.action if decision.chosen is None else None
        answer = [decision.chosen, action and _parts(action), decision.text]
        content = hashlib.sha256(question + _compact(answer).encode("ascii")).digest()
        return cls(experience, episode, place, question, content)

    @property
    def went(self) -> Went:
        """How it went from here on."""
        step, episode = self.experience, self.episode
        return Went(step.environment, step.index, episode.returns[self.place], episode.ended)

    @property
    def decides(self) -> bool:
        """Whether a choice among several candidates is recorded."""
        return has_choice(self.experience.decision)

    @property
    def tool(self) -> str | None:
        """The tool of the action taken, or None where it is not known."""
        action = self.experience.decision.action
        return None if action is None else action.tool


def has_choice(decision: Decision) -> bool:
    """Return whether it is recorded which of several candidates was taken."""
    return decision.chosen is not None and len(decision.candidates) > 1


def has_text(decision: Decision) -> bool:
    """Return whether words were written, and it is known into what.

    That is the slot of the candidate taken; where no candidates are recorded, the action.
    """
    if not (decision.text and decision.text.strip()):
        return False
    if decision.candidates:
        return decision.chosen is not None and decision.candidates[decision.chosen].slot is not None
    return decision.action is not None


def refusal(
    experience: Experience, *, needs_candidates: bool, rules: str | None = None
) -> str | None:
    """Return why nothing can be learned from a step by itself, or None.

    Args:
        experience: The step.
        needs_candidates: Whether the trainer learns from nothing but choices among candidates.
        rules: Name and version of the environment that is learned for; None for any.
    """
    decision = experience.decision
    if rules is not None and experience.rules != rules:
        return OTHER_RULES
    if experience.outcome is None or experience.reward is None:
        return NO_RESULT
    if not has_choice(decision) and not has_text(decision):
        return NOTHING if decision.chosen is None else NO_CHOICE
    if needs_candidates and not decision.candidates:
        return NEEDS_CANDIDATES
    return None


def _parts(action: Action) -> list[object]:
    return [
        action.tool,
        dict(action.arguments),
        action.slot,
        action.about,
        dict(action.signals),
    ]
