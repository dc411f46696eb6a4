"""What the engine asks of a causal language model, whatever its architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch
from attrs import frozen

from aegis.neural import token_log_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    Branches = Sequence[Sequence[int]]


@frozen(eq=False)
class Prefix:
    """A text that was read, and what the model keeps of it.

    Attributes:
        ids: Its token ids.
        memory: Keys and values by layer, in the model's own form.
        logits: Of the token that follows, (V,).
    """

    ids: tuple[int, ...]
    memory: Any
    logits: torch.Tensor


class LanguageModel(Protocol):
    """A causal language model that reads a prefix once and goes on from it in many ways.

    Where gradients are enabled everything has a graph. Where they are not a model may keep all
    that it reads in one place: reading after a prefix ends what was read after it before.
    """

    @property
    def module(self) -> torch.nn.Module:
        """The weights."""
        ...

    def renew(self) -> None:
        """Look at the module again, whose weights were changed, exchanged or wrapped.

        Everything that was read before is void.
        """
        ...

    def read(self, ids: Sequence[int], after: Prefix | None = None) -> Prefix:
        """Return the prefix `after` (or nothing) with token ids added, at least one."""
        ...

    def branch(self, prefix: Prefix, branches: Branches) -> torch.Tensor:
        """Return logits along several continuations of one prefix.

        Args:
            prefix: What all of them begin with.
            branches: Token ids, at least one each, M in all.

        Returns:
            Logits of the token that follows each one, (M, V), branch by branch.
        """
        ...

    def consider(
        self, ids: Sequence[int], branches: Branches, after: Prefix | None = None
    ) -> tuple[Prefix, list[torch.Tensor]]:
        """Return the prefix `after` with ids added, and how probable what may follow it is.

        The prefix is the same to the last bit whatever the branches are.

        Args:
            ids: At least one.
            branches: Token ids, at least one each; there may be none of them.
            after: What stands before.

        Returns:
            The prefix, and the log-probabilities of each branch's tokens, (L,).
        """
        ...

    def batch(
        self, items: Sequence[tuple[Sequence[int], Branches]], after: Prefix | None = None
    ) -> list[list[torch.Tensor]]:
        """Return the log-probabilities of the branches of several texts, to rounding.

        Args:
            items: Texts and their branches.
            after: What stands before all texts.
        """
        ...

    def save(self, directory: Path) -> None:
        """Write config.json and the weights, so that the same model can be opened again."""
        ...


def along(model: LanguageModel, prefix: Prefix, branches: Branches) -> list[torch.Tensor]:
    """Return log-probabilities of the tokens of branches, (L,) each, from `branch`."""
    if not branches:
        return []
    device = prefix.logits.device
    firsts = torch.tensor([branch[0] for branch in branches], device=device)
    first = prefix.logits[firsts] - prefix.logits.logsumexp(-1)  # (C,)
    longer = [branch for branch in branches if len(branch) > 1]
    if not longer:
        return list(first[:, None])
    logits = model.branch(prefix, [branch[:-1] for branch in longer])  # (M, V)
    targets = torch.tensor([token for branch in longer for token in branch[1:]], device=device)
    values = token_log_probabilities(logits, targets)
    rest = iter(torch.split(values, [len(branch) - 1 for branch in longer]))
    return [
        torch.cat([start[None], next(rest)]) if len(branch) > 1 else start[None]
        for start, branch in zip(first, branches, strict=True)
    ]
