"""The section ``[tokenizer.hrm-bpe]`` of aegis.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from attrs import frozen

import aegis

NAME: Final = "hrm-bpe"
SHIPPED: Final = Path(__file__).parent / "builtin_tokenizer" / "tokenizer.json"
DEFAULT_SIZE: Final = 1000
"""Entries of the shipped tokenizer, and of one that is trained without saying how many."""


@frozen
class TokenizerSettings:
    """Settings of the tokenizer ``hrm-bpe``."""

    file: Path | None = aegis.setting(
        None,
        path="always",
        help="A file that `aegis tokenizer train` wrote; without it, the one that comes with the "
        "distribution.",
    )

    @property
    def path(self) -> Path:
        """The file in force."""
        return SHIPPED if self.file is None else self.file
