"""The loop of a training: steps, held-out measurements, when to stop, what to keep."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import torch

from aegis.neural.batches import BatchOrder, pieces
from aegis.neural.cooldown import Cooldown
from aegis.neural.learner import TrainingExample
from aegis.neural.schedule import evaluation_steps, rate_factor
from aegis.neural.seeds import derived_seed
from aegis.neural.training_state import Measured, Progress, load_state, save_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis.contracts.roles import TrainingContext
    from aegis.neural.learner import Attempt, Learner, Losses
    from aegis.neural.run_settings import RunSettings

Example = TypeVar("Example", bound=TrainingExample)

_SAVED_EVERY: Final = 60.0  # seconds between two states that are kept
_REPORTED_EVERY: Final = 1.0  # seconds
_TO_FINISH: Final = 0.5  # seconds before the deadline that are left for writing
_SLACK: Final = 4.0  # times the longest measurement so far are left for the last one: a busy
# machine may take several times as long at the end as at the beginning


class _Stop(Exception):  # noqa: N818 - no error: the way out of a batch
    """The training ends here: why, as `TrainingResult.stopped_because` says it."""

    def __init__(self, because: str) -> None:
        super().__init__(because)
        self.because = because


class TrainingRun(Generic[Example]):
    """One training, from its start or from where it was interrupted.

    A batch takes ``learner.rounds`` optimiser steps. It is left before the first of them or after
    the last one, so that a training that goes on ends as if it had never stopped. One that its
    deadline ends lets its rate fall before and is measured once more, so that nothing it has
    learned is lost.

    Args:
        learner: What is trained.
        train: Examples to train on, at least one.
        held_out: Examples to measure on, or none.
        settings: How it goes.
        context: What the trainer was told.
        identity: Digest of everything that the result follows from.
        total_parameters: Weights of the whole model, for reports.

    Raises:
        ModelError: If the state to go on with is damaged or of another training.
    """

    def __init__(
        self,
        *,
        learner: Learner[Example],
        train: Sequence[Example],
        held_out: Sequence[Example],
        settings: RunSettings,
        context: TrainingContext,
        identity: str,
        total_parameters: int,
    ) -> None:
        self._learner = learner
        self._train = train
        self._held_out = held_out
        self._settings = settings
        self._context = context
        self._identity = identity
        self._counts = {
            "trainable_parameters": float(sum(w.numel() for w in learner.parameters)),
            "total_parameters": float(total_parameters),
        }
        self._sizes = [example.tokens for example in train]
        self._held_out_sizes = [example.tokens for example in held_out]
        self._order = BatchOrder(
            self._sizes, settings.batch_size, context.seed, in_order=context.in_order
        )
        self._steps = self._order.per_epoch * settings.epochs
        marks = evaluation_steps(self._order.per_epoch, settings.epochs, settings.evaluations)
        self._marks = frozenset(marks if held_out else ())
        self._progress = Progress()
        self._best = learner.served()
        self._diverged_at: int | None = None
        self._longest = 0.0  # seconds that one piece of a batch took at most
        self._measuring = 0.0  # seconds that all held-out examples took at most
        if context.resume_from is not None:
            kept = load_state(context.resume_from, identity, learner.optimiser)
            if kept is not None:
                learner.load_state(kept.now)
                self._progress, self._best = kept.progress, kept.best
        self._began = self._saved = time.monotonic()
        self._cooldown = Cooldown(self._began, context.deadline, self._steps - self._progress.step)
        self._first = self._progress.step
        self._reported = -math.inf
        self._seconds_before = self._progress.seconds
        self._trained_before = self._order.trained(self._progress.step)

    def go(self) -> str:
        """Train until a reason to stop, and return it as `TrainingResult` names it."""
        device = self._learner.parameters[0].device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            try:
                because = self._loop()
            except _Stop as stop:
                because = stop.because
        if because in {"finished", "deadline"} and not self._is_finite():
            self._diverged_at = self._progress.step
            because = "diverged"
        self._clock()
        if because in {"interrupted", "deadline"}:
            self._save()
        if because == "deadline" and self._held_out and not self._is_measured():
            because = self._measure_once_more()
        self._report()
        return because

    def kept(self) -> dict[str, torch.Tensor]:
        """Return the weights that the training ends with, as `Learner.served` names them.

        Those with the lowest held-out loss; the last ones where none were measured after the
        start.
        """
        best = self._progress.best
        measured = best is not None and (best.step > 0 or len(self._progress.curve) > 1)
        return self._best if measured else self._learner.served()

    def metrics(self) -> dict[str, float]:
        """Return the final figures; the same training has the same ones."""
        progress, best = self._progress, self._progress.best
        found = {
            "steps": float(progress.step),
            "held_out_examples": float(len(self._held_out)),
            "learning_rate": self._settings.learning_rate,
            **self._counts,
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
        return min(len(self._train), self._order.trained(self._progress.step))

    @property
    def epochs_done(self) -> float:
        """Passes over the examples, a part of one included."""
        return self._order.trained(self._progress.step) / len(self._train)

    def _measure_once_more(self) -> str:
        """Measure what a deadline left, in the time that was put by, and return why it ended.

        The state that is kept does not know of it: a training that goes on measures at its marks.
        """
        try:
            self._measure()
        except _Stop as stop:
            if stop.because == "diverged":
                return stop.because
        return "deadline"

    def _loop(self) -> str:
        progress = self._progress
        while True:
            if progress.step in self._marks and not self._is_measured():
                self._measure()
            if progress.since_best >= self._settings.patience:
                return "early"
            if progress.step == self._steps:
                return "finished"
            self._step()
            self._clock()
            self._report_now_and_then()
            if time.monotonic() - self._saved > _SAVED_EVERY:
                self._save()

    def _step(self) -> None:
        """Train on one batch, or raise `_Stop` with the weights as they were or useless."""
        step, rounds = self._progress.step, self._learner.rounds
        batch = self._order.batch(step)
        torch.manual_seed(derived_seed(self._context.seed, "dropout", step))
        self._set_rate(step, time.monotonic())
        attempts = [
            (self._learner.attempt(examples), _weights(examples))
            for examples in self._pieces(batch, self._train, self._sizes)
        ]
        began, loss = time.monotonic(), 0.0
        for number in range(rounds):
            loss += self._gradient(attempts, len(batch), may_stop=number == 0) / rounds
            if number == 0 and rounds > 1:  # the last place to stop at
                self._go_on((rounds - 1) * (time.monotonic() - began), may_measure=True)
            self._learner.optimiser.step()
            self._learner.after_step()
        self._progress.step += 1
        self._progress.add_loss(loss)
        if not self._held_out and self._is_far(self._progress.loss, self._progress.first_loss):
            self._diverge()

    def _gradient(
        self, attempts: Sequence[tuple[Attempt, torch.Tensor]], count: int, *, may_stop: bool
    ) -> float:
        """Compute the gradient of a round, and return the loss: the mean over `count` examples."""
        self._learner.optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for attempt, weights in attempts:
            began = self._go_on(may_measure=True) if may_stop else time.monotonic()
            each = _one_each(attempt.losses(), len(weights)).total
            loss = (weights.to(each.device) * each).sum() / count
            loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
            total += float(loss.detach())
            self._longest = max(self._longest, time.monotonic() - began)
            if not math.isfinite(total):
                self._diverge()
        if not self._norm().isfinite():
            self._diverge()
        return total

    def _norm(self) -> torch.Tensor:
        """Return the norm of the gradient, (), as it was before it was scaled down."""
        weights, most = self._learner.parameters, self._settings.max_grad_norm
        if most is not None:
            return torch.nn.utils.clip_grad_norm_(weights, most)
        return torch.nn.utils.get_total_norm([w.grad for w in weights if w.grad is not None])

    def _set_rate(self, step: int, now: float) -> None:
        settings = self._settings
        self._cooldown.end = self._context.deadline - self._put_by()
        factor = rate_factor(step, self._steps, settings.warmup, settings.floor)
        factor *= self._cooldown.factor(now, step - self._first)
        for group in self._learner.optimiser.param_groups:
            group["lr"] = settings.learning_rate * factor * group.get("rate_scale", 1.0)

    def _measure(self) -> None:
        """Measure the held-out loss and keep the weights that are best."""
        start_time = time.monotonic()
        losses: list[float] = []
        parts: dict[str, list[float]] = {}
        everything = range(len(self._held_out))
        with torch.no_grad():
            for examples in self._pieces(everything, self._held_out, self._held_out_sizes):
                began = self._go_on()
                found = _one_each(self._learner.measure(examples), len(examples))
                losses += (_weights(examples).double() * found.total.cpu().double()).tolist()
                for name, values in found.parts.items():
                    parts.setdefault(name, []).extend(values[~values.isnan()].tolist())
                self._longest = max(self._longest, time.monotonic() - began)
        self._measuring = max(self._measuring, time.monotonic() - start_time)
        means = {name: sum(values) / len(values) for name, values in parts.items() if values}
        loss = sum(losses) / len(losses)
        measured = Measured(self._progress.step, loss, means)
        start = self._progress.curve[0].loss if self._progress.curve else measured.loss
        if self._is_far(measured.loss, start):
            self._diverge()
        self._progress.curve.append(measured)
        if self._progress.best is measured:
            self._best = self._learner.served()
        self._clock()
        self._report(measured)

    def _pieces(
        self, indices: Sequence[int], examples: Sequence[Example], sizes: Sequence[int]
    ) -> list[list[Example]]:
        """Return examples in parts that are computed together."""
        parts = pieces(indices, sizes, self._settings.tokens_at_once)
        return [[examples[index] for index in part] for part in parts]

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

    def _is_finite(self) -> bool:
        return all(bool(weight.isfinite().all()) for weight in self._learner.parameters)

    def _diverge(self) -> None:
        self._diverged_at = self._progress.step + 1
        raise _Stop("diverged")

    def _go_on(self, ahead: float = 0.0, *, may_measure: bool = False) -> float:
        """Return the time, or raise `_Stop` if there is a reason not to go on.

        Args:
            ahead: Seconds until it is asked again, where they are more than the longest piece's.
            may_measure: Whether time for a last measurement has to be left.
        """
        now = time.monotonic()
        if self._context.should_stop():
            raise _Stop("interrupted")
        left = self._put_by() if may_measure else _TO_FINISH
        if now + max(self._longest, ahead) + left >= self._context.deadline:
            raise _Stop("deadline")
        return now

    def _put_by(self) -> float:
        """Return the seconds before the deadline that are left for what comes after training."""
        return _TO_FINISH + _SLACK * self._measuring

    def _clock(self) -> None:
        self._progress.seconds = self._seconds_before + time.monotonic() - self._began

    def _save(self) -> None:
        save_state(
            self._context.state,
            self._identity,
            self._progress,
            now=self._learner.state(),
            best=self._best,
            optimiser=self._learner.optimiser,
        )
        self._saved = time.monotonic()

    def _report_now_and_then(self) -> None:
        if time.monotonic() - self._reported >= _REPORTED_EVERY:
            self._report()

    def _report(self, measured: Measured | None = None) -> None:
        progress = self._progress
        trained = self._order.trained(progress.step)
        total = len(self._train) * self._settings.epochs
        figures = {
            "step": float(progress.step),
            "examples": float(trained),
            "examples_total": float(total),
            "epoch": trained / len(self._train),
            "seconds": progress.seconds,
            **self._counts,
        }
        since = time.monotonic() - self._began
        here = trained - self._trained_before
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


def _one_each(losses: Losses, count: int) -> Losses:
    """Return the losses of `count` examples; a single number would be taken for each of them.

    Raises:
        ValueError: If a figure has another shape than (B,).
    """
    for name, values in {"total": losses.total, **losses.parts}.items():
        if values.shape != (count,):
            raise ValueError(
                f'losses of {count} examples have "{name}" of shape {tuple(values.shape)}, '
                f"not ({count},): one number for each example"
            )
    return losses


def _weights(examples: Sequence[TrainingExample]) -> torch.Tensor:
    """Return what examples count, (B,)."""
    return torch.tensor([example.weight for example in examples])
