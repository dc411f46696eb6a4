"""What plugins with torch engines and trainers share.

Of engines: the role, scoring, devices, tokenizers, safetensors headers. Of trainers: what steps
count, and the loop of a training with all that belongs to it.

Names are imported when they are first used: reading a safetensors header needs no torch.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aegis.neural.averaging import Average as Average
    from aegis.neural.choice_examples import Choice as Choice
    from aegis.neural.choice_examples import Choices as Choices
    from aegis.neural.choice_examples import about_tokens as about_tokens
    from aegis.neural.choice_examples import choices as choices
    from aegis.neural.device import select_device as select_device
    from aegis.neural.device import use_threads as use_threads
    from aegis.neural.learner import Attempt as Attempt
    from aegis.neural.learner import Learner as Learner
    from aegis.neural.learner import Losses as Losses
    from aegis.neural.learner import TrainingExample as TrainingExample
    from aegis.neural.module_learner import ModuleLearner as ModuleLearner
    from aegis.neural.module_training import TrainedInPlace as TrainedInPlace
    from aegis.neural.module_training import as_torch_engine as as_torch_engine
    from aegis.neural.module_training import train_in_place as train_in_place
    from aegis.neural.module_training import train_module as train_module
    from aegis.neural.run_settings import RunSettings as RunSettings
    from aegis.neural.safetensors_header import Header as Header
    from aegis.neural.safetensors_header import TensorFacts as TensorFacts
    from aegis.neural.safetensors_header import read_header as read_header
    from aegis.neural.safetensors_header import read_headers as read_headers
    from aegis.neural.saving import adopt as adopt
    from aegis.neural.saving import save_bytes as save_bytes
    from aegis.neural.saving import save_json as save_json
    from aegis.neural.saving import save_tensors as save_tensors
    from aegis.neural.schedule import evaluation_steps as evaluation_steps
    from aegis.neural.schedule import rate_factor as rate_factor
    from aegis.neural.scoring import Reduction as Reduction
    from aegis.neural.scoring import masked_log_softmax as masked_log_softmax
    from aegis.neural.scoring import normalised as normalised
    from aegis.neural.scoring import sequence_scores as sequence_scores
    from aegis.neural.scoring import token_log_probabilities as token_log_probabilities
    from aegis.neural.seeds import derived_seed as derived_seed
    from aegis.neural.tokenizer_facts import TokenizerFacts as TokenizerFacts
    from aegis.neural.tokenizer_facts import facts_from as facts_from
    from aegis.neural.tokenizer_facts import read_tokenizer_facts as read_tokenizer_facts
    from aegis.neural.tokenizer_facts import tokenizer_capabilities as tokenizer_capabilities
    from aegis.neural.tokenizer_file import FileTokenizer as FileTokenizer
    from aegis.neural.torch_engine import ChoiceItem as ChoiceItem
    from aegis.neural.torch_engine import TextItem as TextItem
    from aegis.neural.torch_engine import TorchEngine as TorchEngine
    from aegis.neural.training_run import TrainingRun as TrainingRun
    from aegis.neural.training_state import Kept as Kept
    from aegis.neural.training_state import Measured as Measured
    from aegis.neural.training_state import Progress as Progress
    from aegis.neural.training_state import load_state as load_state
    from aegis.neural.training_state import save_state as save_state
    from aegis.neural.view_density import sample_density as sample_density
    from aegis.neural.weighting import OBJECTIVES as OBJECTIVES
    from aegis.neural.weighting import UNPAID as UNPAID
    from aegis.neural.weighting import LeftOut as LeftOut
    from aegis.neural.weighting import Weighed as Weighed
    from aegis.neural.weighting import Weighting as Weighting
    from aegis.neural.weighting import is_demonstration as is_demonstration
    from aegis.neural.weighting import left_out_figures as left_out_figures
    from aegis.neural.weighting import no_examples as no_examples
    from aegis.neural.weighting import weigh as weigh

# Read when torch is loaded: how often a thread looks again before it sleeps while it waits for
# others (GNU OpenMP). By default it looks 300,000 times, and then processes that share the cores,
# such as an agent and a training beside it, come to a standstill.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

_HOME: Final = {
    "averaging": ("Average",),
    "choice_examples": ("Choice", "Choices", "about_tokens", "choices"),
    "device": ("select_device", "use_threads"),
    "learner": ("Attempt", "Learner", "Losses", "TrainingExample"),
    "module_learner": ("ModuleLearner",),
    "module_training": ("TrainedInPlace", "as_torch_engine", "train_in_place", "train_module"),
    "run_settings": ("RunSettings",),
    "safetensors_header": ("Header", "TensorFacts", "read_header", "read_headers"),
    "saving": ("adopt", "save_bytes", "save_json", "save_tensors"),
    "schedule": ("evaluation_steps", "rate_factor"),
    "scoring": (
        "Reduction",
        "masked_log_softmax",
        "normalised",
        "sequence_scores",
        "token_log_probabilities",
    ),
    "seeds": ("derived_seed",),
    "tokenizer_facts": (
        "TokenizerFacts",
        "facts_from",
        "read_tokenizer_facts",
        "tokenizer_capabilities",
    ),
    "tokenizer_file": ("FileTokenizer",),
    "torch_engine": ("ChoiceItem", "TextItem", "TorchEngine"),
    "training_run": ("TrainingRun",),
    "training_state": ("Kept", "Measured", "Progress", "load_state", "save_state"),
    "view_density": ("sample_density",),
    "weighting": (
        "LeftOut",
        "OBJECTIVES",
        "UNPAID",
        "Weighed",
        "Weighting",
        "is_demonstration",
        "left_out_figures",
        "no_examples",
        "weigh",
    ),
}
_MODULE_OF: Final = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted(_MODULE_OF)  # noqa: PLE0605 - every item is a string, made from the table above


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        from aegis.deprecations import deprecated

        return deprecated("aegis.neural", name)
    value = getattr(importlib.import_module(f"aegis.neural.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
