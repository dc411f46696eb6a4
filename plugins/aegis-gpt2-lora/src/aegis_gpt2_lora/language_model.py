"""What the engine asks of a causal language model, whatever its architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

if TYPE_CHECKING:
    from pathlib import Path

    import torch


@frozen(eq=False)
class Prefix:
    """A text that was read, and what the model keeps of it.

    Attributes:
        ids: Its token ids, (T,).
        memory: Keys and values by layer, in the model's own form; never changed in place.
        logits: Of the token that follows, (V,).
    """

    ids: torch.Tensor
    memory: Any
    logits: torch.Tensor


class LanguageModel(Protocol):
    """A causal language model that reads a prefix once and goes on from it in many ways."""

    @property
    def module(self) -> torch.nn.Module:
        """The weights."""
        ...

    def read(self, ids: torch.Tensor, after: Prefix | None = None) -> Prefix:
        """Return the prefix `after` (or nothing) with token ids (T,) added, T at least 1."""
        ...

    def branch(self, prefix: Prefix, ids: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Return logits along several continuations of one prefix.

        Args:
            prefix: What all of them begin with.
            ids: Continuations padded on the right with any id, (N, L), L at least 1.
            real: Where there is a token and no padding, boolean (N, L), M of them true.

        Returns:
            Logits of the token that follows each real one, (M, V), row by row.
        """
        ...

    def save(self, directory: Path) -> None:
        """Write config.json and the weights, so that the same model can be opened again."""
        ...
