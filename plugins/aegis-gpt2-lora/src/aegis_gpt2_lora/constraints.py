"""What may be written into a text slot: one printable line that opens no section.

A token is allowed where it is printable ASCII without bars and backslashes, which structure views,
and without equals signs, which signals of candidates have (``rank=1``).
The first begins a word, so that a text has at least one, spaces are single, and a text does not
begin like a line of a view (``goal:``). After the first token the line may end at any time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs
import torch

from aegis import ModelError, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis import Tokenizer

_KEYS: Final = (*(attribute.name for attribute in attrs.fields(View)), "next")
_SECTION: Final = re.compile(rf" *({'|'.join(_KEYS)}) *:", re.IGNORECASE)


class LineConstraint:
    """Masks over the vocabulary, for the text so far.

    Args:
        tokenizer: Whose ids are masked.
        rows: Size of the model's vocabulary; rows without a token are never allowed.
        end: Id that ends the line.

    Raises:
        ModelError: If no token of the vocabulary begins a word.
    """

    def __init__(self, tokenizer: Tokenizer, rows: int, end: int) -> None:
        self._pieces = _pieces(tokenizer)
        forbidden = {*tokenizer.capabilities.special_tokens.values(), end}
        plain = [i not in forbidden and _is_plain(piece) for i, piece in enumerate(self._pieces)]
        opening = [ok and _begins_word(self._pieces[i]) for i, ok in enumerate(plain)]
        if not any(opening):
            raise ModelError.of(
                "model-cannot-write", "no token of the vocabulary begins a word after a space"
            )
        self._opening = _mask(opening, rows)
        self._going_on = _mask(plain, rows)
        self._going_on[end] = True
        self._closed: dict[str, torch.Tensor] = {}
        self._colons = [i for i, ok in enumerate(plain) if ok and ":" in self._pieces[i]]

    def allowed(self, so_far: str) -> torch.Tensor:
        """Return which ids may follow the text so far, a boolean mask (V,); never to be changed."""
        if not so_far:
            return self._opening
        begun = so_far.strip(" ").lower()
        if not any(key.startswith(begun) for key in _KEYS):
            return self._going_on
        if begun not in self._closed:  # one for each beginning of a key, dozens in all
            mask = self._going_on.clone()
            opens = [i for i in self._colons if _SECTION.match(begun + self._pieces[i])]
            mask[torch.tensor(opens, dtype=torch.long)] = False
            self._closed[begun] = mask
        return self._closed[begun]

    def piece(self, token: int) -> str:
        """Return the text that a token adds."""
        return self._pieces[token]


def _pieces(tokenizer: Tokenizer) -> list[str]:
    """Return what each id adds to a text, read off behind a letter.

    Behind a letter, because some tokenizers drop the space at the beginning of a text.
    """
    anchor = tokenizer.encode("a")[-1]
    width = len(tokenizer.decode([anchor]))
    largest = tokenizer.capabilities.max_token_id
    assert largest is not None
    return [tokenizer.decode([anchor, token])[width:] for token in range(largest + 1)]


def _is_plain(piece: str) -> bool:
    single = "  " not in piece and not piece.endswith(" ")
    return bool(piece) and single and all(" " <= c <= "~" and c not in "|\\=" for c in piece)


def _begins_word(piece: str) -> bool:
    return piece[0] == " " and piece[1].isalnum()


def _mask(allowed: Sequence[bool], rows: int) -> torch.Tensor:
    mask = torch.zeros(rows, dtype=torch.bool)
    mask[: len(allowed)] = torch.tensor(allowed)
    return mask
