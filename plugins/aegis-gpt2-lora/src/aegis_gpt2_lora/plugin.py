"""What this plugin offers: engine, tokenizer and trainers, and the ``model`` commands.

Imports neither torch nor transformers, tokenizers or numpy; ``build`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aegis
from aegis_gpt2_lora.facts import describe_engine, describe_tokenizer
from aegis_gpt2_lora.settings import EngineSettings, TokenizerSettings
from aegis_gpt2_lora.trainer_settings import (
    FullTrainerSettings,
    TrainerSettings,
    describe_full_trainer,
    describe_trainer,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click

    from aegis.neural import FileTokenizer
    from aegis_gpt2_lora.engine import GptEngine
    from aegis_gpt2_lora.full_trainer import FullTrainer
    from aegis_gpt2_lora.trainer import LoraTrainer

plugin_api: Final = 1


def _build_engine(
    settings: EngineSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> GptEngine:
    from aegis_gpt2_lora.building import build_engine

    return build_engine(settings, parts, runtime)


def _build_tokenizer(
    settings: TokenizerSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> FileTokenizer:
    from aegis_gpt2_lora.building import build_tokenizer

    return build_tokenizer(settings, parts, runtime)


def _build_trainer(
    settings: TrainerSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> LoraTrainer:
    from aegis_gpt2_lora.trainer import LoraTrainer

    del parts, runtime  # it works on the device of the engine
    return LoraTrainer(settings)


def _build_full_trainer(
    settings: FullTrainerSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> FullTrainer:
    from aegis_gpt2_lora.full_trainer import FullTrainer

    del parts, runtime  # it works on the device of the engine
    return FullTrainer(settings)


@aegis.hookimpl
def aegis_engines() -> list[aegis.Component]:
    """Offer the engine ``gpt2``."""
    return [
        aegis.Component(
            kind="engine",
            name="gpt2",
            summary="Decides with a causal language model: the bundled mini, GPT-2, or a folder.",
            config=EngineSettings,
            parts={"tokenizer": aegis.Part("tokenizer")},
            describe=describe_engine,
            build=_build_engine,
        )
    ]


@aegis.hookimpl
def aegis_tokenizers() -> list[aegis.Component]:
    """Offer the tokenizer ``gpt2``."""
    return [
        aegis.Component(
            kind="tokenizer",
            name="gpt2",
            summary="The byte-pair encoding of GPT-2, or of another model's tokenizer.json.",
            config=TokenizerSettings,
            describe=describe_tokenizer,
            build=_build_tokenizer,
        )
    ]


@aegis.hookimpl
def aegis_trainers() -> list[aegis.Component]:
    """Offer the trainers ``gpt2-lora`` and ``gpt2-full``."""
    return [
        aegis.Component(
            kind="trainer",
            name="gpt2-lora",
            summary="Adapts a causal language model to recorded decisions (LoRA).",
            config=TrainerSettings,
            describe=describe_trainer,
            build=_build_trainer,
        ),
        aegis.Component(
            kind="trainer",
            name="gpt2-full",
            summary="Trains all weights of a small GPT-2 on recorded decisions.",
            config=FullTrainerSettings,
            describe=describe_full_trainer,
            build=_build_full_trainer,
        ),
    ]


@aegis.hookimpl
def aegis_commands() -> list[click.Command]:
    """Offer ``aegis model list``, ``aegis model fetch`` and ``aegis model new``."""
    from aegis_gpt2_lora.commands import model

    return [model]
