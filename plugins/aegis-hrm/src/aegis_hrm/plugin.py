"""What this plugin offers: the tokenizer ``hrm-bpe`` and the ``tokenizer`` commands.

Imports neither torch nor tokenizers or numpy; ``build`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aegis
from aegis_hrm.tokenizer_facts import describe_tokenizer
from aegis_hrm.tokenizer_settings import NAME, TokenizerSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click

    from aegis.neural import FileTokenizer

plugin_api: Final = 1


def _build_tokenizer(
    settings: TokenizerSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> FileTokenizer:
    from aegis_hrm.tokenizer import build_tokenizer

    return build_tokenizer(settings, parts, runtime)


@aegis.hookimpl
def aegis_tokenizers() -> list[aegis.Component]:
    """Offer the tokenizer ``hrm-bpe``."""
    return [
        aegis.Component(
            kind="tokenizer",
            name=NAME,
            summary="A small byte-pair encoding of views, with special tokens for their structure.",
            config=TokenizerSettings,
            describe=describe_tokenizer,
            build=_build_tokenizer,
        )
    ]


@aegis.hookimpl
def aegis_commands() -> list[click.Command]:
    """Offer ``aegis tokenizer train`` and ``aegis tokenizer show``."""
    from aegis_hrm.commands import tokenizer

    return [tokenizer]
