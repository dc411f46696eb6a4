"""Training an engine's module in place: what it serves afterwards, and what is written of it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar, cast

import torch
from attrs import asdict

from aegis.contracts.roles import TrainingResult
from aegis.errors import ContractError
from aegis.neural.learner import TrainingExample
from aegis.neural.module_learner import ModuleLearner
from aegis.neural.training_run import TrainingRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aegis.contracts.roles import Engine, TrainingContext
    from aegis.neural.learner import Learner, Losses
    from aegis.neural.run_settings import RunSettings
    from aegis.neural.torch_engine import TorchEngine

RESULTS: Final = frozenset({"finished", "early", "deadline"})
"""How a training ends that has a result; the engine serves it then."""

Example = TypeVar("Example", bound=TrainingExample)


class TrainedInPlace(NamedTuple, Generic[Example]):
    """A training that has come to its end.

    Attributes:
        run: The training.
        stopped_because: Why it ended, as `TrainingResult` names it.
    """

    run: TrainingRun[Example]
    stopped_because: str

    @property
    def has_result(self) -> bool:
        """Whether there are weights to be served; the module has them then."""
        return self.stopped_because in RESULTS


def as_torch_engine(engine: Engine, trainer: str) -> TorchEngine:
    """Return an engine as one with a module and differentiable log-probabilities.

    Args:
        engine: Any engine.
        trainer: Name of the trainer that asks, for the message.

    Raises:
        ContractError: ``trainer-engine`` if it is none.
    """
    if not (hasattr(engine, "module") and hasattr(engine, "log_probabilities")):
        raise ContractError.of(
            "trainer-engine",
            f"the trainer {trainer} trains engines of torch, which {type(engine).__name__} is not",
        )
    return cast("TorchEngine", engine)


def train_in_place(
    module: torch.nn.Module,
    learner: Learner[Example],
    *,
    train: Sequence[Example],
    held_out: Sequence[Example],
    settings: RunSettings,
    context: TrainingContext,
    identity: Mapping[str, Any],
) -> TrainedInPlace[Example]:
    """Train a module; it ends with the best weights, or with those it had where nothing came of it.

    Args:
        module: What the learner trains.
        learner: Its learner.
        train: Examples to train on, at least one.
        held_out: Examples to measure on, or none.
        settings: How it goes.
        context: What the trainer was told.
        identity: Everything else that the result follows from, JSON values; a state is gone on
            with only where weights, seed and this are the same.

    Raises:
        ModelError: If the state to go on with is damaged or of another training.
    """
    before = {
        name: weight.detach().clone()
        for name, weight in module.named_parameters()
        if weight.requires_grad
    }
    kept: Mapping[str, torch.Tensor] = before
    try:
        run = TrainingRun(
            learner=learner,
            train=train,
            held_out=held_out,
            settings=settings,
            context=context,
            identity=_digest(
                {
                    **identity,
                    "weights": _weights(module),
                    "seed": context.seed,
                    "in_order": context.in_order,
                }
            ),
            total_parameters=sum(weight.numel() for weight in module.parameters()),
        )
        trained = TrainedInPlace(run, run.go())
        if trained.has_result:
            kept = run.kept()
    finally:
        _put(module, kept)
    return trained


def train_module(
    engine: Engine,
    losses: Callable[[Sequence[Example], bool], Losses],
    *,
    train: Sequence[Example],
    held_out: Sequence[Example],
    settings: RunSettings,
    context: TrainingContext,
    weight_decay: float = 0.01,
    ema: float = 0.0,
    identity: Mapping[str, Any] | None = None,
) -> TrainingResult:
    """Train the weights of an engine of torch and write the engine into ``context.directory``.

    Stop signal, deadline, divergence, held-out measurements, early stopping and an interrupted
    training that goes on are all taken care of (`TrainingRun`). Where nothing came of it nothing
    is written, and the engine serves what it served before.

    Args:
        engine: An engine with the role `TorchEngine`.
        losses: What is trained (`ModuleLearner`).
        train: Examples to train on, at least one.
        held_out: Examples to measure on, or none.
        settings: How it goes.
        context: What the trainer was told.
        weight_decay: AdamW's, on matrices alone.
        ema: How much of the weights' moving average is kept at a step; 0 for none.
        identity: What the result follows from beside weights, seed, `settings` and what the
            examples say of themselves (their ``repr``): the trainer's own settings.

    Raises:
        ContractError: ``trainer-engine`` if the engine has no module, or no differentiable
            log-probabilities.
        ModelError: If the state to go on with is damaged or of another training.
    """
    served = as_torch_engine(engine, "that was asked")
    parts = {
        "engine": engine.capabilities.kind,
        "run": asdict(settings),
        "weight_decay": weight_decay,
        "ema": ema,
        "train": _said(train),
        "held_out": _said(held_out),
        **(identity or {}),
    }
    trained = train_in_place(
        served.module,
        ModuleLearner(served.module, losses, weight_decay=weight_decay, ema=ema),
        train=train,
        held_out=held_out,
        settings=settings,
        context=context,
        identity=parts,
    )
    served.module.eval()
    if trained.has_result:
        engine.save(context.directory)
    fingerprint = served.tokenizer.capabilities.fingerprint
    return TrainingResult(
        directory=context.directory,
        metrics=trained.run.metrics(),
        examples=trained.run.examples_seen,
        epochs=trained.run.epochs_done,
        stopped_because=trained.stopped_because,
        needs={} if fingerprint is None else {"tokenizer": fingerprint},
    )


def _said(examples: Sequence[object]) -> str:
    total = hashlib.sha256()
    for example in examples:
        total.update(repr(example).encode("utf-8", "backslashreplace"))
    return total.hexdigest()


def _weights(module: torch.nn.Module) -> str:
    total = hashlib.sha256()
    for weight in module.parameters():
        total.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def _digest(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("ascii")).hexdigest()


@torch.no_grad()
def _put(module: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Let a module compute with weights, without gradients left over."""
    for name, weight in module.named_parameters():
        if name in weights:
            weight.copy_(weights[name])
        weight.grad = None
