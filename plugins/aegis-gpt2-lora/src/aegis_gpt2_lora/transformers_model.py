"""Any other causal language model, computed by transformers.

Only safetensors and JSON are read: no pickles, no code from a model's folder, no network.
"""

from __future__ import annotations

import copy
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from aegis.errors import ModelError
from aegis_gpt2_lora.language_model import Prefix
from aegis_gpt2_lora.saving import adopt

if TYPE_CHECKING:
    from aegis_gpt2_lora.model_folder import ModelFolder


class TransformersModel:
    """A causal language model of the transformers library.

    Args:
        module: A ``...ForCausalLM``.
    """

    def __init__(self, module: Any) -> None:
        self.module: Any = module

    @classmethod
    def open(cls, model: ModelFolder, device: torch.device) -> TransformersModel:
        """Return the model of a folder in float32.

        Raises:
            ModelError: If transformers cannot build or load it.
        """
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when the library is imported
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers' own
        try:
            module: Any = AutoModelForCausalLM.from_pretrained(
                model.folder,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
            )
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise ModelError.of(
                "model-unusable",
                f"transformers cannot load {model.folder}: {error}",
                fix="fetch or save the model again, or use another architecture",
            ) from error
        return cls(module.to(device).eval())

    def read(self, ids: torch.Tensor, after: Prefix | None = None) -> Prefix:
        """Return the prefix `after` with ids (T,) added.

        With gradients everything is read again: caches cannot be copied with their graph.
        """
        whole = ids if after is None else torch.cat([after.ids, ids])
        if after is None or torch.is_grad_enabled():
            given, memory = whole, None
        else:
            given, memory = ids, copy.deepcopy(after.memory)
        out = self.module(
            input_ids=given[None], past_key_values=memory, use_cache=True, logits_to_keep=1
        )
        return Prefix(whole, out.past_key_values, out.logits[0, -1])

    def branch(self, prefix: Prefix, ids: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Return logits (M, V) at the real positions of continuations (N, L).

        With gradients the prefix is read again in every row, as in `read`.
        """
        n, length = ids.shape
        if torch.is_grad_enabled():
            whole = torch.cat([prefix.ids.expand(n, -1), ids], dim=1)
            out = self.module(input_ids=whole, use_cache=False, logits_to_keep=length)
        else:
            memory = copy.deepcopy(prefix.memory)
            memory.batch_repeat_interleave(n)
            out = self.module(input_ids=ids, past_key_values=memory, use_cache=True)
        logits: torch.Tensor = out.logits[real]
        return logits

    def save(self, directory: Path) -> None:
        """Write config.json and the weights as safetensors."""
        with tempfile.TemporaryDirectory(dir=directory, prefix=".saving.") as name:
            self.module.save_pretrained(name)
            # The weights last: a folder without them is seen to be incomplete.
            for path in sorted(Path(name).iterdir(), key=lambda p: p.suffix == ".safetensors"):
                adopt(path, directory)
