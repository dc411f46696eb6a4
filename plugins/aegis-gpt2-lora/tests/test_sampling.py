"""Drawing tokens: from the right distribution, among what is allowed."""

from __future__ import annotations

import math

import pytest
import torch

from aegis_gpt2_lora.sampling import sampled


def test_tokens_are_drawn_as_often_as_they_are_probable():
    logits = torch.tensor([2.0, 0.0, 5.0, 1.0])
    allowed = torch.tensor([True, True, False, True])
    generator = torch.Generator().manual_seed(0)
    weights = [math.exp(2 / 0.7), 1.0, 0.0, math.exp(1 / 0.7)]
    shares = [weight / sum(weights) for weight in weights]

    drawn = [sampled(logits, allowed, 0.7, generator) for _ in range(4000)]

    counts = [sum(token == i for token, _ in drawn) for i in range(4)]
    assert counts[2] == 0
    for count, share in zip(counts, shares, strict=True):
        assert abs(count - 4000 * share) <= 4 * math.sqrt(4000 * share * (1 - share))
    for token, value in drawn[:50]:
        assert value == pytest.approx(math.log(shares[token]), abs=1e-6)


def test_a_token_that_is_refused_is_never_drawn_at_the_ends_either():
    logits = torch.zeros(1000)
    allowed = torch.zeros(1000, dtype=torch.bool)
    allowed[500] = True

    for seed in range(200):
        generator = torch.Generator().manual_seed(seed)
        assert sampled(logits, allowed, 1.0, generator) == (500, 0.0)


def test_the_scores_are_left_as_they_were():
    logits = torch.tensor([1.0, 2.0])
    sampled(logits, torch.tensor([True, False]), 1.0, torch.Generator().manual_seed(0))

    assert logits.tolist() == [1.0, 2.0]
