"""What a training needs to go on after an interruption, in one file that is whole or not there.

Tensors (adapters, the best ones so far, AdamW's moments) as safetensors, everything else as JSON in
the file's own metadata. Randomness needs no state: the batches derive from (seed, epoch), what
dropout leaves out from (seed, step). So a training that goes on ends as if it had never stopped.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

import torch
from attrs import asdict, define, field, frozen

from aegis.errors import ModelError
from aegis.neural.safetensors_header import read_header
from aegis_gpt2_lora.adapter_file import Pair
from aegis_gpt2_lora.saving import save_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aegis_gpt2_lora.adapter import Adapter

_FILE: Final = "training.safetensors"
_KEY: Final = "aegis"
_KEPT: Final = 0.95  # of the moving average of the loss at each step
_MOMENTS: Final = ("exp_avg", "exp_avg_sq")


@frozen
class Measured:
    """Held-out figures after a number of steps.

    Attributes:
        step: Optimiser steps before it.
        loss: Mean weighted loss of the held-out examples.
        choice_loss: Mean of the choices' losses, without weights, over examples with a choice;
            None where there is none.
        text_loss: The same of texts.
        accuracy: Share of choices in which the chosen candidate is the most probable one.
    """

    step: int
    loss: float
    choice_loss: float | None
    text_loss: float | None
    accuracy: float | None

    def figures(self) -> dict[str, float]:
        """Return what was measured, by the names of `TrainingResult.metrics`."""
        found = {
            "held_out_loss": self.loss,
            "held_out_choice_loss": self.choice_loss,
            "held_out_text_loss": self.text_loss,
            "held_out_accuracy": self.accuracy,
        }
        return {name: value for name, value in found.items() if value is not None}


@define
class Progress:
    """How far a training is.

    Attributes:
        step: Optimiser steps done.
        seconds: Time that it took, interruptions left out.
        average: Moving average of the training loss before it is corrected for its start at 0.
        correction: What `average` is divided by.
        first_loss: Training loss of the first step.
        curve: Held-out figures so far, oldest first.
    """

    step: int = 0
    seconds: float = 0.0
    average: float = 0.0
    correction: float = 0.0
    first_loss: float | None = None
    curve: list[Measured] = field(factory=list)

    @property
    def loss(self) -> float | None:
        """The moving average of the training loss; None before the first step."""
        return self.average / self.correction if self.correction else None

    def add_loss(self, loss: float) -> None:
        """Count the loss of one step."""
        if self.first_loss is None:
            self.first_loss = loss
        self.average = _KEPT * self.average + (1 - _KEPT) * loss
        self.correction = _KEPT * self.correction + (1 - _KEPT)

    @property
    def best(self) -> Measured | None:
        """The measurement with the lowest held-out loss, the earliest of equals."""
        return min(self.curve, key=lambda measured: measured.loss, default=None)

    @property
    def since_best(self) -> int:
        """Measurements after the best one."""
        best = self.best
        return 0 if best is None else len(self.curve) - 1 - self.curve.index(best)


def save_state(
    folder: Path,
    training: str,
    progress: Progress,
    *,
    adapter: Adapter,
    best: Mapping[str, Pair],
    optimiser: torch.optim.Optimizer,
) -> None:
    """Keep what a training needs to go on, replacing what was kept before in one step.

    Args:
        folder: Where to.
        training: Digest of the training's settings and data, which must be the same to go on.
        progress: How far it is.
        adapter: Its adapters.
        best: The best adapters so far.
        optimiser: Its AdamW over ``adapter.parameters``.
    """
    tensors = {**_named("now", adapter.pairs()), **_named("best", best)}
    for number, weight in enumerate(adapter.parameters):
        state = optimiser.state.get(weight, {})
        tensors |= {f"{name}.{number}": state[name] for name in _MOMENTS if name in state}
    facts = {"training": training, "progress": asdict(progress), "sha256": _digest(tensors)}
    save_tensors(folder / _FILE, tensors, {_KEY: json.dumps(facts)})


def load_state(
    folder: Path, training: str, adapter: Adapter, optimiser: torch.optim.Optimizer
) -> tuple[Progress, dict[str, Pair]] | None:
    """Put an interrupted training's state in force; return its progress and its best adapters.

    Returns:
        None where nothing has been kept yet: the training begins at its start.

    Raises:
        ModelError: ``training-state-other`` if it is of other settings or data,
            ``training-state-damaged`` if it is not what was written.
    """
    path = folder / _FILE
    if not path.is_file():
        return None
    try:
        facts = json.loads(read_header(path).metadata[_KEY])
        tensors = _tensors(path)
        if facts["sha256"] != _digest(tensors):
            raise ValueError("its content is not what was written")  # noqa: TRY301 - one place tells
        progress = _progress(facts["progress"])
    except (OSError, ValueError, KeyError, TypeError, ModelError) as error:
        raise ModelError.of(
            "training-state-damaged",
            f"the state of the interrupted training cannot be read: {error}",
            where=str(path),
            fix="start the training again from its beginning",
        ) from error
    if facts["training"] != training:
        raise ModelError.of(
            "training-state-other",
            "the interrupted training had other settings, another model or other data",
            where=str(path),
            fix="go on with those, or start a new training",
        )
    names = list(adapter.pairs())
    adapter.load(_pairs("now", names, tensors))
    for number, weight in enumerate(adapter.parameters):
        if f"{_MOMENTS[0]}.{number}" in tensors:
            moments = {name: tensors[f"{name}.{number}"].to(weight.device) for name in _MOMENTS}
            optimiser.state[weight] = {"step": torch.tensor(float(progress.step)), **moments}
    return progress, _pairs("best", names, tensors)


def _named(kind: str, pairs: Mapping[str, Pair]) -> dict[str, torch.Tensor]:
    return {
        f"{kind}.{name}.{letter}": matrix
        for name, pair in pairs.items()
        for letter, matrix in zip("AB", pair, strict=True)
    }


def _pairs(kind: str, names: list[str], tensors: Mapping[str, torch.Tensor]) -> dict[str, Pair]:
    return {name: Pair(tensors[f"{kind}.{name}.A"], tensors[f"{kind}.{name}.B"]) for name in names}


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


def _progress(raw: dict[str, Any]) -> Progress:
    curve = [Measured(**measured) for measured in raw.pop("curve")]
    return Progress(**raw, curve=curve)


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(name.encode("ascii"))
        total.update(tensors[name].detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()
