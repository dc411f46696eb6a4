"""The losses: of tokens under StableMax or softmax, and of the two Q values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import torch
from torch.nn import functional as F  # noqa: N812 - the field's name for it

if TYPE_CHECKING:
    from aegis_hrm.model.halting import Segment

IGNORED: Final = -100
"""Label of a position that trains nothing."""

Kind = Literal["stablemax", "softmax"]


class Losses(NamedTuple):
    """Sums over a batch, with a graph.

    Attributes:
        tokens: Mean loss of each sequence's labelled tokens, summed.
        halt: Binary cross-entropy of q_halt against "all labelled tokens are right".
        proceed: The same of q_continue against its target; 0 where it is not trained.
        total: tokens + (halt + proceed) / 2.
    """

    tokens: torch.Tensor
    halt: torch.Tensor
    proceed: torch.Tensor
    total: torch.Tensor


class Figures(NamedTuple):
    """Sums over the sequences that halted and have labels.

    Attributes:
        number: How many they are.
        accuracy: Share of right tokens of each, summed.
        exact: How many are right throughout.
        halting: Of how many q_halt says rightly whether they are.
        steps: Their segments.
    """

    number: torch.Tensor
    accuracy: torch.Tensor
    exact: torch.Tensor
    halting: torch.Tensor
    steps: torch.Tensor


def log_stablemax(logits: torch.Tensor) -> torch.Tensor:
    """Return log-probabilities under StableMax (arXiv 2501.04697), in float64 where there is that.

    p_i = s(x_i) / sum_j s(x_j), with s(x) = x + 1 for x >= 0 and 1 / (1 - x) below.
    """
    x = logits.float() if logits.device.type == "mps" else logits.double()
    grown = torch.where(x < 0, 1 / (1 - x.clamp(max=0)), x.clamp(min=0) + 1)
    return torch.log(grown / grown.sum(-1, keepdim=True))


def token_losses(logits: torch.Tensor, labels: torch.Tensor, kind: Kind) -> torch.Tensor:
    """Return the cross-entropy of each token, (...), 0 where it is ignored.

    Args:
        logits: (..., V).
        labels: (...), `IGNORED` where nothing is trained.
        kind: ``stablemax`` or ``softmax``.
    """
    kept = labels != IGNORED
    softmax = kind == "softmax"
    logs = torch.log_softmax(logits.float(), dim=-1) if softmax else log_stablemax(logits)
    taken = logs.gather(-1, torch.where(kept, labels, 0).long().unsqueeze(-1)).squeeze(-1)
    return torch.where(kept, -taken, 0)


def losses(found: Segment, kind: Kind) -> Losses:
    """Return the losses of one segment (arXiv 2506.21734, 2.3), sums over the batch."""
    answer, labels = found.answer, found.carry.data.labels
    per_token = token_losses(answer.logits, labels, kind)
    tokens = (per_token / (labels != IGNORED).sum(-1).clamp(min=1).unsqueeze(-1)).sum()
    right = _right(answer.logits, labels)[1].to(answer.q_halt.dtype)
    halt = F.binary_cross_entropy_with_logits(answer.q_halt, right, reduction="sum")
    proceed = halt.new_zeros(())
    if found.target_continue is not None:
        proceed = F.binary_cross_entropy_with_logits(
            answer.q_continue, found.target_continue, reduction="sum"
        )
    return Losses(tokens, halt, proceed, tokens + (halt + proceed) / 2)


def figures(found: Segment) -> Figures:
    """Return how good the sequences are that have halted."""
    carry, answer = found.carry, found.answer
    labelled = (carry.data.labels != IGNORED).sum(-1)
    tokens, whole = _right(answer.logits, carry.data.labels)
    counted = carry.halted & (labelled > 0)
    share = tokens.sum(-1).float() / labelled.clamp(min=1)
    return Figures(
        counted.sum(),
        torch.where(counted, share, 0).sum(),
        (counted & whole).sum(),
        (counted & ((answer.q_halt >= 0) == whole)).sum(),
        torch.where(counted, carry.steps, 0).sum(),
    )


def _right(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which labelled tokens are right, (B, S), and which sequences throughout, (B,).

    A sequence without labels counts as right.
    """
    labelled = labels != IGNORED
    right = labelled & (logits.argmax(-1) == labels)
    return right, right.sum(-1) == labelled.sum(-1)
