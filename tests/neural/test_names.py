"""What the package offers."""

from __future__ import annotations

import aegis.neural


def test_the_public_names_are_these():
    assert aegis.neural.__all__ == [
        "ChoiceItem",
        "Header",
        "TensorFacts",
        "TextItem",
        "TorchEngine",
        "masked_log_softmax",
        "normalised",
        "read_header",
        "read_headers",
        "select_device",
        "sequence_scores",
        "token_log_probabilities",
        "use_threads",
    ]


def test_every_public_name_can_be_imported():
    for name in aegis.neural.__all__:
        assert getattr(aegis.neural, name) is not None
