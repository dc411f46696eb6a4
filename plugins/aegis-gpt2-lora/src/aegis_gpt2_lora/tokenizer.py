"""A tokenizer from the tokenizer.json of a model's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tokenizers

from aegis.errors import ModelError
from aegis_gpt2_lora.facts import tokenizer_capabilities
from aegis_gpt2_lora.saving import save_bytes
from aegis_gpt2_lora.tokenizer_facts import read_tokenizer_facts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class FolderTokenizer:
    """Turns text into ids as tokenizer.json says, with special tokens inert.

    Text that spells a special token (``<|endoftext|>`` in a title from the web) becomes the ids
    of its letters: only this code puts special ids into what a model reads.

    Args:
        path: A tokenizer.json.
        characters: Characters of a view that a token holds at the low end, where known.

    Attributes:
        capabilities: Facts about its ids.
        start: Ids that the model expects before any text (``<s>`` for Llama; none for GPT-2).

    Raises:
        ModelError: If the file cannot be read.
    """

    def __init__(self, path: Path, characters: float | None = None) -> None:
        self.capabilities = tokenizer_capabilities(read_tokenizer_facts(path), characters)
        self._json = path.read_bytes()
        try:
            self._tokenizer = tokenizers.Tokenizer.from_buffer(self._json)
        except Exception as error:  # the library raises plain Exception
            raise ModelError.of(
                "tokenizer-damaged", f"{path} cannot be loaded: {error}", where=str(path)
            ) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.start = self._start_ids()
        self._tokenizer.encode_special_tokens = True

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; no special token is made from its content."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of `ids`, special tokens as they are spelt."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))

    def save(self, directory: Path) -> None:
        """Write tokenizer.json, byte by byte as it was read."""
        save_bytes(directory / "tokenizer.json", self._json)

    def _start_ids(self) -> tuple[int, ...]:
        """Return what the template puts before a text: its ids up to that of a plain letter."""
        plain = self._tokenizer.encode("a", add_special_tokens=False).ids
        templated = self._tokenizer.encode("a").ids
        return tuple(templated[: templated.index(plain[0])]) if plain else ()
