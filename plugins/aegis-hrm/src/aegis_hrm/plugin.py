"""What this plugin offers: engine, tokenizer and trainer, and the commands that go with them.

Imports neither torch nor tokenizers or numpy; ``build`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aegis
from aegis_hrm.facts import describe_engine
from aegis_hrm.settings import EngineSettings
from aegis_hrm.tokenizer_facts import describe_tokenizer
from aegis_hrm.tokenizer_settings import NAME, TokenizerSettings
from aegis_hrm.trainer_settings import TrainerSettings, describe_trainer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click

    from aegis.neural import FileTokenizer
    from aegis_hrm.engine import HrmEngine
    from aegis_hrm.trainer import HrmTrainer

plugin_api: Final = 1


def _build_engine(
    settings: EngineSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> HrmEngine:
    from aegis_hrm.building import build_engine

    return build_engine(settings, parts, runtime)


def _build_trainer(
    settings: TrainerSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> HrmTrainer:
    from aegis_hrm.trainer import HrmTrainer

    del parts, runtime  # it works on the device of the engine
    return HrmTrainer(settings)


def _build_tokenizer(
    settings: TokenizerSettings, parts: Mapping[str, Any], runtime: aegis.Runtime
) -> FileTokenizer:
    from aegis_hrm.tokenizer import build_tokenizer

    return build_tokenizer(settings, parts, runtime)


@aegis.hookimpl
def aegis_engines() -> list[aegis.Component]:
    """Offer the engine ``hrm``."""
    return [
        aegis.Component(
            kind="engine",
            name="hrm",
            summary="Decides by reasoning over view and candidates, segment after segment (HRM).",
            config=EngineSettings,
            parts={"tokenizer": aegis.Part("tokenizer", default=NAME)},
            describe=describe_engine,
            build=_build_engine,
        )
    ]


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
def aegis_trainers() -> list[aegis.Component]:
    """Offer the trainer ``hrm-imitation``."""
    return [
        aegis.Component(
            kind="trainer",
            name="hrm-imitation",
            summary="Trains the engine hrm on recorded decisions, or on a teacher's probabilities.",
            config=TrainerSettings,
            describe=describe_trainer,
            build=_build_trainer,
        )
    ]


@aegis.hookimpl
def aegis_commands() -> list[click.Command]:
    """Offer ``aegis tokenizer``, ``aegis hrm-puzzle`` and ``aegis hrm-segments``."""
    from aegis_hrm.commands import tokenizer
    from aegis_hrm.puzzles.command import puzzle
    from aegis_hrm.segments_command import segments

    return [tokenizer, puzzle, segments]
