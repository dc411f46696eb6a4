"""What the package offers."""

from __future__ import annotations

import subprocess
import sys

import aegis
import aegis.neural
import aegis.testing


def test_the_public_names_are_these():
    assert aegis.neural.__all__ == [
        "Attempt",
        "Average",
        "Choice",
        "ChoiceItem",
        "Choices",
        "FileTokenizer",
        "Header",
        "Kept",
        "Learner",
        "LeftOut",
        "Losses",
        "Measured",
        "ModuleLearner",
        "OBJECTIVES",
        "Progress",
        "Reduction",
        "RunSettings",
        "TensorFacts",
        "TextItem",
        "TokenizerFacts",
        "TorchEngine",
        "TrainedInPlace",
        "TrainingExample",
        "TrainingRun",
        "UNPAID",
        "Weighed",
        "Weighting",
        "about_tokens",
        "adopt",
        "as_torch_engine",
        "choices",
        "derived_seed",
        "evaluation_steps",
        "facts_from",
        "is_demonstration",
        "left_out_figures",
        "load_state",
        "masked_log_softmax",
        "no_examples",
        "normalised",
        "rate_factor",
        "read_header",
        "read_headers",
        "read_tokenizer_facts",
        "sample_density",
        "save_bytes",
        "save_json",
        "save_state",
        "save_tensors",
        "select_device",
        "sequence_scores",
        "token_log_probabilities",
        "tokenizer_capabilities",
        "train_in_place",
        "train_module",
        "use_threads",
        "weigh",
    ]


def test_every_public_name_can_be_imported():
    for name in aegis.neural.__all__:
        assert getattr(aegis.neural, name) is not None


def test_what_needs_no_torch_is_imported_without_it():
    code = """
import sys
from aegis.neural import (
    FileTokenizer, Header, Learner, Losses, RunSettings, Weighting, derived_seed, rate_factor,
    read_tokenizer_facts, save_tensors
)
from aegis.neural.batches import batches
print([name for name in ("torch", "numpy", "safetensors", "tokenizers") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_no_public_name_is_that_of_a_module():
    """A module that is imported would take the name's place, and which one is seen hang on the order."""
    import pkgutil

    for package in (aegis, aegis.neural, aegis.testing):
        modules = {found.name for found in pkgutil.iter_modules(package.__path__)}
        assert not modules & set(package.__all__), package
