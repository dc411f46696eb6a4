"""From the logits of tokens to one normalised log-probability a candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

if TYPE_CHECKING:
    from aegis.contracts.scores import Scores

Reduction = Literal["mean", "sum"]


def token_log_probabilities(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the log-probability of each target token.

    Args:
        logits: Unnormalised scores of the vocabulary, (..., V).
        targets: Token ids, (...).

    Returns:
        Log-probabilities, (...), without a tensor of the vocabulary's size being normalised.
    """
    taken = logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1)  # (...)
    return taken - logits.logsumexp(-1)


def sequence_scores(
    log_probabilities: torch.Tensor, mask: torch.Tensor, reduction: Reduction = "mean"
) -> torch.Tensor:
    """Return one score a sequence from the log-probabilities of its tokens.

    The mean is the default because a sum favours whatever is short.

    Args:
        log_probabilities: Of each token, (N, L).
        mask: True where there is a token, (N, L); at least one a row.
        reduction: ``mean`` over the tokens, or their ``sum``.

    Returns:
        Scores, (N,).
    """
    total = torch.where(mask, log_probabilities, 0.0).sum(-1)
    return total / mask.sum(-1) if reduction == "mean" else total


def masked_log_softmax(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return scores normalised over the entries that the mask allows, -inf elsewhere.

    Args:
        scores: (..., C), finite where the mask is true.
        mask: True where an entry counts, (..., C); at least one a row.
    """
    return torch.log_softmax(scores.masked_fill(~mask, -torch.inf), dim=-1)


def normalised(scores: torch.Tensor) -> Scores:
    """Return scores (n,) as float64 log-probabilities with logsumexp 0 to rounding of float64."""
    values: Scores = scores.detach().cpu().numpy().astype(np.float64)
    shifted = values - values.max()
    result: Scores = shifted - np.log(np.exp(shifted).sum())
    return result
