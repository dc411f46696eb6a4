"""The trainer ``policy-gradient``: engines of torch learn from rewards, by way of a critic."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final, cast

import torch
from attrs import asdict

from aegis.contracts.roles import TrainingResult
from aegis.errors import ContractError
from aegis.neural import RunSettings, TrainingRun
from aegis_reinforce.fitting import FitSettings
from aegis_reinforce.learning import Stopped, learned
from aegis_reinforce.policy_learner import Decision, PolicyLearner
from aegis_reinforce.settings import POLICY_GRADIENT, TORCH_KINDS
from aegis_reinforce.transitions import Transitions, usable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aegis.contracts.experience import Experience
    from aegis.contracts.roles import Engine, ExperienceDataset, TrainingContext
    from aegis.neural import TorchEngine
    from aegis_reinforce.critic import Critic
    from aegis_reinforce.settings import PolicyGradientSettings

_RESULTS: Final = frozenset({"finished", "early", "deadline"})
"""How a training ends that has a result; the engine serves it then."""


class PolicyGradient:
    """Trains all weights of an engine whose log-probabilities have a gradient.

    Args:
        settings: Section ``[trainer.policy-gradient]``.
    """

    accepts = TORCH_KINDS

    def __init__(self, settings: PolicyGradientSettings) -> None:
        self._settings = settings

    def train(
        self, engine: Engine, data: ExperienceDataset, context: TrainingContext
    ) -> TrainingResult:
        """Fit a critic to the steps, train the engine on it, and write it whole.

        The steps may be anybody's: what is learned of them is what candidates bring, and the
        engine is trained on all candidates of every step, not on the one that was taken. The
        critic follows from steps, settings and seed, and is fitted again where a training goes on.

        Raises:
            ContractError: If the engine has no log-probabilities with a gradient.
            InputError: ``no-examples`` or ``rewards-constant`` if there is nothing to learn.
            ModelError: If the state to go on with is damaged or of another training.
        """
        if not (hasattr(engine, "module") and hasattr(engine, "log_probabilities")):
            raise ContractError.of(
                "trainer-engine",
                f"the trainer {POLICY_GRADIENT} trains engines of torch, which "
                f"{type(engine).__name__} is not",
            )
        torch_engine = cast("TorchEngine", engine)
        settings, module = self._settings, torch_engine.module
        fit = FitSettings(
            discount=settings.discount,
            temperature=settings.backup_temperature,
            iterations=settings.iterations,
        )
        try:
            found = learned(
                data,
                context,
                fit,
                hidden=settings.hidden,
                section=f"trainer.{POLICY_GRADIENT}",
                report=lambda _: None,
            )
        except Stopped as stopped:
            return TrainingResult(
                directory=context.directory,
                metrics={},
                examples=0,
                epochs=0.0,
                stopped_because=stopped.because,
            )
        train = _decisions(found.critic, found.steps[-settings.newest :])
        held_out = _decisions(found.critic, usable(context.validation))
        before = {name: weight.detach().clone() for name, weight in module.named_parameters()}
        kept: Mapping[str, torch.Tensor] = before
        try:
            run = TrainingRun(
                learner=PolicyLearner(torch_engine, settings),
                train=train,
                held_out=held_out,
                settings=RunSettings(
                    epochs=settings.epochs,
                    batch_size=settings.batch_size,
                    tokens_at_once=settings.tokens_at_once,
                    learning_rate=settings.learning_rate,
                    warmup=settings.warmup,
                    floor=settings.floor,
                    max_grad_norm=settings.max_grad_norm,
                    evaluations=settings.evaluations,
                    patience=settings.patience,
                ),
                context=context,
                identity=self._identity(torch_engine, before, train, held_out, context.seed),
                total_parameters=sum(weight.numel() for weight in before.values()),
            )
            stopped_because = run.go()
            if stopped_because in _RESULTS:
                kept = run.kept()
        finally:
            _put(module, kept)
        if stopped_because in _RESULTS:
            engine.save(context.directory)
        explained = {
            name: value for name, value in found.figures.items() if name.endswith("explained")
        }
        fingerprint = torch_engine.tokenizer.capabilities.fingerprint
        return TrainingResult(
            directory=context.directory,
            metrics={**run.metrics(), **explained},
            examples=run.examples_seen,
            epochs=run.epochs_done,
            stopped_because=stopped_because,
            needs={} if fingerprint is None else {"tokenizer": fingerprint},
        )

    def _identity(
        self,
        engine: TorchEngine,
        before: Mapping[str, torch.Tensor],
        train: Iterable[Decision],
        held_out: Iterable[Decision],
        seed: int,
    ) -> str:
        """Return a digest of everything that a training's result follows from."""
        total = hashlib.sha256()
        for weight in before.values():
            total.update(weight.cpu().numpy().tobytes())
        for side in (train, held_out):
            for row in side:
                total.update(row.view.digest.encode("ascii"))
                total.update(repr([action.key for action in row.candidates]).encode())
                total.update(row.values.numpy().tobytes())
            total.update(b"|")
        parts = {
            "trainer": asdict(self._settings),
            "engine": engine.capabilities.kind,
            "content": total.hexdigest(),
            "seed": seed,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("ascii")).hexdigest()


@torch.no_grad()
def _decisions(critic: Critic, steps: Sequence[Experience]) -> list[Decision]:
    """Return what is trained of some steps: those with a choice."""
    steps = [step for step in steps if len(step.decision.candidates) > 1]
    shown = Transitions.of(steps, critic.shape.columns)
    values = critic(shown.rows, shown.present) if steps else torch.empty(0, 0)
    return [
        Decision.of(step.view, step.decision.candidates, row[: len(step.decision.candidates)])
        for step, row in zip(steps, values, strict=True)
    ]


@torch.no_grad()
def _put(module: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Let a module compute with weights, ready to serve."""
    for name, weight in module.named_parameters():
        weight.copy_(weights[name])
        weight.grad = None
    module.eval()
