"""What the engine ``hrm`` says about itself, from its settings alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aegis
from aegis_hrm.settings import design_of
from aegis_hrm.special_tokens import DOCUMENTS, SPECIAL_TOKENS, TERMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aegis_hrm.settings import EngineSettings

KIND: Final = "hrm"
_BYTES_PER_WEIGHT: Final = 4  # float32


def describe_engine(settings: EngineSettings) -> aegis.EngineCapabilities:
    """Return what the engine will be with these settings.

    Raises:
        ConfigError: ``shape-impossible`` or ``context-short`` if no such engine can be built.
    """
    shape = design_of(settings).shape
    return aegis.EngineCapabilities(
        kind=KIND,
        embedding_rows=shape.vocabulary,
        context_length=settings.context,
        trainable=True,
        parameters=shape.parameters,
        memory_bytes=shape.parameters * _BYTES_PER_WEIGHT,
    )


def check_tokenizer(settings: EngineSettings, parts: Mapping[str, Any]) -> Iterator[aegis.Problem]:
    """Yield ``tokenizer-special`` if the tokenizer lacks what a view is laid out with.

    Nothing is said of one whose ids have no row: the host refuses it, with the same way out.
    """
    said: aegis.TokenizerCapabilities = parts["tokenizer"]
    fits = said.max_token_id is None or said.max_token_id < settings.embedding_rows
    missing = [name for name in _STRUCTURE if name not in said.special_tokens]
    if fits and "special_tokens" not in said.unverified and missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        yield aegis.Problem(
            "tokenizer-special",
            f"the tokenizer lacks the special tokens {', '.join(missing[:3])}{more}: views are "
            "laid out with them",
            where="[engine.hrm].tokenizer",
            fix='use tokenizer "hrm-bpe"',
        )


_STRUCTURE: Final = tuple(name for name in SPECIAL_TOKENS if name not in {*TERMS, *DOCUMENTS})
