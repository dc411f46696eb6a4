"""Which modules adapters are put on, found by looking at the module itself.

GPT-2: ``c_attn`` and ``c_proj``, the attention's and the feed-forward's, 811,008 weights at rank 8
on 124M. Llama, Qwen, SmolLM2 and what is built like them: the four projections of the attention,
where the authors of LoRA found a budget of weights best spent (Hu et al. 2021, section 7.1); the
feed-forward's three would take three times as much time and memory. Any other architecture: every
linear layer inside its blocks. The head is never adapted: it is often the token embedding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from torch import nn

from aegis import ModelError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

_LAYOUTS: Final = (
    frozenset({"c_attn", "c_proj"}),
    frozenset({"q_proj", "k_proj", "v_proj", "o_proj"}),
)
"""Names of the modules to adapt where a model has all of them, the first that fits."""


def adapter_modules(module: nn.Module, names: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the full names of the modules to adapt, in the module's order.

    Args:
        module: A causal language model, its blocks in a `torch.nn.ModuleList`.
        names: Last parts of the modules' names; none: by layout.

    Raises:
        ModelError: ``adapter-target`` if a named module is not there, or nothing can be adapted.
    """
    there = _linear_in_blocks(module)
    kinds = sorted({_last(name) for name in there})
    if not kinds:
        raise ModelError.of(
            "adapter-target",
            f"{type(module).__name__} has no linear modules in blocks that an adapter could "
            f"stand on; its parts are {', '.join(name for name, _ in module.named_children())}",
            fix="train another architecture",
        )
    for name in names:
        if name not in kinds:
            raise ModelError.of(
                "adapter-target",
                f"{type(module).__name__} has no linear module {name!r} in its blocks"
                f"{did_you_mean(name, kinds)}",
                where="[trainer.gpt2-lora].targets",
                fix=f"name some of: {', '.join(kinds)}",
            )
    fitting = (layout for layout in _LAYOUTS if layout <= set(kinds))
    wanted = frozenset(names) or next(fitting, frozenset(kinds))
    return tuple(name for name in there if _last(name) in wanted)


def short_names(module: nn.Module, modules: Sequence[str]) -> tuple[str, ...]:
    """Return the last parts of modules' names where they mean exactly these, else full names."""
    short = sorted({_last(name) for name in modules})
    meant = {name for name, _ in module.named_modules() if _last(name) in short}
    return tuple(short) if meant == set(modules) else tuple(sorted(modules))


def is_transposed(layer: nn.Module) -> bool:
    """Return whether a layer is transformers' ``Conv1D``, a linear layer stored (in, out)."""
    kind = type(layer)
    return kind.__name__ == "Conv1D" and kind.__module__ == "transformers.pytorch_utils"


def is_linear(layer: nn.Module) -> bool:
    """Return whether an adapter can stand on a layer."""
    return isinstance(layer, nn.Linear) or is_transposed(layer)


def _linear_in_blocks(module: nn.Module) -> list[str]:
    lists = [name for name, part in module.named_modules() if isinstance(part, nn.ModuleList)]
    return [
        name
        for name, part in module.named_modules()
        if is_linear(part) and any(name.startswith(f"{blocks}.") for blocks in lists)
    ]


def _last(name: str) -> str:
    return name.rpartition(".")[2]
