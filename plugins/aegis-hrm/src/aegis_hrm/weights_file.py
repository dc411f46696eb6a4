"""The engine's weights as a folder: safetensors, the shape they fit, the tokenizer they mean.

The files of the folder::

    model.safetensors          the weights
    hrm.json                   {"aegis": "hrm", "version": 1, "layout": 1, "fingerprint": ..., ...}
    tokenizer/tokenizer.json   what the ids are
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict, evolve, frozen

from aegis import ModelError
from aegis.neural import read_header, save_json, save_tensors
from aegis_hrm.model.shape import ModelShape
from aegis_hrm.special_tokens import LAYOUT_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

    from aegis import Tokenizer
    from aegis_hrm.decision.network import DecisionNetwork

WEIGHTS: Final = "model.safetensors"
FACTS: Final = "hrm.json"
TOKENIZER: Final = "tokenizer"
_VERSION: Final = 1
_IN_TRAINING: Final = ("gradient",)
"""Facts of a shape that change nothing that is served."""
_KEYS: Final = {
    "vocabulary": "embedding_rows",
    "h_layers": "layers",
    "l_layers": "layers",
    "sequence": "context",
}
"""Facts of a shape whose key in ``[engine.hrm]`` has another name."""


@frozen(eq=False)
class Stored:
    """Weights with what they need.

    Attributes:
        tensors: By name.
        fingerprint: Of the tokenizer and the layout whose ids they take.
        digest: Short digest that identifies them.
    """

    tensors: Mapping[str, torch.Tensor]
    fingerprint: str
    digest: str


def save_weights(directory: Path, network: DecisionNetwork, tokenizer: Tokenizer) -> None:
    """Write everything into an empty folder."""
    save_tensors(directory / WEIGHTS, network.state_dict())
    facts = {
        "aegis": "hrm",
        "version": _VERSION,
        "layout": LAYOUT_VERSION,
        "fingerprint": network.fingerprint,
        "shape": asdict(network.shape),
    }
    save_json(directory / FACTS, facts)
    (directory / TOKENIZER).mkdir()
    tokenizer.save(directory / TOKENIZER)


def read_weights(directory: Path, shape: ModelShape) -> Stored:
    """Return the weights of a folder that fit a shape.

    Raises:
        ModelError: ``weights-damaged`` if the folder is not what was written,
            ``weights-shape`` if it is of another architecture.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        facts: dict[str, Any] = json.loads((directory / FACTS).read_bytes())
        if (facts["aegis"], facts["version"], facts["layout"]) != ("hrm", _VERSION, LAYOUT_VERSION):
            raise ValueError(f"not weights of version {_VERSION}, layout {LAYOUT_VERSION}")  # noqa: TRY301 - one place tells
        stored = ModelShape(**facts["shape"])
        fingerprint = str(facts["fingerprint"])
        read_header(directory / WEIGHTS)
        tensors = load_file(directory / WEIGHTS)
    except ModelError as error:
        raise damaged(directory, error.problems[0].message) from error
    except OSError as error:
        raise damaged(directory, str(error)) from error
    except (ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
        raise damaged(directory, repr(error)) from error
    _check_shape(stored, shape, directory)
    return Stored(tensors, fingerprint, weights_digest(directory))


def damaged(directory: Path, why: str) -> ModelError:
    """Return the error for a folder that is not what was written."""
    return ModelError.of(
        "weights-damaged",
        f"the weights of engine hrm cannot be read: {why}",
        where=str(directory),
        fix="go back to another checkpoint: aegis checkpoints rollback",
    )


def weights_digest(directory: Path) -> str:
    """Return a short digest of the files that decide what is answered."""
    total = hashlib.sha256()
    for name in (WEIGHTS, FACTS):
        total.update(hashlib.sha256((directory / name).read_bytes()).digest())
    return total.hexdigest()[:16]


def _check_shape(stored: ModelShape, wanted: ModelShape, directory: Path) -> None:
    free = {name: getattr(wanted, name) for name in _IN_TRAINING}
    if stored.positions != "learned":
        free["sequence"] = wanted.sequence
    stored = evolve(stored, **free)
    if stored == wanted:
        return
    before, now = asdict(stored), asdict(wanted)
    if before["hierarchy"] != now["hierarchy"]:
        now["h_layers"] = before["h_layers"]  # follows from the hierarchy
    unlike = {_KEYS.get(name, name): before[name] for name in before if before[name] != now[name]}
    apart = [f"{key} = {json.dumps(value)}" for key, value in unlike.items()]
    raise ModelError.of(
        "weights-shape",
        f"the checkpoint is of another architecture: it has {', '.join(apart)}",
        where=f"[engine.hrm]; {directory}",
        fix="set these keys of [engine.hrm], or roll back: aegis checkpoints rollback",
    )
