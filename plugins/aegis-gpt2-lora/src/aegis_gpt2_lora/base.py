"""What an engine's weights are made of: the base model, and the adapter merged into it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from attrs import frozen

from aegis import ModelError
from aegis_gpt2_lora.adapter_file import adapter_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aegis_gpt2_lora.adapter_file import StoredAdapter
    from aegis_gpt2_lora.model_folder import ModelFolder


@frozen(eq=False)
class Base:
    """Where an engine's weights come from.

    Attributes:
        model: The base model as configured; empty where the weights are a whole model from a
            checkpoint, on which no adapter can stand.
        folder: The base model's files.
        digests: What `file_digests` returned of it.
        adapter: The adapter that is merged into them, or None.
    """

    model: str
    folder: ModelFolder
    digests: tuple[bytes, ...]
    adapter: StoredAdapter | None = None

    @property
    def weights(self) -> str:
        """The sha256 over the files that an adapter depends on: weights and config.json."""
        return hashlib.sha256(b"".join(self.digests[:-1])).hexdigest()


def file_digests(folder: ModelFolder) -> tuple[bytes, ...]:
    """Return the sha256 of a model's files: its weights, its config.json, its tokenizer.json."""
    return tuple(_digest(path) for path in folder.files)


def weights_digest(digests: Sequence[bytes], checkpoint: Path | None) -> str:
    """Return a short digest of the files that decide what an engine answers.

    Args:
        digests: What `file_digests` returned of the base model.
        checkpoint: Folder of the adapter that is merged into it, or None.
    """
    own = [_digest(path) for path in adapter_files(checkpoint)] if checkpoint else []
    return hashlib.sha256(b"".join([*digests, *own])).hexdigest()[:16]


def check_base(adapter: StoredAdapter, base: Base, tokenizer: str | None) -> None:
    """Require that an adapter belongs to a base model.

    Args:
        adapter: The adapter.
        base: The configured base model.
        tokenizer: Fingerprint of the base model's tokenizer.

    Raises:
        ModelError: ``checkpoint-base-mismatch`` or ``tokenizer-mismatch``.
    """
    if adapter.base_weights != base.weights:
        raise ModelError.of(
            "checkpoint-base-mismatch",
            f"the checkpoint was trained on the base model {adapter.base_model!r} with weights "
            f"{adapter.base_weights[:12]}; model = {base.model!r} has {base.weights[:12]}",
            where="[engine.gpt2].model",
            fix=f'set [engine.gpt2].model = "{adapter.base_model}" with the same files, or go '
            "back to a checkpoint of this model: aegis checkpoints rollback",
        )
    if adapter.tokenizer != tokenizer:
        raise ModelError.of(
            "tokenizer-mismatch",
            f"the checkpoint was trained with the tokenizer {adapter.tokenizer[:12]}; "
            f"model = {base.model!r} has {str(tokenizer)[:12]}",
            where="[engine.gpt2].model",
            fix="put back the tokenizer.json of the base model",
        )


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
