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

from aegis import ModelError
from aegis.neural import adopt
from aegis_gpt2_lora.language_model import Prefix, along

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis_gpt2_lora.language_model import Branches
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

    def renew(self) -> None:
        """Nothing is kept of the module."""

    def read(self, ids: Sequence[int], after: Prefix | None = None) -> Prefix:
        """Return the prefix `after` with ids added.

        With gradients everything is read again: caches cannot be copied with their graph.
        """
        whole = tuple(ids) if after is None else (*after.ids, *ids)
        if after is None or torch.is_grad_enabled():
            given, memory = whole, None
        else:
            given, memory = tuple(ids), _going_on(after)
        out = self.module(
            input_ids=self._tensor([given]),
            past_key_values=memory,
            use_cache=True,
            logits_to_keep=1,
        )
        return Prefix(whole, out.past_key_values, out.logits[0, -1])

    def branch(self, prefix: Prefix, branches: Branches) -> torch.Tensor:
        """Return logits (M, V) of what follows each token of continuations.

        With gradients the prefix is read again in every row, as in `read`.
        """
        n, length = len(branches), max(len(branch) for branch in branches)
        ids = self._tensor([[*branch, *[0] * (length - len(branch))] for branch in branches])
        real = torch.tensor([[i < len(branch) for i in range(length)] for branch in branches])
        if torch.is_grad_enabled():
            before = self._tensor(prefix.ids).expand(n, -1)
            whole = torch.cat([before, ids], dim=1)
            out = self.module(input_ids=whole, use_cache=False, logits_to_keep=length)
        else:
            memory = _copied(prefix)
            memory.batch_repeat_interleave(n)
            out = self.module(input_ids=ids, past_key_values=memory, use_cache=True)
        logits: torch.Tensor = out.logits[real.to(ids.device)]
        return logits

    def consider(
        self, ids: Sequence[int], branches: Branches, after: Prefix | None = None
    ) -> tuple[Prefix, list[torch.Tensor]]:
        """Return the prefix `after` with ids added, and the log-probabilities of branches, (L,)."""
        prefix = self.read(ids, after)
        return prefix, along(self, prefix, branches)

    def batch(
        self, items: Sequence[tuple[Sequence[int], Branches]], after: Prefix | None = None
    ) -> list[list[torch.Tensor]]:
        """Return the log-probabilities of the branches of several texts, one by one."""
        return [self.consider(ids, branches, after)[1] for ids, branches in items]

    def save(self, directory: Path) -> None:
        """Write config.json and the weights as safetensors."""
        with tempfile.TemporaryDirectory(dir=directory, prefix=".saving.") as name:
            self.module.save_pretrained(name)
            # The weights last: a folder without them is seen to be incomplete.
            for path in sorted(Path(name).iterdir(), key=lambda p: p.suffix == ".safetensors"):
                adopt(path, directory)

    def _tensor(self, ids: Any) -> torch.Tensor:
        return torch.tensor(ids, dtype=torch.long, device=self.module.device)


def _going_on(prefix: Prefix) -> Any:
    """Return a cache to go on from: the prefix's own where nothing was added to it yet."""
    return prefix.memory if _held(prefix) == len(prefix.ids) else _copied(prefix)


def _copied(prefix: Prefix) -> Any:
    """Return a copy of a cache, without what was added to it after the prefix."""
    memory = copy.deepcopy(prefix.memory)
    held = _held(prefix)
    if held is not None and held > len(prefix.ids):
        memory.crop(len(prefix.ids) - held)
    return memory


def _held(prefix: Prefix) -> int | None:
    """Return how many tokens a cache holds; None where tokens cannot be taken out again."""
    from transformers.cache_utils import DynamicLayer

    plain = all(type(layer) is DynamicLayer for layer in prefix.memory.layers)
    return int(prefix.memory.get_seq_length()) if plain else None
