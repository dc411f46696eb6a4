"""The loop of a training, on a small recurrent learner that is supervised after each of two rounds."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch
from attrs import evolve, frozen
from torch import nn

from aegis.contracts.roles import TrainingContext
from aegis.errors import ModelError
from aegis.neural import Losses, RunSettings, TrainingRun, derived_seed, rate_factor, training_run
from aegis.neural.batches import batches

SETTINGS = RunSettings(
    epochs=3, batch_size=4, tokens_at_once=6, learning_rate=0.05, warmup=0.2, floor=0.1
)


@frozen
class Row:
    """A number to say about another one."""

    x: float
    y: float
    weight: float = 1.0
    tokens: int = 2


def rows(count, first=0):
    return [
        Row(math.sin(i), math.cos(2 * i), 0.5 + i % 3, 1 + i % 4)
        for i in range(first, first + count)
    ]


TRAIN, HELD_OUT = rows(10), rows(5, 20)


def momentum(parameters):
    return torch.optim.SGD(parameters, lr=1.0, momentum=0.9)


def adam(parameters):
    groups = [{"params": parameters[:1], "rate_scale": 0.5}, {"params": parameters[1:]}]
    return torch.optim.AdamW(groups, weight_decay=0.1)


def start():
    generator = torch.Generator().manual_seed(3)
    return [nn.Parameter(torch.randn(size, generator=generator)) for size in ((2, 2), (2,), (2,))]


def advanced(weights, state, x, noise=0.0):
    """Return the next states (B, 2) and answers (B,) about the inputs (B,)."""
    w, u, v = weights
    state = torch.tanh(state @ w + x[:, None] * u)
    kept = state * (1 + noise * torch.randn_like(state)) if noise else state
    return state, kept @ v


class Recurrent:
    """Two rounds a batch; what is served is a moving average of the weights.

    Attributes:
        rates: Learning rate of each group at each optimiser step.
        calls: Rounds that were computed, (number of the round in its attempt, examples).
        poison: Changes the losses of a call, by its number from 1.
    """

    rounds = 2

    def __init__(self, optimiser=momentum, noise=0.0):
        self.parameters = start()
        self.average = [weight.detach().clone() for weight in self.parameters]
        self.optimiser = optimiser(self.parameters)
        self.noise = noise
        self.rates, self.calls, self.poison = [], [], {}

    def attempt(self, examples):
        return Rounds(self, examples)

    def measure(self, examples):
        assert not torch.is_grad_enabled()
        x, y = inputs(examples)
        state = torch.zeros(len(x), 2)
        for _ in range(self.rounds):
            state, said = advanced(self.average, state, x)
        loss = (said - y) ** 2
        sign = torch.where(y > 0, (said > 0).float(), math.nan)
        return Losses(loss, {"sign": sign, "nothing": torch.full_like(loss, math.nan)})

    def after_step(self):
        self.rates.append([group["lr"] for group in self.optimiser.param_groups])
        for mean, weight in zip(self.average, self.parameters, strict=True):
            mean.lerp_(weight.detach(), 0.5)

    def state(self):
        both = {"weight": self.parameters, "average": self.average}
        return {
            f"{kind}.{i}": t.detach().clone() for kind, ts in both.items() for i, t in enumerate(ts)
        }

    def load_state(self, tensors):
        with torch.no_grad():
            for i, (weight, mean) in enumerate(zip(self.parameters, self.average, strict=True)):
                weight.copy_(tensors[f"weight.{i}"])
                mean.copy_(tensors[f"average.{i}"])

    def served(self):
        return {str(i): mean.clone() for i, mean in enumerate(self.average)}


class Rounds:
    """A piece of a batch, its state carried on without its history."""

    def __init__(self, learner, examples):
        self.learner = learner
        self.x, self.y = inputs(examples)
        self.state = torch.zeros(len(examples), 2)
        self.round = 0

    def losses(self):
        learner = self.learner
        learner.calls.append((self.round, len(self.x)))
        self.round += 1
        state, said = advanced(learner.parameters, self.state, self.x, learner.noise)
        self.state = state.detach()
        losses = Losses((said - self.y) ** 2, {})
        change = learner.poison.get(len(learner.calls))
        return change(losses) if change else losses


def inputs(examples):
    return torch.tensor([e.x for e in examples]), torch.tensor([e.y for e in examples])


@pytest.mark.parametrize("in_order", [True, False])
def test_examples_keep_their_order_where_the_context_says_so(train, in_order):
    seen = []

    class Watching(Recurrent):
        def attempt(self, examples):
            seen.extend(examples)
            return super().attempt(examples)

    many = [Row(0.5, 0.5) for _ in range(200)]
    places = {id(example): n for n, example in enumerate(many)}
    train(
        Watching(), train=many, held_out=[], epochs=1, batch_size=1, in_order=in_order,
        learning_rate=1e-4,
    )  # fmt: skip
    far = max(abs(n - places[id(example)]) for n, example in enumerate(seen))
    assert len(seen) == len(many) > 100
    assert (far < 64) == in_order


@pytest.fixture
def train(tmp_path):
    """Return the function that trains a learner and returns its run, with `because` set."""

    def go(learner, *, train=TRAIN, held_out=HELD_OUT, settings=SETTINGS, name="first", seed=11,
           deadline=math.inf, should_stop=lambda: False, resume_from=None, report=lambda _: None,
           identity="a training", in_order=False, **changes):  # fmt: skip
        state = Path(tmp_path / name)
        state.mkdir(exist_ok=True)
        context = TrainingContext(
            seed=seed, directory=tmp_path, state=state, resume_from=resume_from, deadline=deadline,
            should_stop=should_stop, report=report, validation=(), in_order=in_order,
        )  # fmt: skip
        run = TrainingRun(
            learner=learner, train=train, held_out=held_out, settings=evolve(settings, **changes),
            context=context, identity=identity, total_parameters=1000,
        )  # fmt: skip
        run.because = run.go()
        return run

    return go


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def stopping_after(asked):
    left = itertools.count(1)
    return lambda: next(left) > asked


# What it computes


def by_hand(limit):
    """Train with gradient descent and momentum written out, whole batches at once."""
    settings, train, seed = SETTINGS, TRAIN, 11
    weights = start()
    average = [w.detach().clone() for w in weights]
    velocity = [torch.zeros_like(w) for w in weights]
    sizes = [row.tokens for row in train]
    order = [
        b for e in range(settings.epochs) for b in batches(sizes, settings.batch_size, seed, e)
    ]
    losses = []
    for step, batch in enumerate(order):
        examples = [train[i] for i in batch]
        share = torch.tensor([e.weight for e in examples])
        x, y = inputs(examples)
        state = torch.zeros(len(x), 2)
        rate = settings.learning_rate * rate_factor(
            step, len(order), settings.warmup, settings.floor
        )
        losses.append(0.0)
        for _ in range(2):
            after, said = advanced(weights, state.detach(), x)
            loss = (share * (said - y) ** 2).sum() / len(batch)
            gradients = torch.autograd.grad(loss, weights)
            norm = math.sqrt(sum(float((g.double() ** 2).sum()) for g in gradients))
            scale = min(1.0, limit / norm) if limit else 1.0
            with torch.no_grad():
                for w, v, m, g in zip(weights, velocity, average, gradients, strict=True):
                    v.mul_(0.9).add_(g * scale)
                    w.sub_(rate * v)
                    m.lerp_(w, 0.5)
            losses[-1] += loss.item() / 2
            state = after
    return average, losses


@pytest.mark.parametrize("limit", [None, 0.3])
@pytest.mark.parametrize("most", [6, 1000])
def test_every_round_of_a_batch_is_one_step_on_the_weighted_mean_loss(limit, most, train):
    run = train(Recurrent(), held_out=[], tokens_at_once=most, max_grad_norm=limit)
    average, losses = by_hand(limit)

    for i, expected in enumerate(average):
        torch.testing.assert_close(run.kept()[str(i)], expected, atol=1e-5, rtol=1e-5)
    shares = [0.95 ** (len(losses) - 1 - i) for i in range(len(losses))]
    mean = sum(s * loss for s, loss in zip(shares, losses, strict=True)) / sum(shares)
    assert run.metrics()["loss"] == pytest.approx(mean, rel=1e-4)
    assert run.metrics()["steps"] == len(losses) == 9


def test_all_pieces_of_a_batch_are_computed_in_each_round(train):
    learner = Recurrent()
    train(learner, held_out=[], epochs=1, batch_size=10, tokens_at_once=6)
    rounds = [number for number, _ in learner.calls]
    sizes = [size for _, size in learner.calls]

    parts = len(rounds) // 2
    assert parts > 3
    assert rounds == [0] * parts + [1] * parts
    assert sizes[:parts] == sizes[parts:]
    assert sum(sizes) == 20


def test_every_group_has_its_share_of_the_rate_that_rises_and_falls(train):
    learner = Recurrent(adam)
    train(learner)

    rates = [0.05 * rate_factor(step, 9, 0.2, 0.1) for step in range(9) for _ in range(2)]
    assert [pair[1] for pair in learner.rates] == pytest.approx(rates)
    assert [pair[0] for pair in learner.rates] == pytest.approx([rate / 2 for rate in rates])


def test_a_seed_decides_everything_and_the_process_s_own_state_stays(train):
    state = torch.get_rng_state()
    found = []
    for seed, own in ((1, 5), (1, 6), (2, 5)):
        torch.manual_seed(own)
        found.append(train(Recurrent(noise=0.3), seed=seed, held_out=[]).kept())
    torch.set_rng_state(state)
    train(Recurrent(noise=0.3))

    assert same(found[0], found[1])
    assert not same(found[0], found[2])
    assert torch.equal(torch.get_rng_state(), state)


def test_what_a_batch_draws_derives_from_its_number(train):
    """Whatever was drawn in the batches before, in measurements too."""
    drawn = []

    class Drawing(Recurrent):
        def attempt(self, examples):
            drawn.append(torch.rand(()).item())
            return super().attempt(examples)

    train(Drawing(noise=0.3), tokens_at_once=1000, epochs=1)
    expected = []
    for step in range(3):
        generator = torch.Generator().manual_seed(derived_seed(11, "dropout", step))
        expected.append(torch.rand((), generator=generator).item())
    assert drawn == expected


# Measuring


def test_held_out_figures_are_means_over_the_examples_that_have_them(train):
    reports = []
    learner = Recurrent()
    x, y = inputs(HELD_OUT)
    state, _ = advanced(start(), torch.zeros(5, 2), x)
    _, said = advanced(start(), state, x)
    share = torch.tensor([row.weight for row in HELD_OUT])
    expected = (share * (said - y) ** 2).sum().item() / 5
    right = [float(s > 0) for s, t in zip(said.tolist(), y.tolist(), strict=True) if t > 0]
    run = train(learner, evaluations=2, report=reports.append)
    measured = [report for report in reports if "held_out_loss" in report]

    assert 0 < len(right) < 5
    assert measured[0]["held_out_loss"] == pytest.approx(expected, rel=1e-5)
    assert measured[0]["held_out_sign"] == pytest.approx(sum(right) / len(right))
    assert "held_out_nothing" not in measured[0]
    assert [report["step"] for report in measured] == [0, 2, 3, 5, 6, 8, 9]
    metrics = run.metrics()
    losses = [report["held_out_loss"] for report in measured]
    assert metrics["held_out_loss"] == min(losses)
    assert metrics["best_step"] == measured[losses.index(min(losses))]["step"]
    assert metrics["held_out_loss_before"] == losses[0]
    assert metrics["held_out_sign_before"] == measured[0]["held_out_sign"]
    assert (metrics["held_out_examples"], metrics["learning_rate"]) == (5, 0.05)
    assert (metrics["trainable_parameters"], metrics["total_parameters"]) == (8, 1000)


def test_it_reports_how_it_goes(train, monkeypatch):
    monkeypatch.setattr(training_run, "_REPORTED_EVERY", 0.0)
    reports = []
    run = train(Recurrent(), report=reports.append)

    assert [r["examples"] for r in reports if "held_out_loss" not in r][-1] == 30
    last = reports[-1]
    assert (last["examples_total"], last["epoch"], last["seconds_left"]) == (30, 3, 0)
    assert last["loss"] == run.metrics()["loss"]
    assert (run.examples_seen, run.epochs_done, run.because) == (10, 3, "finished")
    assert all(math.isfinite(value) for report in reports for value in report.values())


def test_it_stops_early_and_keeps_the_best_weights(train):
    """Held-out answers are the opposite of what is trained."""
    contrary = [Row(row.x, -row.y) for row in TRAIN]
    reports = []
    run = train(Recurrent(adam), held_out=contrary, epochs=50, patience=3, report=reports.append)
    losses = [report["held_out_loss"] for report in reports if "held_out_loss" in report]
    best = losses.index(min(losses))

    assert run.because == "early"
    assert len(losses) == best + 1 + 3
    assert run.metrics()["best_step"] == 3 * best
    x, y = inputs(contrary)
    weights = [run.kept()[str(i)] for i in range(3)]
    state, _ = advanced(weights, torch.zeros(10, 2), x)
    loss = float(((advanced(weights, state, x)[1] - y) ** 2).mean())
    assert loss == pytest.approx(min(losses), rel=1e-5)


def test_without_held_out_examples_the_last_weights_are_kept(train):
    learner = Recurrent()
    run = train(learner, held_out=[], patience=1)

    assert (run.because, run.epochs_done) == ("finished", 3)
    assert same(run.kept(), learner.served())
    assert run.metrics()["held_out_examples"] == 0
    assert "held_out_loss" not in run.metrics()


# Going on


@pytest.mark.parametrize("optimiser", [momentum, adam])
@pytest.mark.parametrize("asked", range(0, 32, 3))
def test_stopped_anywhere_it_ends_bitwise_as_if_it_had_not(asked, optimiser, train, tmp_path):
    """In measurements, before the first step, in batches and between them."""
    torch.set_num_threads(1)
    whole = train(Recurrent(optimiser, noise=0.2), name="whole")
    first = train(Recurrent(optimiser, noise=0.2), should_stop=stopping_after(asked))
    learner = Recurrent(optimiser, noise=0.2)
    second = train(learner, name="second", resume_from=tmp_path / "first")

    assert [run.because for run in (whole, first, second)] == [
        "finished",
        "interrupted",
        "finished",
    ]
    assert same(second.kept(), whole.kept())
    assert second.metrics() == whole.metrics()
    assert (second.examples_seen, second.epochs_done) == (10, 3)
    steps = len(first._learner.rates) + len(learner.rates)
    assert steps == len(whole._learner.rates) == 18


def test_stopped_again_and_again_it_ends_the_same(train, tmp_path):
    whole = train(Recurrent(noise=0.2), name="whole")
    train(Recurrent(noise=0.2), should_stop=stopping_after(3))
    for _ in range(40):
        run = train(
            Recurrent(noise=0.2), resume_from=tmp_path / "first", should_stop=stopping_after(9)
        )
        if run.because == "finished":
            break

    assert same(run.kept(), whole.kept())
    assert run.metrics() == whole.metrics()


def test_a_batch_that_has_changed_weights_is_finished(train):
    """Asked to stop for ever after, it is not left between two of its steps."""
    for asked in range(1, 60):
        learner = Recurrent()
        run = train(learner, name=str(asked), should_stop=stopping_after(asked))
        assert len(learner.rates) == 2 * run.metrics()["steps"]
    assert run.because == "finished"


def test_the_state_of_another_training_is_refused(train, tmp_path):
    train(Recurrent(), should_stop=stopping_after(12))
    with pytest.raises(ModelError, match="training-state-other"):
        train(Recurrent(), resume_from=tmp_path / "first", identity="another")


def test_a_state_is_kept_now_and_then(train, tmp_path, monkeypatch):
    monkeypatch.setattr(training_run, "_SAVED_EVERY", 0.0)
    monkeypatch.setattr(training_run, "_REPORTED_EVERY", 0.0)
    seen = []
    whole = train(
        Recurrent(), report=lambda _: seen.append([p.name for p in (tmp_path / "first").iterdir()])
    )
    again = train(Recurrent(), name="second", resume_from=tmp_path / "first")

    assert seen[0] == []
    assert seen[-1] == ["training.safetensors"]
    assert same(again.kept(), whole.kept())


# Ending for other reasons


class Clock:
    """Time that passes where a learner computes, and nowhere else."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


class Slow(Recurrent):
    """Three rounds a batch, and a second a round."""

    rounds = 3

    def __init__(self, clock, **changes):
        super().__init__(**changes)
        self.clock = clock

    def attempt(self, examples):
        attempt = super().attempt(examples)
        real = attempt.losses

        def losses():
            self.clock.now += 1.0
            return real()

        attempt.losses = losses
        return attempt


@pytest.mark.parametrize("deadline", [1.6, 2.6, 3.4, 3.6, 5.6, 6.4, 6.6, 9.4, 9.6, 26.0])
def test_the_deadline_leaves_time_for_the_rest_of_a_batch(deadline, train, monkeypatch):
    """A round takes a second, a batch three: it is begun at all only as far as that fits."""
    clock = Clock()
    monkeypatch.setattr(training_run, "time", clock)

    learner = Slow(clock)
    run = train(learner, held_out=[], deadline=deadline, tokens_at_once=1000)

    assert run.because == "deadline"
    assert clock.now + 0.5 <= deadline
    assert len(learner.rates) == 3 * run.metrics()["steps"]
    fits = [n for n in range(9) if 3 * n + 0.5 < deadline]  # whole batches, and time for the end
    assert run.metrics()["steps"] == fits[-1]


class Measured(Slow):
    """Measuring takes half a second an example, so all of them two and a half."""

    def measure(self, examples):
        self.clock.now += 0.5 * len(examples)
        return super().measure(examples)


def test_what_was_learned_before_the_deadline_is_measured_and_kept(train, monkeypatch):
    """10 s are put by for it: four times what the first one took."""
    clock = Clock()
    monkeypatch.setattr(training_run, "time", clock)

    learner = Measured(clock)
    run = train(learner, deadline=28.25, evaluations=1, epochs=20, tokens_at_once=1000)

    curve = run._progress.curve
    assert run.because == "deadline"
    assert clock.now <= 28.25
    steps = run.metrics()["steps"]
    assert [measured.step for measured in curve] == [0, 3, steps] == [0, 3, 4]
    assert run.metrics()["best_step"] == steps
    assert same(run.kept(), learner.served())


def test_a_last_measurement_that_does_not_fit_is_left_out(train, monkeypatch):
    """Where measuring takes twelve times as long as before."""
    clock = Clock()
    monkeypatch.setattr(training_run, "time", clock)

    class Slower(Measured):
        def measure(self, examples):
            if self.rates:
                self.clock.now += 6.0 * len(examples)
            return super().measure(examples)

    learner = Slower(clock)
    run = train(learner, deadline=19.25, evaluations=1, epochs=20, tokens_at_once=2)

    assert run.because == "deadline"
    assert [measured.step for measured in run._progress.curve] == [0]
    assert same(run.kept(), learner.served())


def test_a_last_measurement_says_so_where_all_is_lost(train, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(training_run, "time", clock)

    class Lost(Measured):
        def measure(self, examples):
            found = super().measure(examples)
            return found._replace(total=found.total + 1e6) if self.rates else found

    run = train(Lost(clock), deadline=19.25, epochs=20, tokens_at_once=1000, evaluations=1)

    assert run.because == "diverged"
    assert run.metrics()["diverged_at_step"] == run.metrics()["steps"] + 1


def test_the_measurement_at_the_deadline_is_not_in_the_state(train, monkeypatch, tmp_path):
    clock = Clock()
    monkeypatch.setattr(training_run, "time", clock)
    changes = {"tokens_at_once": 1000, "evaluations": 1}
    whole = train(Measured(clock, noise=0.1), name="whole", **changes)
    first = train(Measured(clock, noise=0.1), deadline=clock.now + 28.25, **changes)
    second = train(
        Measured(clock, noise=0.1), name="second", resume_from=tmp_path / "first", **changes
    )

    assert first.because == "deadline"
    assert first._progress.curve[-1].step == 4
    assert second._progress.curve == whole._progress.curve
    assert same(second.kept(), whole.kept())


def test_the_rate_falls_where_the_time_will_not_do(train, monkeypatch):
    """A batch takes four seconds: 15 of them fit, where 300 were planned."""
    clock = Clock()
    monkeypatch.setattr(training_run, "time", clock)

    class Idle(Slow):
        def after_step(self):
            super().after_step()
            self.clock.now += 1 / 3

    learner = Idle(clock)
    run = train(
        learner, held_out=[], deadline=60.5, epochs=100, warmup=0.0, floor=1.0, tokens_at_once=1000
    )

    assert run.because == "deadline"
    rates = [rate for (rate,) in learner.rates[::3]]
    assert rates[:12] == [0.05] * 12
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[12:]))
    assert rates[-1] < 0.02


def test_the_deadline_s_state_can_be_gone_on_with(train, monkeypatch, tmp_path):
    clock = Clock()
    monkeypatch.setattr(training_run, "time", clock)
    whole = train(Slow(clock, noise=0.1), name="whole", tokens_at_once=1000)
    first = train(Slow(clock, noise=0.1), deadline=clock.now + 11.0, tokens_at_once=1000)
    second = train(
        Slow(clock, noise=0.1), name="second", resume_from=tmp_path / "first", tokens_at_once=1000
    )

    assert first.because == "deadline"
    assert first.metrics()["steps"] == 3
    assert same(second.kept(), whole.kept())


def no_number(losses):
    return losses._replace(total=losses.total * math.nan)


def no_gradient(losses):
    losses.total.register_hook(lambda gradient: gradient * math.inf)
    return losses


@pytest.mark.parametrize("limit", [None, 1.0])
@pytest.mark.parametrize("change", [no_number, no_gradient])
@pytest.mark.parametrize(("call", "step"), [(1, 1), (2, 1), (9, 5), (10, 5), (17, 9), (18, 9)])
def test_the_first_number_that_is_none_ends_it_and_is_named(
    call, step, change, limit, train, tmp_path
):
    """In the first or second round of the first, a middle and the last batch."""
    reports = []
    learner = Recurrent()
    learner.poison[call] = change
    run = train(
        learner, tokens_at_once=1000, max_grad_norm=limit, report=reports.append
    )  # fmt: skip

    assert run.because == "diverged"
    assert run.metrics()["diverged_at_step"] == reports[-1]["diverged_at_step"] == step
    assert run.metrics()["steps"] == step - 1
    assert len(learner.rates) == call - 1
    assert all(math.isfinite(value) for report in reports for value in report.values())
    assert list((tmp_path / "first").iterdir()) == []


@pytest.mark.parametrize("deadline", [False, True])
def test_weights_that_the_last_step_made_useless_are_no_result(deadline, train, monkeypatch):
    """Nothing is computed from them any more that would tell."""
    clock = Clock()
    monkeypatch.setattr(training_run, "time", clock)

    class Broken(Recurrent):
        def after_step(self):
            super().after_step()
            if len(self.rates) == (8 if deadline else 18):
                with torch.no_grad():
                    self.parameters[1][0] = math.inf
                if deadline:
                    clock.now = 100.0

    run = train(Broken(), held_out=[], deadline=50.0)

    assert run.because == "diverged"
    assert run.metrics()["diverged_at_step"] == (4 if deadline else 9)


def test_a_held_out_loss_that_is_none_is_told_before_the_first_step(train):
    run = train(Recurrent(), held_out=[Row(0.0, math.nan)])

    assert (run.because, run.metrics()["diverged_at_step"]) == ("diverged", 1)
    assert run.metrics()["steps"] == 0


@pytest.mark.parametrize("held_out", [HELD_OUT, []])
def test_a_loss_far_above_its_start_is_divergence(held_out, train):
    """With momentum the weights overshoot, and every number stays finite."""
    reports = []
    run = train(
        Recurrent(),
        held_out=held_out,
        learning_rate=3.0,
        warmup=0.0,
        epochs=100,
        patience=1000,
        report=reports.append,
    )

    assert run.because == "diverged"
    assert 1 < run.metrics()["diverged_at_step"] <= 300
    assert all(math.isfinite(value) for report in reports for value in report.values())
    told = [report["held_out_loss"] for report in reports if "held_out_loss" in report]
    assert all(loss <= 2 * told[0] + 1 for loss in told)


def test_a_norm_that_is_not_scaled_down_leaves_the_gradient_as_it_is(train):
    seen = []

    class Watching(Recurrent):
        def after_step(self):
            super().after_step()
            total = sum(float((w.grad.double() ** 2).sum()) for w in self.parameters)
            seen.append(math.sqrt(total))

    for limit in (None, 1e-3):
        seen.clear()
        train(Watching(), held_out=[], epochs=1, max_grad_norm=limit)
        assert len(seen) == 6
        assert all((norm > 0.01) == (limit is None) for norm in seen)
        if limit is not None:
            assert seen == pytest.approx([limit] * 6, rel=1e-2)
