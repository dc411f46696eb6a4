"""What a training needs to go on after an interruption, in one file that is whole or not there.

Tensors (the learner's, its best weights so far, the optimiser's) as safetensors, everything else as
JSON in the file's own metadata. Randomness needs no state: the batches derive from (seed, epoch),
what is drawn in a batch from (seed, step). So a training that goes on ends as if it had never
stopped.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch
from attrs import asdict, define, field, frozen

from aegis.errors import ContractError, ModelError
from aegis.neural.safetensors_header import read_header
from aegis.neural.saving import save_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FILE: Final = "training.safetensors"
_KEY: Final = "aegis"
_KEPT: Final = 0.95  # of the moving average of the loss at each step


@frozen
class Measured:
    """Held-out figures after a number of steps.

    Attributes:
        step: Batches before it.
        loss: Mean weighted loss of the held-out examples.
        parts: Mean of each of the learner's further figures, without weights, over the examples
            that have it; none that no example has.
    """

    step: int
    loss: float
    parts: Mapping[str, float] = field(factory=dict)

    def figures(self) -> dict[str, float]:
        """Return what was measured, by the names of `TrainingResult.metrics`."""
        return {
            "held_out_loss": self.loss,
            **{f"held_out_{name}": value for name, value in self.parts.items()},
        }


@define
class Progress:
    """How far a training is.

    Attributes:
        step: Batches done.
        seconds: Time that it took, interruptions left out.
        average: Moving average of the training loss before it is corrected for its start at 0.
        correction: What `average` is divided by.
        first_loss: Training loss of the first batch.
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
        """The moving average of the training loss; None before the first batch."""
        return self.average / self.correction if self.correction else None

    def add_loss(self, loss: float) -> None:
        """Count the loss of one batch."""
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


class Kept(NamedTuple):
    """What was kept of an interrupted training.

    Attributes:
        progress: How far it is.
        now: The learner's tensors.
        best: The weights with the lowest held-out loss so far.
    """

    progress: Progress
    now: dict[str, torch.Tensor]
    best: dict[str, torch.Tensor]


def save_state(
    folder: Path,
    training: str,
    progress: Progress,
    *,
    now: Mapping[str, torch.Tensor],
    best: Mapping[str, torch.Tensor],
    optimiser: torch.optim.Optimizer,
) -> None:
    """Keep what a training needs to go on, replacing what was kept before in one step.

    Of the optimiser that is every tensor and number of its ``state``; its groups are not kept.

    Args:
        folder: Where to.
        training: Digest of the training's settings and data, which must be the same to go on.
        progress: How far it is.
        now: The learner's tensors.
        best: The best weights so far.
        optimiser: What changes the parameters.

    Raises:
        ContractError: ``optimiser-state`` if the optimiser keeps anything but tensors and numbers.
    """
    tensors = {f"now.{name}": tensor for name, tensor in now.items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    numbers: dict[str, float | None] = {}
    for parameter, values in optimiser.state_dict()["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimiser.{parameter}.{name}"] = value
            elif value is None or isinstance(value, int | float):
                numbers[f"{parameter}.{name}"] = value
            else:
                raise _not_kept(optimiser, name, value)
    facts = {"training": training, "progress": asdict(progress), "numbers": numbers}
    told = json.dumps({"facts": facts, "sha256": _digest(facts, tensors)})
    save_tensors(folder / _FILE, tensors, {_KEY: told})


def load_state(folder: Path, training: str, optimiser: torch.optim.Optimizer) -> Kept | None:
    """Put the optimiser's state of an interrupted training in force; return what else was kept.

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
        told = json.loads(read_header(path).metadata[_KEY])
        facts, tensors = told["facts"], _tensors(path)
        if told["sha256"] != _digest(facts, tensors):
            raise ValueError("its content is not what was written")  # noqa: TRY301 - one place tells
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
    _restore(optimiser, {**facts["numbers"], **_named("optimiser", tensors)})
    return Kept(_progress(facts["progress"]), _named("now", tensors), _named("best", tensors))


def _restore(optimiser: torch.optim.Optimizer, kept: Mapping[str, Any]) -> None:
    """Set the state of an optimiser's parameters, by ``number.name``."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in kept.items():
        parameter, _, name = key.partition(".")
        state.setdefault(int(parameter), {})[name] = value
    optimiser.load_state_dict(
        {"state": state, "param_groups": optimiser.state_dict()["param_groups"]}
    )
    parameters = [weight for group in optimiser.param_groups for weight in group["params"]]
    for number, values in state.items():  # torch gives all of it the parameter's own type
        own = optimiser.state[parameters[number]]
        for name, value in values.items():
            if isinstance(value, torch.Tensor) and own[name].dtype != value.dtype:
                own[name] = value.to(own[name].device)


def _named(kind: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    start = f"{kind}."
    return {
        key.removeprefix(start): tensor for key, tensor in tensors.items() if key.startswith(start)
    }


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


def _progress(raw: dict[str, Any]) -> Progress:
    curve = [Measured(**measured) for measured in raw["curve"]]
    return Progress(**{**raw, "curve": curve})


def _digest(facts: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> str:
    total = hashlib.sha256(json.dumps(facts, sort_keys=True).encode("ascii"))
    for name, tensor in sorted(tensors.items()):
        total.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        content = tensor.detach().cpu().contiguous().flatten()
        total.update(content.view(torch.uint8).numpy().data)
    return total.hexdigest()


def _not_kept(optimiser: torch.optim.Optimizer, name: str, value: object) -> ContractError:
    return ContractError.of(
        "optimiser-state",
        f"{type(optimiser).__name__} keeps {name} as a {type(value).__name__}; tensors and numbers "
        "can be kept to go on with",
        fix="use an optimiser that keeps only those, such as torch.optim.AdamW",
    )
