"""The special tokens of ``hrm-bpe``: the structure of a view and the roles of its entities.

They have the ids 0, 1, 2, ... in this order in every file of the tokenizer. Text never makes one.
"""

from __future__ import annotations

from typing import Final

LAYOUT_VERSION: Final = 1
"""Version of how views and candidates are laid out as ids; part of every fingerprint."""

PAD: Final = "<pad>"
HALT: Final = "<halt>"
GOAL: Final = "<goal>"
MISSING: Final = "<missing>"
FACTS: Final = "<facts>"
KNOWLEDGE: Final = "<knowledge>"
FOUND: Final = "<found>"
GAPS: Final = "<gaps>"
OBSERVATION: Final = "<observation>"
RECENT: Final = "<recent>"
STEP: Final = "<step>"
ITEM: Final = "<item>"
CANDIDATE: Final = "<candidate>"
SLOT: Final = "<slot>"

TERMS: Final = tuple(f"<term{number}>" for number in range(1, 13))
"""Roles of the goal's words, in the order in which they stand there."""

DOCUMENTS: Final = tuple(f"<doc{number}>" for number in range(1, 17))
"""Roles of the documents that a view names, in the order in which it names them."""

SPECIAL_TOKENS: Final = (
    PAD,
    HALT,
    GOAL,
    MISSING,
    FACTS,
    KNOWLEDGE,
    FOUND,
    GAPS,
    OBSERVATION,
    RECENT,
    STEP,
    ITEM,
    CANDIDATE,
    SLOT,
    *TERMS,
    *DOCUMENTS,
)

PAD_ID: Final = SPECIAL_TOKENS.index(PAD)
FIRST_TEXT_ID: Final = len(SPECIAL_TOKENS)
"""The smallest id that text can have."""
