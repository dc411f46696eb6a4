"""The trainer ``hrm-imitation``: deep supervision on recorded decisions."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

import torch
from attrs import asdict

from aegis import ContractError, TrainingResult
from aegis.neural import RunSettings, TrainingRun, left_out_figures, no_examples
from aegis_hrm.engine import HrmEngine
from aegis_hrm.examples import examples_of
from aegis_hrm.facts import KIND
from aegis_hrm.learner import DeepSupervision
from aegis_hrm.settings import DESIGNS
from aegis_hrm.weights_file import weights_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aegis import Engine, ExperienceDataset, TrainingContext
    from aegis_hrm.examples import Examples
    from aegis_hrm.settings import Design
    from aegis_hrm.trainer_settings import TrainerSettings

_RESULTS: Final = frozenset({"finished", "early", "deadline"})
"""How a training ends that has a result; the engine serves it then."""
_RATE_BY_WIDTH: Final = 0.256
_LARGEST_RATE: Final = 0.002


class HrmTrainer:
    """Trains the weights of an engine ``hrm``.

    Args:
        settings: Section ``[trainer.hrm-imitation]``.
    """

    accepts = frozenset({KIND})

    def __init__(self, settings: TrainerSettings) -> None:
        self._settings = settings

    def train(
        self, engine: Engine, data: ExperienceDataset, context: TrainingContext
    ) -> TrainingResult:
        """Train and write the weights into ``context.directory``.

        Training goes on from the weights that the engine serves. Where it is interrupted or
        diverges nothing is written, and the engine serves what it served before. The weights with
        the lowest held-out loss are kept, as they are served: their average, at the segments after
        which decisions are made.

        Raises:
            ContractError: If the engine is none of this plugin's.
            ModelError: If the state to go on with is damaged or of another training.
            InputError: ``no-examples`` if no step trains anything under the objective.
        """
        if not isinstance(engine, HrmEngine):
            raise ContractError.of(
                "trainer-engine",
                f"the trainer hrm-imitation trains the engine hrm, not {type(engine).__name__}",
            )
        settings, network = self._settings, engine.module
        train = examples_of(data, engine.layout, settings)
        if not train.rows:
            raise no_examples(train.left_out, settings.objective, "trainer.hrm-imitation")
        held_out = examples_of(context.validation, engine.layout, settings, train.scale)
        before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
        rate = settings.learning_rate or default_rate(network.shape.hidden)
        learner = DeepSupervision(
            network,
            engine.budget,
            segments=self._segments(engine),
            ema=self._ema(engine),
            halting_loss=settings.halting_loss,
            learning_rate=rate,
            weight_decay=settings.weight_decay,
        )
        kept: Mapping[str, torch.Tensor] = before
        try:
            run = TrainingRun(
                learner=learner,
                train=train.rows,
                held_out=held_out.rows,
                settings=RunSettings(
                    epochs=settings.epochs,
                    batch_size=settings.batch_size,
                    tokens_at_once=settings.tokens_at_once,
                    learning_rate=rate,
                    warmup=settings.warmup,
                    floor=settings.floor,
                    evaluations=settings.evaluations,
                    patience=settings.patience,
                ),
                context=context,
                identity=self._identity(engine, before, train, held_out, context.seed),
                total_parameters=network.shape.parameters,
            )
            stopped_because = run.go()
            if stopped_because in _RESULTS:
                kept = run.kept()
        finally:
            _put(network, kept)
        if stopped_because in _RESULTS:
            engine.save(context.directory)
            engine.serve(weights_digest(context.directory))
        return TrainingResult(
            directory=context.directory,
            metrics={**run.metrics(), **left_out_figures(train.left_out)},
            examples=run.examples_seen,
            epochs=run.epochs_done,
            stopped_because=stopped_because,
            needs={"tokenizer": network.fingerprint},
        )

    def _segments(self, engine: HrmEngine) -> int:
        if engine.module.shape.hierarchy == "plain":
            return 1
        return self._settings.segments or _design(engine).training_segments

    def _ema(self, engine: HrmEngine) -> float:
        wanted = self._settings.ema
        return _design(engine).ema if wanted is None else wanted

    def _identity(
        self,
        engine: HrmEngine,
        before: Mapping[str, torch.Tensor],
        train: Examples,
        held_out: Examples,
        seed: int,
    ) -> str:
        """Return a digest of everything that a training's result follows from."""
        weights = hashlib.sha256()
        for weight in before.values():
            weights.update(weight.cpu().numpy().tobytes())
        parts = {
            "trainer": asdict(self._settings),
            "shape": asdict(engine.module.shape),
            "budget": asdict(engine.budget),
            "segments": self._segments(engine),
            "ema": self._ema(engine),
            "weights": weights.hexdigest(),
            "train": train.digest,
            "held_out": held_out.digest,
            "seed": seed,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("ascii")).hexdigest()


def default_rate(hidden: int) -> float:
    """Return a learning rate of AdamATan2 for states of a width."""
    return min(_LARGEST_RATE, _RATE_BY_WIDTH / hidden)


def _design(engine: HrmEngine) -> Design:
    return DESIGNS[engine.preset]


@torch.no_grad()
def _put(network: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Let the network compute with weights, ready to serve."""
    for name, weight in network.named_parameters():
        weight.copy_(weights[name])
        weight.grad = None
    network.eval()
