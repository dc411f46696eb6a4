"""The role of an engine whose weights are a torch module: what torch trainers build on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from attrs import frozen

from aegis.contracts.roles import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from aegis.contracts.action import Action
    from aegis.contracts.roles import Tokenizer
    from aegis.contracts.view import View

    ChoiceItem = tuple[View, Sequence[Action]]
else:
    ChoiceItem = tuple

Item = TypeVar("Item")


@frozen
class TextItem:
    """Text that was written into the slot of an action.

    Attributes:
        view: What the engine was shown.
        action: The action with its slot still open.
        text: What was written into the slot.
    """

    view: View
    action: Action
    text: str


class TorchEngine(Engine, Protocol):
    """An engine with a module that a trainer may change in place.

    A trainer optimises exactly what is served: ``log_probabilities`` is ``score`` with a graph.
    It may wrap submodules of `module` (adapters), as long as they stay callable alike.

    Attributes:
        module: The weights, in evaluation mode unless a trainer says otherwise.
        tokenizer: What turns views into the ids that the module sees.
    """

    module: torch.nn.Module
    tokenizer: Tokenizer

    def log_probabilities(self, items: Sequence[ChoiceItem]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return differentiable log-probabilities of the candidates and their mask.

        Args:
            items: Views with their candidates, B of them with at most C candidates.

        Returns:
            Log-probabilities (B, C), each row normalised over its candidates and -inf where the
            mask is false; and the mask (B, C), true where there is a candidate.
        """
        ...

    def text_log_probabilities(self, items: Sequence[TextItem]) -> torch.Tensor:
        """Return differentiable log-probabilities of written texts, (B,), as `write` reports."""
        ...

    def action_log_probabilities(self, items: Sequence[tuple[View, Action]]) -> torch.Tensor:
        """Return differentiable log-probabilities of whole actions as text, (B,).

        Each is the mean over the tokens of the action. This is how experience that was recorded
        without candidates is judged. Optional: an engine may come without this method.
        """
        ...


def numbers(
    measure: Callable[[Sequence[Item]], torch.Tensor], items: Sequence[Item]
) -> list[float]:
    """Return what a differentiable measure of a `TorchEngine` gives, without a graph.

    Args:
        measure: Such as ``engine.text_log_probabilities``; returns (B,).
        items: What it is given, B of them.
    """
    import torch

    with torch.inference_mode():
        values: list[float] = measure(items).double().tolist()
    return values
