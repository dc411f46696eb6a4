"""The loop of a training: steps, held-out measurements, when to stop, what to keep."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

import torch

from aegis_gpt2_lora.batches import batches, derived_seed, pieces
from aegis_gpt2_lora.objective import weighted
from aegis_gpt2_lora.resuming import Measured, Progress, load_state, save_state
from aegis_gpt2_lora.schedule import default_rate, evaluation_steps, rate_factor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis.contracts.roles import TrainingContext
    from aegis_gpt2_lora.adapter import Adapter
    from aegis_gpt2_lora.adapter_file import Pair
    from aegis_gpt2_lora.examples import Example
    from aegis_gpt2_lora.objective import Objective
    from aegis_gpt2_lora.trainer_settings import TrainerSettings

_SAVED_EVERY: Final = 60.0  # seconds between two states that are kept
_REPORTED_EVERY: Final = 1.0  # seconds
_TO_FINISH: Final = 0.5  # seconds before the deadline that are left for writing


class _Stop(Exception):  # noqa: N818 - no error: the way out of a step
    """The training ends here: why, as `TrainingResult.stopped_because` says it."""

    def __init__(self, because: str) -> None:
        super().__init__(because)
        self.because = because


class TrainingRun:
    """One training of adapters, from its start or from where it was interrupted.

    Args:
        objective: What is trained.
        adapter: The adapters, on the module.
        train: Examples to train on, at least one.
        held_out: Examples to measure on, or none.
        settings: Section ``[trainer.gpt2-lora]``.
        context: What the trainer was told.
        identity: Digest of everything that the result follows from.

    Raises:
        ModelError: If the state to go on with is damaged or of another training.
    """

    def __init__(
        self,
        *,
        objective: Objective,
        adapter: Adapter,
        train: Sequence[Example],
        held_out: Sequence[Example],
        settings: TrainerSettings,
        context: TrainingContext,
        identity: str,
    ) -> None:
        self._objective = objective
        self._adapter = adapter
        self._train = train
        self._held_out = held_out
        self._settings = settings
        self._context = context
        self._identity = identity
        self._parameters = adapter.parameters
        self._rate = settings.learning_rate or default_rate(adapter.width)
        self._optimiser = torch.optim.AdamW(
            self._parameters, lr=self._rate, weight_decay=settings.weight_decay
        )
        self._per_epoch = math.ceil(len(train) / settings.batch_size)
        self._steps = self._per_epoch * settings.epochs
        marks = evaluation_steps(self._per_epoch, settings.epochs, settings.evaluations)
        self._marks = frozenset(marks if held_out else ())
        self._progress = Progress()
        self._best = adapter.pairs()
        self._diverged_at: int | None = None
        self._order: tuple[int, list[list[int]]] | None = None
        self._longest = 0.0  # seconds that one piece of a batch took at most
        if context.resume_from is not None:
            kept = load_state(context.resume_from, identity, adapter, self._optimiser)
            if kept is not None:
                self._progress, self._best = kept
        self._began = self._saved = time.monotonic()
        self._reported = -math.inf
        self._before = (self._progress.step, self._progress.seconds)

    def go(self) -> str:
        """Train until a reason to stop, and return it as `TrainingResult` names it."""
        device = self._parameters[0].device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            try:
                because = self._loop()
            except _Stop as stop:
                because = stop.because
        self._clock()
        if because in {"interrupted", "deadline"}:
            self._save()
        self._report()
        return because

    def kept(self) -> dict[str, Pair]:
        """Return the adapters that the training ends with.

        Those with the lowest held-out loss; the last ones where none were measured after the
        start.
        """
        best = self._progress.best
        measured = best is not None and (best.step > 0 or len(self._progress.curve) > 1)
        return self._best if measured else self._adapter.pairs()

    def metrics(self) -> dict[str, float]:
        """Return the final figures; the same training has the same ones."""
        progress, best = self._progress, self._progress.best
        found = {
            "steps": float(progress.step),
            "held_out_examples": float(len(self._held_out)),
            "trainable_parameters": float(self._adapter.trainable),
            "total_parameters": float(self._adapter.total),
            "learning_rate": self._rate,
        }
        if progress.loss is not None:
            found["loss"] = progress.loss
        if self._diverged_at is not None:
            found["diverged_at_step"] = float(self._diverged_at)
        if best is not None:
            found |= best.figures() | {"best_step": float(best.step)}
            start = progress.curve[0].figures()
            found |= {f"{name}_before": value for name, value in start.items()}
        return found

    @property
    def examples_seen(self) -> int:
        """Examples that were trained on, each counted once."""
        return min(len(self._train), self._trained(self._progress.step))

    @property
    def epochs_done(self) -> float:
        """Passes over the examples, a part of one included."""
        return self._trained(self._progress.step) / len(self._train)

    def _loop(self) -> str:
        progress = self._progress
        while True:
            if progress.step in self._marks and not self._is_measured():
                self._measure()
            if progress.since_best >= self._settings.patience:
                return "early"
            if progress.step == self._steps:
                self._require_finite()
                return "finished"
            self._step()
            self._clock()
            self._report_now_and_then()
            if time.monotonic() - self._saved > _SAVED_EVERY:
                self._save()

    def _step(self) -> None:
        """Take one optimiser step, or raise `_Stop` with the weights as they were."""
        step = self._progress.step
        batch = self._batch(step)
        torch.manual_seed(derived_seed(self._context.seed, "dropout", step))
        self._optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for part in pieces(batch, self._train, self._settings.tokens_at_once):
            began = self._go_on()
            examples = [self._train[index] for index in part]
            losses = self._objective.losses(examples, training=True)
            loss = weighted(losses, examples, *self._shares) / len(batch)
            loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
            total += float(loss.detach())
            self._longest = max(self._longest, time.monotonic() - began)
            if not math.isfinite(total):
                self._diverge()
        most = self._settings.max_grad_norm
        if not torch.nn.utils.clip_grad_norm_(self._parameters, most).isfinite():
            self._diverge()
        rate = self._rate * rate_factor(step, self._steps, self._settings.warmup)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.step()
        self._progress.step += 1
        self._progress.add_loss(total)
        if not self._held_out and self._is_far(self._progress.loss, self._progress.first_loss):
            self._diverge()

    def _measure(self) -> None:
        """Measure the held-out loss and keep the weights that are best."""
        sums = torch.zeros(4, dtype=torch.float64)
        everything = range(len(self._held_out))
        with torch.no_grad():
            for part in pieces(everything, self._held_out, self._settings.tokens_at_once):
                began = self._go_on()
                examples = [self._held_out[index] for index in part]
                losses = self._objective.losses(examples, training=False)
                loss = weighted(losses, examples, *self._shares)
                sums += torch.stack([loss, *(column.sum() for column in losses)]).cpu()
                self._longest = max(self._longest, time.monotonic() - began)
        choices = sum(example.choice is not None for example in self._held_out)
        texts = sum(example.text is not None for example in self._held_out)
        loss, *parts = sums.tolist()
        choice, text, right = (
            total / count if count else None
            for total, count in zip(parts, (choices, texts, choices), strict=True)
        )
        loss /= len(self._held_out)
        measured = Measured(self._progress.step, loss, choice, text, right)
        start = self._progress.curve[0].loss if self._progress.curve else measured.loss
        if self._is_far(measured.loss, start):
            self._diverge()
        self._progress.curve.append(measured)
        if self._progress.best is measured:
            self._best = self._adapter.pairs()
        self._clock()
        self._report(measured)

    def _is_measured(self) -> bool:
        curve = self._progress.curve
        return bool(curve) and curve[-1].step == self._progress.step

    @staticmethod
    def _is_far(loss: float | None, start: float | None) -> bool:
        """Return whether a loss is no number, or so far above the start that nothing is learned.

        Learning a small set by heart can make a held-out loss half as large again; that stops it
        early, no more.
        """
        if loss is None or start is None:
            return False
        return not math.isfinite(loss) or loss > 2 * start + 1

    def _require_finite(self) -> None:
        if not all(weight.isfinite().all() for weight in self._parameters):
            self._diverge()

    def _diverge(self) -> None:
        self._diverged_at = self._progress.step + 1
        raise _Stop("diverged")

    def _go_on(self) -> float:
        """Return the time, or raise `_Stop` if there is a reason not to begin another piece."""
        now = time.monotonic()
        if self._context.should_stop():
            raise _Stop("interrupted")
        if now + self._longest + _TO_FINISH >= self._context.deadline:
            raise _Stop("deadline")
        return now

    def _batch(self, step: int) -> list[int]:
        epoch, place = divmod(step, self._per_epoch)
        if self._order is None or self._order[0] != epoch:
            size, seed = self._settings.batch_size, self._context.seed
            self._order = (epoch, batches(self._train, size, seed, epoch))
        return self._order[1][place]

    def _trained(self, step: int) -> int:
        """Return how many examples the first steps trained on, each pass counted."""
        epoch, place = divmod(step, self._per_epoch)
        size, seed = self._settings.batch_size, self._context.seed
        begun = batches(self._train, size, seed, epoch)[:place] if place else []
        return epoch * len(self._train) + sum(len(batch) for batch in begun)

    @property
    def _shares(self) -> tuple[float, float]:
        return self._settings.choice_loss, self._settings.text_loss

    def _clock(self) -> None:
        self._progress.seconds = self._before[1] + time.monotonic() - self._began

    def _save(self) -> None:
        save_state(
            self._context.state,
            self._identity,
            self._progress,
            adapter=self._adapter,
            best=self._best,
            optimiser=self._optimiser,
        )
        self._saved = time.monotonic()

    def _report_now_and_then(self) -> None:
        if time.monotonic() - self._reported >= _REPORTED_EVERY:
            self._report()

    def _report(self, measured: Measured | None = None) -> None:
        progress = self._progress
        trained, total = self._trained(progress.step), len(self._train) * self._settings.epochs
        figures = {
            "step": float(progress.step),
            "examples": float(trained),
            "examples_total": float(total),
            "epoch": trained / len(self._train),
            "seconds": progress.seconds,
            "trainable_parameters": float(self._adapter.trainable),
            "total_parameters": float(self._adapter.total),
        }
        since = time.monotonic() - self._began
        here = trained - self._trained(self._before[0])
        if here and since > 0:
            figures["examples_per_second"] = here / since
            figures["seconds_left"] = (total - trained) * since / here
        if progress.loss is not None:
            figures["loss"] = progress.loss
        if measured is not None:
            figures |= measured.figures()
        if self._diverged_at is not None:
            figures["diverged_at_step"] = float(self._diverged_at)
        self._context.report(figures)
        self._reported = time.monotonic()
