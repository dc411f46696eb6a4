"""A tokenizer from a tokenizer.json."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aegis.errors import InputError, ModelError
from aegis.neural.saving import save_bytes
from aegis.neural.tokenizer_facts import read_tokenizer_facts, tokenizer_capabilities

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import tokenizers

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class FileTokenizer:
    """Turns text into ids as a tokenizer.json says, with special tokens inert.

    Text that spells a special token (``<|endoftext|>`` in a title from the web) becomes the ids
    of its letters: only code puts special ids into what a model reads.

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
        self._tokenizer = _loaded(self._json, path)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.start = self._start_ids()
        self._tokenizer.encode_special_tokens = True

    @property
    def special(self) -> Mapping[str, int]:
        """Ids of the special tokens by their spelling."""
        return self.capabilities.special_tokens

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; no special token is made from its content.

        Raises:
            InputError: ``text-surrogate`` if `text` holds half of a surrogate pair, which no
                encoding has bytes for; `aegis.contracts.text.escape` writes it out.
        """
        try:
            ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        except TypeError:
            _refuse_surrogates(text)
            raise
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


def _loaded(data: bytes, path: Path) -> tokenizers.Tokenizer:
    import tokenizers

    try:
        return tokenizers.Tokenizer.from_buffer(data)
    except Exception as error:  # the library raises plain Exception
        raise ModelError.of(
            "tokenizer-damaged", f"{path} cannot be loaded: {error}", where=str(path)
        ) from error


def _refuse_surrogates(text: str) -> None:
    half = _SURROGATE.search(text)
    if half is not None:
        raise InputError.of(
            "text-surrogate",
            f"character {half.start()} of a text, U+{ord(half[0]):04X}, is half of a surrogate "
            "pair: there are no bytes for it",
            fix="write it out with aegis.contracts.text.escape, as views do",
        )
