"""Reading a model's weights from its files, and putting them back under an adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from aegis_gpt2_lora.gpt2_model import Gpt2Model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aegis_gpt2_lora.language_model import LanguageModel
    from aegis_gpt2_lora.model_folder import ModelFolder


def load_model(folder: ModelFolder, device: torch.device) -> LanguageModel:
    """Return the model of a folder in float32: our own GPT-2 where it is one, else transformers'.

    Raises:
        ModelError: If it cannot be loaded.
    """
    model = Gpt2Model.open(folder, device)
    if model is not None:
        return model
    from aegis_gpt2_lora.transformers_model import TransformersModel

    return TransformersModel.open(folder, device)


def restore(module: torch.nn.Module, folder: ModelFolder, names: Iterable[str]) -> None:
    """Give layers the weights that a model's files hold, exactly; in place.

    Read again rather than computed: to take a merged adapter off by subtraction leaves rounding.

    Args:
        module: The model of `folder`, changed since.
        folder: Its files.
        names: Full names of the layers.
    """
    fresh: Any = load_model(folder, torch.device("cpu")).module
    with torch.no_grad():
        for name in names:
            layer: Any = module.get_submodule(name)
            layer.weight.copy_(fresh.get_submodule(name).weight)
