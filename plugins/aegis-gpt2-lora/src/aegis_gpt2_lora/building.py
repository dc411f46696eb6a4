"""Building the components: where torch and the model's files are loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from aegis import ContractError, Problem
from aegis.neural import (
    FileTokenizer,
    read_tokenizer_facts,
    sample_density,
    select_device,
    use_threads,
)
from aegis_gpt2_lora.adapter import merge
from aegis_gpt2_lora.adapter_file import is_adapter, read_adapter
from aegis_gpt2_lora.base import Base, check_base, file_digests, weights_digest
from aegis_gpt2_lora.encoding import Encoding
from aegis_gpt2_lora.engine import GptEngine
from aegis_gpt2_lora.facts import characters_per_token, engine_capabilities
from aegis_gpt2_lora.loading import load_model
from aegis_gpt2_lora.model_folder import open_model_folder
from aegis_gpt2_lora.models import open_model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import aegis
    from aegis_gpt2_lora.model_folder import ModelFolder
    from aegis_gpt2_lora.settings import EngineSettings, TokenizerSettings

_NO_LIMIT: Final = 2048  # tokens used of a model that states no context length


def build_engine(
    settings: EngineSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> GptEngine:
    """Return the engine with the weights of the configured model and of the checkpoint.

    A checkpoint is an adapter, which is merged into the model's weights, or a whole model.

    Raises:
        ModelError: If the model cannot be loaded, or the adapter is damaged or another model's.
        ContractError: If a configured tokenizer is not the one of the weights.
    """
    base, adapter_folder = _base(settings, runtime.checkpoint)
    capabilities = engine_capabilities(base.folder, settings.instructions)
    own = _tokenizer(base.folder)
    tokenizer = parts.get("tokenizer") or own
    _check_tokenizer(tokenizer, capabilities)
    if base.adapter is not None:
        check_base(base.adapter, base, capabilities.tokenizer_fingerprint)
    use_threads(runtime.threads)
    model = load_model(base.folder, select_device(runtime.device))
    if base.adapter is not None:
        merge(model.module, base.adapter.pairs, base.adapter.shape.scaling)
    return GptEngine(
        model=model,
        tokenizer=tokenizer,
        encoding=Encoding(
            tokenizer,
            capabilities.context_length or _NO_LIMIT,
            own.start,
            settings.instructions,
        ),
        capabilities=_verified(capabilities, own, weights_digest(base.digests, adapter_folder)),
        settings=settings,
        seed=runtime.seed,
        base=base,
    )


def build_tokenizer(
    settings: TokenizerSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> FileTokenizer:
    """Return the tokenizer of a model; it has no parts and needs nothing of the run.

    Raises:
        ModelError: If the model is absent or its tokenizer.json is damaged.
    """
    del parts, runtime
    return _tokenizer(open_model(settings.model))


def _tokenizer(folder: ModelFolder) -> FileTokenizer:
    known = characters_per_token(folder, read_tokenizer_facts(folder.tokenizer))
    tokenizer = FileTokenizer(folder.tokenizer, known)
    if known is None:
        characters = round(sample_density(tokenizer), 2)
        tokenizer.capabilities = evolve(
            tokenizer.capabilities, characters_per_token=characters, unverified=()
        )
    return tokenizer


def _base(settings: EngineSettings, checkpoint: Path | None) -> tuple[Base, Path | None]:
    """Return what the weights are made of, and the folder of the adapter where there is one.

    A checkpoint is an adapter on the configured model, or a whole model in place of it.
    """
    if checkpoint is not None and not is_adapter(checkpoint):
        folder = open_model_folder(checkpoint, "checkpoint")
        return Base("", folder, file_digests(folder)), None
    folder = open_model(settings.model)
    adapter = None if checkpoint is None else read_adapter(checkpoint)
    return Base(settings.model, folder, file_digests(folder), adapter), checkpoint


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
    capabilities: aegis.EngineCapabilities, tokenizer: FileTokenizer, weights: str
) -> aegis.EngineCapabilities:
    """Return the capabilities with what is known only now that the files are read."""
    return evolve(
        capabilities,
        context_length=capabilities.context_length or _NO_LIMIT,
        characters_per_token=tokenizer.capabilities.characters_per_token,
        weights=weights,
        unverified=(),
    )
