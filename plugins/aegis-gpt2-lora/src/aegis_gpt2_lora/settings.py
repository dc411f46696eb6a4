"""The sections ``[engine.gpt2]`` and ``[tokenizer.gpt2]`` of aegis.toml."""

from __future__ import annotations

from typing import Final

from attrs import frozen

import aegis

MINI: Final = "builtin:mini"
"""Name of the model that comes with this distribution."""

_MODEL_HELP: Final = (
    'A causal language model: "builtin:mini", a folder, or the name of a fetched model '
    '("gpt2"; a hub name with an owner is written owner--name).'
)


@frozen
class EngineSettings:
    """Settings of the engine ``gpt2``."""

    model: str = aegis.setting(MINI, help=_MODEL_HELP, path="if-pathlike")
    score: str = aegis.setting(
        "mean",
        help="A candidate's score: the mean or the sum of its tokens' log-probabilities.",
        choices=("mean", "sum"),
    )
    max_text_tokens: int = aegis.setting(
        24, help="Most tokens that are written into a text slot.", ge=1, le=256
    )
    temperature: float = aegis.setting(
        0.7,
        help="Temperature at which text is sampled; lower is more predictable.",
        ge=0.05,
        le=5.0,
    )
    instructions: str = aegis.setting(
        "", help="Text that stands before every view; the model reads it once, not every step."
    )


@frozen
class TokenizerSettings:
    """Settings of the tokenizer ``gpt2``."""

    model: str = aegis.setting(
        "gpt2", help="Whose tokenizer.json: " + _MODEL_HELP, path="if-pathlike"
    )
