"""The manifest of a checkpoint: what it is, what made it from what, and every file's digest.

A manifest is canonical JSON: sorted keys, no spaces, ASCII. A checkpoint's identifier is the
beginning of the sha256 of those bytes, so that neither the manifest nor a file that it names can
change without the identifier changing. Reading is strict: a key too many or too few, a value of
another type, a name that no file of a checkpoint may have is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping  # noqa: TC003 - resolved when a manifest is read
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict, frozen

from aegis.checkpoints import content
from aegis.config.structure import from_json, to_json
from aegis.contracts.names import is_name
from aegis.errors import InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE: Final = content.MANIFEST
FORMAT: Final = 1
LARGEST: Final = 8 << 20
"""Bytes of a manifest; it names the steps of its data as ranges."""

_IDENTIFIER: Final = re.compile(r"[0-9a-f]{16}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_LONGEST: Final = 300
"""Characters of a name or version."""


@frozen
class FileFacts:
    """The digest and the size of one file."""

    sha256: str
    bytes: int


@frozen(kw_only=True)
class Draft:
    """Everything that a manifest says but the files.

    Attributes:
        component: Name of the engine.
        kind: Kind of the engine (``causal-lm``).
        distribution: Distribution of the plugin that provides the engine.
        version: Its version; empty for a local file.
        plugin_api: Version of the plugin interface that it was made under.
        trainer: Name of the trainer.
        trainer_distribution: Distribution of the plugin that provides the trainer.
        trainer_version: Its version.
        config: Settings of the engine with its parts, and of the trainer.
        tokenizer_fingerprint: Of the tokenizer that it was trained with, or None.
        parent: The checkpoint that the training started from, None for configured weights.
        needs: What it is served with beside its files, by name.
        dataset: What it was trained on: digest, split, steps as ranges, counts by origin.
        metrics: Figures that are the same whenever the training is repeated.
        seed: Seed of the training.
    """

    component: str
    kind: str
    distribution: str
    version: str
    plugin_api: int
    trainer: str
    trainer_distribution: str
    trainer_version: str
    config: Mapping[str, Any]
    tokenizer_fingerprint: str | None
    parent: str | None
    needs: Mapping[str, str]
    dataset: Mapping[str, Any]
    metrics: Mapping[str, float]
    seed: int


@frozen(kw_only=True)
class Manifest(Draft):
    """A whole manifest; `files` has every file of the folder but itself, by relative name."""

    files: Mapping[str, FileFacts]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(facts.bytes for facts in self.files.values())


def is_identifier(text: object) -> bool:
    """Return whether `text` may be the identifier of a checkpoint."""
    return isinstance(text, str) and _IDENTIFIER.fullmatch(text) is not None


def identifier(data: bytes) -> str:
    """Return the identifier of the checkpoint with a manifest of these bytes."""
    return hashlib.sha256(data).hexdigest()[:16]


def written(draft: Draft, files: Mapping[str, FileFacts]) -> bytes:
    """Return the manifest of a draft and its files as bytes.

    Raises:
        InputError: ``not-json`` if the draft holds what JSON has not.
        ModelError: ``manifest-unusable`` if it would not be read back.
    """
    values = {"format": FORMAT, **to_json(draft)}
    values["files"] = {name: asdict(facts) for name, facts in files.items()}
    data = _canonical(values)
    try:
        parsed(data)
    except ValueError as error:
        raise ModelError.of(
            "manifest-unusable", f"what the training says of its result cannot be kept: {error}"
        ) from error
    return data


def parsed(data: bytes) -> Manifest:
    """Return the manifest that `data` is.

    Raises:
        ValueError: With everything that is wrong with it.
    """
    if len(data) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST} bytes")
    try:
        values = json.loads(data.decode("ascii"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(values, dict) or _canonical(values) != data:
        raise ValueError("it is not in the form that Aegis writes")
    written_as = values.pop("format", None)
    if written_as != FORMAT:
        raise ValueError(f"it has format {written_as!r}, this program reads {FORMAT}")
    try:
        manifest = from_json(Manifest, values)
    except InputError as error:
        raise ValueError("; ".join(problem.message for problem in error.problems)) from error
    wrong = list(_wrong(manifest))
    if wrong:
        raise ValueError("; ".join(wrong))
    return manifest


def _canonical(values: Any) -> bytes:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def _wrong(manifest: Manifest) -> Iterator[str]:
    short = [manifest.kind, manifest.distribution, manifest.version]
    short += [manifest.trainer_distribution, manifest.trainer_version]
    short += [manifest.tokenizer_fingerprint or "", *manifest.needs, *manifest.needs.values()]
    if not all(len(text) <= _LONGEST and text.isprintable() for text in short):
        yield f"it holds a name or version of more than {_LONGEST} printable characters"
    if not is_name(manifest.component) or not is_name(manifest.trainer):
        yield "component and trainer are names of components"
    if manifest.parent is not None and not is_identifier(manifest.parent):
        yield "parent is no identifier of a checkpoint"
    if not manifest.files:
        yield "it names no file"
    for name, facts in manifest.files.items():
        refused = content.refusal(name, facts.bytes)
        if refused is not None:
            yield refused
        elif facts.bytes < 0 or not _DIGEST.fullmatch(facts.sha256):
            yield f"{name} has no digest and size"
