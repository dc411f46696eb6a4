"""Building the components: where torch and the model's files are loaded."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from aegis.contracts.view import Recent, Seen, View
from aegis.errors import ContractError, Problem
from aegis.neural.device import select_device, use_threads
from aegis_gpt2_lora.encoding import Encoding
from aegis_gpt2_lora.engine import GptEngine
from aegis_gpt2_lora.facts import characters_per_token, engine_capabilities
from aegis_gpt2_lora.gpt2_model import Gpt2Model
from aegis_gpt2_lora.model_folder import open_model_folder
from aegis_gpt2_lora.models import open_model
from aegis_gpt2_lora.tokenizer import FolderTokenizer
from aegis_gpt2_lora.tokenizer_facts import read_tokenizer_facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    import aegis
    from aegis_gpt2_lora.language_model import LanguageModel
    from aegis_gpt2_lora.model_folder import ModelFolder
    from aegis_gpt2_lora.settings import EngineSettings, TokenizerSettings

_NO_LIMIT: Final = 2048  # tokens used of a model that states no context length
_SAMPLE: Final = View(
    goal="Understand quantized low-rank adaptation of a 7B model",
    step=12,
    limit=40,
    missing=("quantile", "4-bit", "paged"),
    facts=("The adapters W + (alpha/r) * B A are the only weights with gradients.",),
    knowledge=(Seen("17", "Low-rank adaptation"), Seen("204", "Quantization")),
    found=(Seen("31", "Parameter-efficient fine-tuning"),),
    recent=(Recent("search_library 4-bit quantile terms=2 missing=1", "ok", 3),),
)
"""What characters per token are counted on where nobody has: terse and full of numbers."""


def build_engine(
    settings: EngineSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> GptEngine:
    """Return the engine with the weights of the checkpoint, or else of the configured model.

    Raises:
        ModelError: If the model cannot be loaded.
        ContractError: If a configured tokenizer is not the one of the weights.
    """
    folder = (
        open_model_folder(runtime.checkpoint, "checkpoint")
        if runtime.checkpoint is not None
        else open_model(settings.model)
    )
    capabilities = engine_capabilities(folder)
    own = _tokenizer(folder)
    tokenizer = parts.get("tokenizer") or own
    _check_tokenizer(tokenizer, capabilities)
    use_threads(runtime.threads)
    return GptEngine(
        model=_load(folder, select_device(runtime.device)),
        tokenizer=tokenizer,
        encoding=Encoding(tokenizer, capabilities.context_length or _NO_LIMIT, own.start),
        capabilities=_verified(capabilities, folder, own),
        settings=settings,
        seed=runtime.seed,
    )


def build_tokenizer(
    settings: TokenizerSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> FolderTokenizer:
    """Return the tokenizer of a model; it has no parts and needs nothing of the run.

    Raises:
        ModelError: If the model is absent or its tokenizer.json is damaged.
    """
    del parts, runtime
    return _tokenizer(open_model(settings.model))


def _tokenizer(folder: ModelFolder) -> FolderTokenizer:
    known = characters_per_token(folder, read_tokenizer_facts(folder.tokenizer))
    tokenizer = FolderTokenizer(folder.tokenizer, known)
    if known is None:
        characters = round(_characters(tokenizer), 2)
        tokenizer.capabilities = evolve(
            tokenizer.capabilities, characters_per_token=characters, unverified=()
        )
    return tokenizer


def _load(folder: ModelFolder, device: torch.device) -> LanguageModel:
    model = Gpt2Model.open(folder, device)
    if model is not None:
        return model
    from aegis_gpt2_lora.transformers_model import TransformersModel

    return TransformersModel.open(folder, device)


def _check_tokenizer(tokenizer: Any, capabilities: aegis.EngineCapabilities) -> None:
    found = tokenizer.capabilities.fingerprint
    if found != capabilities.tokenizer_fingerprint:
        raise ContractError(
            Problem(
                "tokenizer-mismatch",
                f"the configured tokenizer ({str(found)[:12]}) is not the one that the weights "
                f"were trained with ({str(capabilities.tokenizer_fingerprint)[:12]})",
                "[engine.gpt2].tokenizer",
                "remove the key: a model brings its own tokenizer",
            )
        )


def _verified(
    capabilities: aegis.EngineCapabilities, folder: ModelFolder, tokenizer: FolderTokenizer
) -> aegis.EngineCapabilities:
    """Return the capabilities with what is known only now that the files are read."""
    return evolve(
        capabilities,
        context_length=capabilities.context_length or _NO_LIMIT,
        characters_per_token=tokenizer.capabilities.characters_per_token,
        weights=_digest(folder),
        unverified=(),
    )


def _digest(folder: ModelFolder) -> str:
    """Return a short digest of the files that decide what the engine answers."""
    total = hashlib.sha256()
    for path in (*folder.weights, folder.folder / "config.json", folder.tokenizer):
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:16]


def _characters(tokenizer: FolderTokenizer) -> float:
    text = _SAMPLE.render()
    return len(text) / len(tokenizer.encode(text))
