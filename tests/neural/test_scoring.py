"""Scores of sequences, against numpy in float64."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from aegis.neural import masked_log_softmax, normalised, sequence_scores, token_log_probabilities

_SCORES = st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=24)


@given(values=_SCORES)
def test_normalised_scores_sum_to_one_in_float64(values):
    result = normalised(torch.tensor(values))

    assert result.dtype == np.float64
    assert abs(np.logaddexp.reduce(result)) < 1e-9
    np.testing.assert_allclose(
        np.diff(result), np.diff(np.float32(values).astype(np.float64)), atol=1e-6
    )


def test_token_log_probabilities_are_those_of_a_softmax():
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(3, 5, 11)), rng.integers(0, 11, size=(3, 5))
    expected = np.log(np.exp(logits) / np.exp(logits).sum(-1, keepdims=True))
    taken = np.take_along_axis(expected, targets[..., None], -1)[..., 0]

    found = token_log_probabilities(torch.tensor(logits), torch.tensor(targets))
    np.testing.assert_allclose(found.numpy(), taken, atol=1e-12)


def test_padding_counts_in_neither_the_mean_nor_the_sum():
    values = torch.tensor([[-1.0, -3.0, -torch.inf], [-2.0, -4.0, -6.0]])
    mask = torch.tensor([[True, True, False], [True, True, True]])

    assert sequence_scores(values, mask).tolist() == [-2.0, -4.0]
    assert sequence_scores(values, mask, "sum").tolist() == [-4.0, -12.0]


def test_a_masked_row_is_normalised_over_what_it_has():
    scores = torch.tensor([[0.0, 0.0, 9.0], [1.0, 1.0, 1.0]], requires_grad=True)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    rows = masked_log_softmax(scores, mask)

    assert rows.exp().sum(-1).tolist() == pytest.approx([1.0, 1.0])
    assert rows[0, 2].item() == -torch.inf
    rows[0, 0].backward()
    assert scores.grad.tolist() == [[0.5, -0.5, 0.0], [0.0, 0.0, 0.0]]
