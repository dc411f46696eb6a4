"""Prompts with continuations, for any causal language model of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.utils.rnn import pad_sequence

from aegis.neural import token_log_probabilities
from aegis_gpt2_lora.packed_model import States

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis_gpt2_lora.packing import Tree


class TransformersTrees:
    """Reads each prompt once and goes on from its keys and values, tree by tree, with a graph.

    Args:
        module: A ``...ForCausalLM``, PEFT's adapters on it or not, in evaluation mode.
    """

    def __init__(self, module: Any) -> None:
        self._module = module

    def states(self, trees: Sequence[Tree], *, training: bool) -> States:
        """Return the logits that predict the tokens of all branches, (M, V), as the states.

        Only adapters drop inputs in training; the model's own dropout stays off.
        """
        for part in self._module.modules():
            if hasattr(part, "lora_dropout"):
                part.lora_dropout.train(training)
        logits = torch.cat([self._tree(tree) for tree in trees])
        ids = [token for tree in trees for branch in tree.branches for token in branch]
        targets = torch.tensor(ids, device=logits.device)
        return States(logits, torch.arange(len(ids), device=logits.device), targets)

    def target_log_probabilities(self, states: States) -> torch.Tensor:
        """Return the log-probability of each predicted token, (M,)."""
        return token_log_probabilities(states.hidden[states.rows], states.targets)

    def _tree(self, tree: Tree) -> torch.Tensor:
        device = next(self._module.parameters()).device
        prompt = torch.tensor([tree.prompt], device=device)  # (1, P)
        out = self._module(input_ids=prompt, use_cache=True, logits_to_keep=1)
        first: torch.Tensor = out.logits[0, -1].expand(len(tree.branches), 1, -1)  # (C, 1, V)
        given = [torch.tensor(branch[:-1], device=device) for branch in tree.branches]
        lengths = [len(branch) for branch in tree.branches]
        if max(lengths) == 1:
            return first[:, 0]
        ids = pad_sequence([row.long() for row in given], batch_first=True)  # (C, L - 1)
        memory = out.past_key_values
        memory.batch_repeat_interleave(len(tree.branches))
        rest = self._module(input_ids=ids, past_key_values=memory, use_cache=True).logits
        whole = torch.cat([first, rest], dim=1)  # (C, L, V)
        return torch.cat([row[:length] for row, length in zip(whole, lengths, strict=True)])
