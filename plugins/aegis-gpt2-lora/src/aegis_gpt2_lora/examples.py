"""From recorded steps to what is trained on: ids, targets and a weight each.

A step with candidates trains the choice that was made, and the text where one was written into the
chosen candidate's slot. A step without candidates (an import that recorded none) trains the text
of its whole action. Everything is encoded as the engine encodes it when it serves.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from attrs import frozen

from aegis.neural import LeftOut, Weighting, weigh
from aegis_gpt2_lora.packing import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aegis import Action, Experience, ExperienceDataset
    from aegis_gpt2_lora.engine import GptEngine
    from aegis_gpt2_lora.trainer_settings import AnySettings

UNUSABLE: Final = "nothing to train"


@frozen
class Choice:
    """A choice among candidates.

    Attributes:
        tree: The view, and the candidates as its branches.
        chosen: Which of them was taken.
    """

    tree: Tree
    chosen: int


@frozen
class Text:
    """A text to be made more probable.

    Attributes:
        tree: What stands before it, and the text as the one branch.
        constrained: Whether it is written into a slot, under the engine's constraints and
            temperature, rather than read as it stands.
    """

    tree: Tree
    constrained: bool


@frozen
class Example:
    """What one step trains.

    Attributes:
        weight: How much it counts; the mean over a data set is 1.
        choice: Its choice, or None.
        text: Its text, or None; one of the two is there.
    """

    weight: float
    choice: Choice | None
    text: Text | None

    @property
    def trees(self) -> tuple[Tree, ...]:
        """What has to be computed for it: the choice's tree, then the text's."""
        return tuple(part.tree for part in (self.choice, self.text) if part is not None)

    @property
    def tokens(self) -> int:
        """Tokens of its trees, prompts that they share counted for each."""
        return sum(len(t.prompt) + sum(len(b) for b in t.branches) for t in self.trees)


@frozen
class Examples:
    """The examples of a data set, in its order.

    Attributes:
        rows: The examples.
        scale: What weights of own steps were multiplied by to have mean 1.
        left_out: Steps that train nothing, by reason.
    """

    rows: tuple[Example, ...]
    scale: float
    left_out: Mapping[str, int]

    @property
    def digest(self) -> str:
        """The sha256 of everything that a training sees of them, in hexadecimal."""
        total = hashlib.sha256()
        for row in self.rows:
            chosen = None if row.choice is None else row.choice.chosen
            trees = [(tree.prompt, tree.branches) for tree in row.trees]
            total.update(repr((row.weight, chosen, row.text is not None, trees)).encode("ascii"))
        return total.hexdigest()


def examples_of(
    data: ExperienceDataset,
    engine: GptEngine,
    settings: AnySettings,
    scale: float | None = None,
) -> Examples:
    """Return what a data set trains under the configured objective.

    Args:
        data: Recorded steps.
        engine: Whose encoding and settings are used.
        settings: Objective, beta and the largest weight.
        scale: What weights are multiplied by; held-out steps get that of the training steps.
            None: what gives the weights of own steps mean 1.
    """
    weighting = Weighting(settings.objective, settings.beta, settings.weight_limit)
    found = weigh(data, weighting, lambda experience: _parts(experience, engine), scale)
    rows = tuple(Example(weight, *parts) for weight, parts in found.rows)
    return Examples(rows, found.scale, found.left_out)


def _parts(
    experience: Experience, engine: GptEngine
) -> tuple[Choice | None, Text | None] | LeftOut:
    choice, text = _choice(experience, engine), _text(experience, engine)
    return LeftOut(UNUSABLE) if choice is None and text is None else (choice, text)


def _choice(experience: Experience, engine: GptEngine) -> Choice | None:
    decision = experience.decision
    if decision.chosen is None or len(decision.candidates) < 2:
        return None
    encoding = engine.encoding
    branches = tuple(tuple(encoding.candidate(action)) for action in decision.candidates)
    return Choice(Tree(encoding.prompt(experience.view).ids, branches), decision.chosen)


def _text(experience: Experience, engine: GptEngine) -> Text | None:
    decision = experience.decision
    if not decision.candidates:
        return _whole_action(experience, decision.action, engine)
    if decision.chosen is None or not decision.text:
        return None
    action = decision.candidates[decision.chosen]
    return _slot(experience, action, decision.text, engine) if action.slot is not None else None


def _whole_action(experience: Experience, action: Action | None, engine: GptEngine) -> Text | None:
    if action is None:
        return None
    encoding = engine.encoding
    line = tuple(encoding.candidate(action))
    return Text(Tree(encoding.prompt(experience.view).ids, (line,)), constrained=False)


def _slot(experience: Experience, action: Action, text: str, engine: GptEngine) -> Text | None:
    """Return the text of a slot as the engine would have written it: no longer than its limit."""
    encoding, limit = engine.encoding, engine.settings.max_text_tokens
    ids = encoding.text(text)[:limit]
    if not ids:
        return None
    targets = ids if len(ids) == limit else [*ids, encoding.end]
    opening = encoding.opening(action, limit + 1)
    prompt = (*encoding.prompt(experience.view).ids, *opening)
    return Text(Tree(prompt, (tuple(targets),)), constrained=True)
