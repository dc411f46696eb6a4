"""Training on a puzzle: one segment and one optimiser step at a time, resumable."""

from __future__ import annotations

import hashlib
import json
import math
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
from attrs import asdict, frozen

from aegis.neural import Average, Progress, derived_seed, load_state, save_state
from aegis_hrm.model.halting import Batch, Carry, advance, start
from aegis_hrm.model.losses import losses
from aegis_hrm.model.network import SequenceNetwork
from aegis_hrm.model.optimisers import AdamATan2, learning_rate
from aegis_hrm.model.recursion import State
from aegis_hrm.puzzles.task import fitted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aegis_hrm.puzzles.task import Recipe, Sequences, Task

_SAVED_EVERY: Final = 60.0  # seconds
_WARMUP: Final = 30  # steps
_FLOOR: Final = 0.1  # of the learning rate, at the end
_AT_ONCE: Final = 250  # test puzzles that are measured together


class Exactness(NamedTuple):
    """How many test puzzles are solved throughout.

    Attributes:
        segments: Numbers of segments, ascending.
        exact: Share of puzzles solved after each.
        cells: Share of right cells after each.
        halted: Share that is solved where every puzzle stops as its halting head says.
        used: Segments that it takes then, mean.
        by_segments: Share solved of those that stop after 1, 2, ... segments, with their number.
    """

    segments: tuple[int, ...]
    exact: tuple[float, ...]
    cells: tuple[float, ...]
    halted: float
    used: float
    by_segments: tuple[tuple[int, int, float], ...]


@frozen
class Reported:
    """What is said at a measurement.

    Attributes:
        step: Steps so far.
        seconds: Training time so far.
        fresh: Puzzles begun so far.
        loss: Moving average of the training loss.
        exactness: On the test puzzles.
    """

    step: int
    seconds: float
    fresh: int
    loss: float | None
    exactness: Exactness


class PuzzleTraining:
    """One training, from its start or from the state in a folder.

    Args:
        task: The puzzle.
        recipe: How it is trained.
        seed: All randomness derives from it.
        folder: Where the state is kept, or None.
        device: Where it computes.
        report: Takes what there is to say.

    Raises:
        ModelError: If the state in the folder is damaged or of another training.
    """

    def __init__(
        self,
        task: Task,
        recipe: Recipe,
        *,
        seed: int,
        folder: Path | None,
        device: torch.device,
        report: Callable[[Reported], None],
    ) -> None:
        self._task, self._recipe, self._seed = task, recipe, seed
        self._folder, self._device, self._report = folder, device, report
        torch.manual_seed(derived_seed(seed, "puzzle weights"))
        self.network = SequenceNetwork(fitted(recipe.shape, task)).to(device)
        self._parameters = list(self.network.parameters())
        self._optimiser = AdamATan2(
            self._parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self._average = Average(self.network, recipe.ema)
        self._progress = Progress()
        self._fresh = 0
        self._carry = start(self.network, self._batch(0))
        self._resume()

    def go(self, *, seconds: float = math.inf, measure_every: int = 0) -> Reported:
        """Train until the last step or the time is over; returns the last measurement.

        Args:
            seconds: Training time in all, earlier parts of the same training included.
            measure_every: Steps between two measurements; 0: only at the end.
        """
        before, began = self._progress.seconds, time.monotonic()
        saved = began
        last: Reported | None = None
        self.network.train()
        while self._progress.step < self._recipe.steps and self._progress.seconds < seconds:
            self._step()
            now = time.monotonic()
            self._progress.seconds = before + now - began
            if measure_every and self._progress.step % measure_every == 0:
                last = self._measured()
                self._report(last)
                began += time.monotonic() - now
            if now - saved > _SAVED_EVERY:
                self.save()
                saved = now
        self.save()
        if last is None or last.step != self._progress.step:
            last = self._measured()
            self._report(last)
        return last

    def measure(self, most: int = 16) -> Exactness:
        """Return how many test puzzles are solved after 1 to `most` segments."""
        if self._recipe.shape.hierarchy == "plain":
            most = 1
        with torch.inference_mode(), self._average.in_force():
            self.network.eval()
            found = exactness(self.network, self._task.test, most, self._device)
        self.network.train()
        return found

    def save(self) -> None:
        """Keep what is needed to go on."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        weights = {f"weights.{n}": w.detach() for n, w in self.network.named_parameters()}
        carry = self._carry
        tensors = {
            "high": carry.state.high, "low": carry.state.low, "steps": carry.steps,
            "halted": carry.halted, "tokens": carry.data.tokens, "labels": carry.data.labels,
            "fresh": torch.tensor(self._fresh),
        }  # fmt: skip
        carried = {f"carry.{name}": tensor.clone() for name, tensor in tensors.items()}
        save_state(
            self._folder,
            self._identity(),
            self._progress,
            now={**weights, **carried, **self._average.state()},
            best=self._average.served(),
            optimiser=self._optimiser,
        )

    def _resume(self) -> None:
        if self._folder is None:
            return
        kept = load_state(self._folder, self._identity(), self._optimiser)
        if kept is None:
            return
        self._progress, now = kept.progress, kept.now
        with torch.no_grad():
            for name, weight in self.network.named_parameters():
                weight.copy_(now[f"weights.{name}"])
        self._average.load_state(now)
        carried = {
            name: now[f"carry.{name}"].to(self._device)
            for name in ("high", "low", "steps", "halted", "tokens", "labels")
        }
        self._fresh = int(now["carry.fresh"])
        self._carry = Carry(
            State(carried["high"], carried["low"]),
            carried["steps"],
            carried["halted"],
            Batch(carried["tokens"], carried["labels"]),
        )

    def _step(self) -> None:
        recipe, step = self._recipe, self._progress.step
        torch.manual_seed(derived_seed(self._seed, "puzzle step", step))
        self._fresh += int(self._carry.halted.sum())
        found = advance(self.network, recipe.halting, self._carry, self._batch(step))
        self._carry = found.carry
        loss = losses(found, "softmax")
        (loss.total / recipe.batch).backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
        rate = learning_rate(
            step + 1, base=recipe.learning_rate, warmup=_WARMUP, total=recipe.steps, least=_FLOOR
        )
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self._average.move()
        self._progress.add_loss(float(loss.tokens.detach()) / recipe.batch)
        self._progress.step += 1

    def _batch(self, step: int) -> Batch:
        random = np.random.default_rng([self._seed, step])
        drawn = self._task.batch(self._recipe.batch, random)
        return Batch(*(torch.from_numpy(part.astype(np.int64)).to(self._device) for part in drawn))

    def _measured(self) -> Reported:
        progress, found = self._progress, self.measure()
        return Reported(progress.step, progress.seconds, self._fresh, progress.loss, found)

    def _identity(self) -> str:
        """Return a digest of everything that the result follows from."""
        total = hashlib.sha256(json.dumps([asdict(self._recipe), self._seed]).encode("ascii"))
        for part in (*self._task.train, *self._task.test):
            total.update(part.tobytes())
        return total.hexdigest()


def exactness(
    network: SequenceNetwork, test: Sequences, most: int, device: torch.device
) -> Exactness:
    """Return how many puzzles a network solves after 1 to `most` segments."""
    right_cells = np.zeros(most)
    solved: list[torch.Tensor] = []
    stops: list[torch.Tensor] = []
    for first in range(0, len(test.inputs), _AT_ONCE):
        inputs, labels = (
            torch.from_numpy(part[first : first + _AT_ONCE].astype(np.int64)).to(device)
            for part in test
        )
        x = network.embedded(inputs)
        geometry, state = network.geometry(x.shape[1]), network.begin(x)
        whole, halts = [], []
        for number in range(most):
            answer = network(state, x, geometry)
            state = answer.state
            right = answer.logits.argmax(-1) == labels  # (B, S)
            right_cells[number] += float(right.float().mean(-1).sum())
            whole.append(right.all(-1))
            halts.append(answer.q_halt > 0)
        halts[-1] = torch.ones_like(halts[-1])
        solved.append(torch.stack(whole, dim=1).cpu())  # (B, most)
        stops.append(torch.stack(halts, dim=1).float().argmax(1).cpu())  # (B,)
    exact, stop = torch.cat(solved).float(), torch.cat(stops)
    at_stop = exact.gather(1, stop[:, None]).squeeze(1)
    some = [n for n in (1, 2, 4, 8, 16, 32, 64) if n <= most]
    used = [
        (n + 1, int((stop == n).sum()), float(at_stop[stop == n].mean()))
        for n in range(most)
        if bool((stop == n).any())
    ]
    return Exactness(
        tuple(some),
        tuple(float(exact[:, n - 1].mean()) for n in some),
        tuple(float(right_cells[n - 1]) / len(test.inputs) for n in some),
        float(at_stop.mean()),
        float(stop.float().mean()) + 1,
        tuple(used),
    )
