"""A critic as a folder: safetensors, and what its numbers mean.

The files of the folder::

    critic.safetensors   the weights
    critic.json          {"aegis": "critic", "version": 1, "hidden": 48, "tools": [...], ...}

Where nothing was learned there are no weights, and ``"hidden": 0``.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from aegis import ModelError
from aegis.neural import read_header, save_json, save_tensors
from aegis_reinforce.critic import Critic, CriticShape
from aegis_reinforce.features import Columns

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS: Final = "critic.safetensors"
FACTS: Final = "critic.json"
_VERSION: Final = 1


def save_critic(directory: Path, critic: Critic | None) -> None:
    """Write a critic, or that there is none, into an empty folder."""
    facts: dict[str, Any] = {"aegis": "critic", "version": _VERSION, "hidden": 0}
    if critic is not None:
        save_tensors(directory / WEIGHTS, critic.state_dict())
        facts |= {"hidden": critic.shape.hidden, **critic.shape.columns.facts()}
    save_json(directory / FACTS, facts)


def read_critic(directory: Path) -> Critic | None:
    """Return the critic of a folder, or None where nothing was learned.

    Raises:
        ModelError: ``weights-damaged`` if the folder is not what was written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        facts: dict[str, Any] = json.loads((directory / FACTS).read_bytes())
        if (facts["aegis"], facts["version"]) != ("critic", _VERSION):
            raise ValueError(f"not a critic of version {_VERSION}")  # noqa: TRY301 - one place tells
        if facts["hidden"] == 0 and not (directory / WEIGHTS).exists():
            return None
        shape = CriticShape(Columns.from_facts(facts), int(facts["hidden"]))
        read_header(directory / WEIGHTS)
        critic = Critic(shape)
        critic.load_state_dict(load_file(directory / WEIGHTS))
    except ModelError as error:
        raise _damaged(directory, error.problems[0].message) from error
    except OSError as error:
        raise _damaged(directory, str(error)) from error
    except (
        ValueError,
        KeyError,
        TypeError,
        RuntimeError,  # a tensor is missing, unknown or of another shape
        RecursionError,
        SafetensorError,
    ) as error:
        raise _damaged(directory, repr(error)) from error
    return critic


def critic_digest(directory: Path) -> str:
    """Return a short digest of the files that decide what is answered."""
    total = hashlib.sha256()
    for file in (directory / WEIGHTS, directory / FACTS):
        if file.exists():
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:16]


def _damaged(directory: Path, why: str) -> ModelError:
    return ModelError.of(
        "weights-damaged",
        f"the action values cannot be read: {why}",
        where=str(directory),
        fix="go back to another checkpoint: aegis checkpoints rollback",
    )
