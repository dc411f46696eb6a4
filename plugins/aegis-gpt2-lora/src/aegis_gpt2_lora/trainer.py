"""The trainer ``gpt2-lora``: low-rank adaptation of a causal language model on recorded steps."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from attrs import asdict, evolve

from aegis import ModelError, TrainingResult
from aegis.neural import TrainingRun, derived_seed, left_out_figures
from aegis_gpt2_lora.adapter import merge, put_on
from aegis_gpt2_lora.adapter_file import StoredAdapter, save_adapter
from aegis_gpt2_lora.base import weights_digest
from aegis_gpt2_lora.facts import KIND
from aegis_gpt2_lora.gpt2 import Gpt2
from aegis_gpt2_lora.learner import AdapterLearner, pairs_of
from aegis_gpt2_lora.learning_rate import default_rate
from aegis_gpt2_lora.loading import restore
from aegis_gpt2_lora.objective import Objective
from aegis_gpt2_lora.packed_model import PackedModel
from aegis_gpt2_lora.training import (
    RESULTS,
    digest_of,
    fingerprint,
    gpt_engine,
    run_settings,
    train_and_held_out,
)
from aegis_gpt2_lora.transformers_trees import TransformersTrees

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aegis import Engine, ExperienceDataset, TrainingContext
    from aegis_gpt2_lora.adapter import Adapter
    from aegis_gpt2_lora.adapter_file import AdapterShape, Pair
    from aegis_gpt2_lora.base import Base
    from aegis_gpt2_lora.engine import GptEngine
    from aegis_gpt2_lora.examples import Examples
    from aegis_gpt2_lora.trainer_settings import TrainerSettings

NAME: Final = "gpt2-lora"


class LoraTrainer:
    """Trains adapters on an engine ``gpt2`` and leaves them merged into its weights.

    Args:
        settings: Section ``[trainer.gpt2-lora]``.
    """

    accepts = frozenset({KIND})

    def __init__(self, settings: TrainerSettings) -> None:
        self._settings = settings

    def train(
        self, engine: Engine, data: ExperienceDataset, context: TrainingContext
    ) -> TrainingResult:
        """Train and write the adapter into ``context.directory``.

        Training starts from the adapter that the engine serves, where it serves one, and from
        nothing learned otherwise. Where it is interrupted or diverges nothing is written, and the
        engine serves what it served before. Without held-out steps all epochs are trained and the
        last weights are kept; ``held_out_examples`` says 0 then.

        Raises:
            ContractError: If the engine is none of this plugin's.
            ModelError: If the adapter cannot stand on the model, or the state to go on with is
                of another training.
            InputError: ``no-examples`` if no step trains anything under the objective.
        """
        gpt = gpt_engine(engine, NAME)
        base = _required_base(gpt)
        train, held_out = train_and_held_out(gpt, data, context, self._settings, NAME)
        adapter = self._put_on(gpt, base, context.seed)
        try:
            run = TrainingRun(
                learner=AdapterLearner(objective_of(gpt), adapter, self._settings),
                train=train.rows,
                held_out=held_out.rows,
                settings=run_settings(
                    self._settings, self._settings.learning_rate or default_rate(adapter.width)
                ),
                context=context,
                identity=self._identity(gpt, base, train, held_out, context.seed),
                total_parameters=adapter.total,
            )
            stopped_because = run.go()
        except BaseException:
            self._leave(gpt, adapter, base.adapter)
            raise
        kept = pairs_of(run.kept())
        stored = StoredAdapter(adapter.shape, kept, base.model, base.weights, fingerprint(gpt))
        if stopped_because in RESULTS:
            self._leave(gpt, adapter, stored)
            gpt.tokenizer.save(context.directory)
            save_adapter(
                context.directory,
                stored,
                dropout=self._settings.dropout,
                transposed=adapter.transposed or isinstance(gpt.module, Gpt2),
            )
            gpt.base = evolve(base, adapter=stored)
            gpt.capabilities = evolve(
                gpt.capabilities, weights=weights_digest(base.digests, context.directory)
            )
        else:
            self._leave(gpt, adapter, base.adapter)
        return TrainingResult(
            directory=context.directory,
            metrics={**run.metrics(), **left_out_figures(train.left_out)},
            examples=run.examples_seen,
            epochs=run.epochs_done,
            stopped_because=stopped_because,
            needs={
                "base_model": base.model,
                "base_weights": base.weights,
                "tokenizer": fingerprint(gpt),
            },
        )

    def _put_on(self, engine: GptEngine, base: Base, seed: int) -> Adapter:
        settings, start = self._settings, base.adapter
        adapter = put_on(
            engine.module,
            settings.targets,
            rank=settings.rank,
            alpha=settings.alpha,
            dropout=settings.dropout,
            seed=derived_seed(seed, "adapters"),
        )
        if start is not None:
            restore(engine.module, base.folder, start.pairs)
            if adapter.shape != start.shape or adapter.pairs().keys() != start.pairs.keys():
                self._leave(engine, adapter, start)
                raise _other_shape(adapter.shape, start.shape)
            adapter.load(start.pairs)
        return adapter

    def _leave(self, engine: GptEngine, adapter: Adapter, serve: StoredAdapter | None) -> None:
        """Take the wrappers off and let the engine serve an adapter, or the base model."""
        adapter.take_off()
        if serve is not None:
            merge(engine.module, serve.pairs, serve.shape.scaling)

    def _identity(
        self, engine: GptEngine, base: Base, train: Examples, held_out: Examples, seed: int
    ) -> str:
        """Return a digest of everything that a training's result follows from."""
        start: Mapping[str, Pair] = base.adapter.pairs if base.adapter is not None else {}
        weights = hashlib.sha256()
        for pair in start.values():
            for matrix in pair:
                weights.update(matrix.numpy().tobytes())
        return digest_of(
            {
                "trainer": asdict(self._settings),
                "engine": asdict(engine.settings),
                "base": base.weights,
                "adapter": weights.hexdigest(),
                "train": train.digest,
                "held_out": held_out.digest,
                "seed": seed,
            }
        )


def _required_base(engine: GptEngine) -> Base:
    """Return what the engine's weights come from, where an adapter can stand on it."""
    base = engine.base
    if base is None or not base.model:
        raise ModelError.of(
            "adapter-no-base",
            "the engine serves a whole model that no configuration names; an adapter stands on "
            "the configured model",
            where="[engine.gpt2].model",
            fix="set model to the folder of that model, and train from there",
        )
    return base


def objective_of(engine: GptEngine) -> Objective:
    """Return the losses of an engine, computed in the way that fits its module."""
    if isinstance(engine.module, Gpt2):
        return Objective(engine, PackedModel(engine.module), engine.module.head)
    return Objective(engine, TransformersTrees(engine.module), lambda logits: logits)


def _other_shape(wanted: AdapterShape, found: AdapterShape) -> ModelError:
    shown = [f"rank {s.rank}, alpha {s.alpha}, targets {list(s.targets)}" for s in (found, wanted)]
    return ModelError.of(
        "adapter-shape",
        f"the engine serves an adapter of {shown[0]}; the settings ask for {shown[1]}",
        where="[trainer.gpt2-lora]",
        fix="train on with the same settings, or roll back to the base model first: "
        "aegis checkpoints rollback",
    )
