"""The tokenizer ``hrm-bpe``: a file of its form, opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

from aegis.neural import FileTokenizer, sample_density
from aegis_hrm.tokenizer_facts import file_capabilities

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import aegis
    from aegis_hrm.tokenizer_settings import TokenizerSettings


def build_tokenizer(
    settings: TokenizerSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> FileTokenizer:
    """Return the tokenizer of the settings; it has no parts and needs nothing of the run.

    Raises:
        ModelError: If its file cannot serve.
    """
    del parts, runtime
    return open_tokenizer(settings.path)


def open_tokenizer(path: Path) -> FileTokenizer:
    """Return the tokenizer of a file.

    Raises:
        ModelError: If the file cannot serve as ``hrm-bpe``.
    """
    capabilities = file_capabilities(path)
    tokenizer = FileTokenizer(path)
    if capabilities.unverified:
        characters = round(sample_density(tokenizer), 2)
        capabilities = evolve(capabilities, characters_per_token=characters, unverified=())
    tokenizer.capabilities = capabilities
    return tokenizer
