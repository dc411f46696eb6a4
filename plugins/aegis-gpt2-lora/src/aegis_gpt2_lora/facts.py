"""Capabilities of the components, from JSON files and safetensors headers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aegis
from aegis import ModelError
from aegis.neural import TokenizerFacts, read_tokenizer_facts, tokenizer_capabilities
from aegis_gpt2_lora.models import is_present, open_model

if TYPE_CHECKING:
    from aegis_gpt2_lora.model_folder import ModelFolder
    from aegis_gpt2_lora.settings import EngineSettings, TokenizerSettings

KIND: Final = "causal-lm"
_BYTES_PER_WEIGHT: Final = 4  # weights are computed with in float32
_GPT2_CHARACTERS: Final = 3.0  # per token; one practice view in a hundred has fewer than 3.05

PUBLISHED_GPT2: Final = TokenizerFacts(
    max_token_id=50256,
    vocab_size=50257,
    special_tokens={"<|endoftext|>": 50256},
    fingerprint="48b9787a4c11c53bc9b4353fb03f6bca6fefd5113319b1d5c8e34e716fdc0c0d",
)
"""The tokenizer that OpenAI published with GPT-2, for checks where no file of it is at hand."""


def describe_engine(settings: EngineSettings) -> aegis.EngineCapabilities:
    """Return what the engine ``gpt2`` will be with these settings.

    Raises:
        ModelError: If the model is absent, incomplete, or of a kind that is not loaded, or if the
            instructions leave too little of its context.
    """
    return engine_capabilities(open_model(settings.model), settings.instructions)


def describe_tokenizer(settings: TokenizerSettings) -> aegis.TokenizerCapabilities:
    """Return what the tokenizer ``gpt2`` emits with these settings.

    The published facts of GPT-2's tokenizer stand in where its files are not on this machine.

    Raises:
        ModelError: If the model is absent and is not ``gpt2``, or its tokenizer.json is damaged.
    """
    if settings.model == "gpt2" and not is_present("gpt2"):
        return tokenizer_capabilities(PUBLISHED_GPT2, _GPT2_CHARACTERS)
    model = open_model(settings.model)
    facts = read_tokenizer_facts(model.tokenizer)
    return tokenizer_capabilities(facts, characters_per_token(model, facts))


def engine_capabilities(model: ModelFolder, instructions: str = "") -> aegis.EngineCapabilities:
    """Return the capabilities of an engine that serves the model of a folder.

    Args:
        model: The folder.
        instructions: Text before every view; the context length is what is left beside it.
    """
    facts = read_tokenizer_facts(model.tokenizer)
    characters = characters_per_token(model, facts)
    context = _context_beside(instructions, model)
    known = {"context_length": context, "characters_per_token": characters}
    parameters = model.parameters
    capabilities = aegis.EngineCapabilities(
        kind=KIND,
        embedding_rows=model.embedding_rows,
        context_length=context,
        writes_text=True,
        trainable=True,
        adapters=model.linear_modules,
        tokenizer_fingerprint=facts.fingerprint,
        tokenizer_max_id=facts.max_token_id,
        parameters=parameters,
        files=model.files,
        memory_bytes=parameters * _BYTES_PER_WEIGHT,
        characters_per_token=characters,
        order_independent=True,
        unverified=tuple(name for name, value in known.items() if value is None),
    )
    _check_rows(capabilities, model)
    return capabilities


def characters_per_token(model: ModelFolder, facts: TokenizerFacts) -> float | None:
    """Return how many characters of a view a token holds at the low end, where that is known."""
    if facts.fingerprint == PUBLISHED_GPT2.fingerprint:
        return _GPT2_CHARACTERS
    own = model.config.get("aegis")
    value = own.get("characters_per_token") if isinstance(own, dict) else None
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _context_beside(instructions: str, model: ModelFolder) -> int | None:
    """Return the tokens that fit beside the instructions.

    They are counted by the tokenizer itself, a tenth of a second that only they cost: any bound
    from their characters would take most of a context away.
    """
    length = model.context_length
    if not instructions or length is None:
        return length
    from aegis.neural import FileTokenizer
    from aegis_gpt2_lora.encoding import instruction_ids

    taken = len(instruction_ids(FileTokenizer(model.tokenizer), instructions))
    if taken > length // 2:
        raise ModelError.of(
            "instructions-too-long",
            f"the instructions take {taken} of the model's {length} tokens of context",
            where="[engine.gpt2].instructions",
            fix=f"shorten them to {length // 2} tokens, half of the context",
        )
    return length - taken


def _check_rows(capabilities: aegis.EngineCapabilities, model: ModelFolder) -> None:
    rows, largest = capabilities.embedding_rows, capabilities.tokenizer_max_id
    if rows is not None and largest is not None and largest >= rows:
        raise ModelError.of(
            "tokenizer-too-large",
            f"tokenizer.json emits ids up to {largest}, the model has {rows} embedding rows",
            where=str(model.folder),
            fix="put the tokenizer into the folder that the model was trained with",
        )
