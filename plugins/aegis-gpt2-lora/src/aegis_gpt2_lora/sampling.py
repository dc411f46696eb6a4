"""Drawing one token."""

from __future__ import annotations

import torch


def sampled(
    logits: torch.Tensor, allowed: torch.Tensor, temperature: float, generator: torch.Generator
) -> tuple[int, float]:
    """Return a token drawn among those that are allowed, and its log-probability.

    By inverting the cumulative distribution: one random number a token. ``torch.multinomial``
    draws one for every entry of the vocabulary, which takes a millisecond at 50,257.

    Args:
        logits: Unnormalised scores, (V,), on any device.
        allowed: Which ids may be drawn, (V,), at least one of them, on the CPU.
        temperature: What the scores are divided by.
        generator: A generator of the CPU.
    """
    scaled = (logits.detach().cpu() / temperature).masked_fill_(~allowed, -torch.inf)
    normaliser = scaled.logsumexp(-1)
    reached = (scaled - normaliser).exp_().cumsum(-1, dtype=torch.float64)  # (V,)
    # In (0, total]: the first entry that reaches it has a probability above 0.
    share = 1 - torch.rand((), generator=generator, dtype=torch.float64)
    token = int(torch.searchsorted(reached, share * reached[-1]))
    return token, float(scaled[token] - normaliser)
