"""Checks of trainers: on a toy set that teaches one thing, with an engine that they accept."""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import define

from aegis.contracts.capabilities import TrainerCapabilities
from aegis.contracts.roles import TrainingContext, TrainingResult
from aegis.errors import AegisError
from aegis.learning.training_main import STOPPED_BECAUSE
from aegis.testing.checks import Broken, check
from aegis.testing.subject import only_if
from aegis.testing.toys import RIGHT, toy_experience

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from aegis.contracts.roles import ExperienceDataset
    from aegis.contracts.scores import Scores
    from aegis.testing.subject import Subject

_PATIENCE: Final = 30.0
"""Seconds in which a trainer has to come back once it is told to stop."""
_LONG: Final = 3600.0
_SAME: Final = 1e-5
_STEPS: Final = 48
_HELD_OUT: Final = 16


@define
class _Training:
    """One training and what it left."""

    result: Any
    folder: Path
    state: Path
    asked: int
    reports: list[Mapping[str, float]]
    before: dict[str, np.ndarray[Any, Any]]
    after: dict[str, np.ndarray[Any, Any]]
    data_changed: bool
    seconds: float = 0.0
    outside: tuple[str, ...] = ()


def _data() -> ExperienceDataset:
    return toy_experience(_STEPS)


def _held_out() -> ExperienceDataset:
    return toy_experience(_HELD_OUT, first=10_000)


def _train(
    subject: Subject,
    *,
    stop: Callable[[int], bool] = lambda _: False,
    seconds: float = _LONG,
    state: Path | None = None,
    resume: bool = False,
    data: ExperienceDataset | None = None,
    prepare: Callable[[Any], None] = lambda _: None,
) -> _Training:
    """Train a fresh engine with a fresh trainer.

    Args:
        subject: The trainer and its engine.
        stop: Called with how often the trainer has asked, this time included: whether to stop.
        seconds: Until its deadline.
        state: Folder of its state; None for a new one.
        resume: Whether it goes on with that state.
        data: What it is trained on; None for the toy set.
        prepare: Called with the engine before.
    """
    trainer, engine = subject.build(), subject.build_engine()
    prepare(engine)
    steps, held_out = data if data is not None else _data(), _held_out()
    told = repr((list(steps), list(held_out)))
    state = state or subject.scratch("state")
    reports: list[Mapping[str, float]] = []
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return stop(asked)

    began = time.monotonic()
    context = TrainingContext(
        seed=3,
        directory=subject.scratch("result"),
        state=state,
        resume_from=state if resume else None,
        deadline=began + seconds,
        should_stop=should_stop,
        report=lambda metrics: reports.append(dict(metrics)),
        validation=held_out,
    )
    before = _weights(engine)
    outside = _outside()
    try:
        result: Any = trainer.train(engine, steps, context)
        after = _outside()
        return _Training(
            result=result,
            folder=context.directory,
            state=state,
            asked=asked,
            reports=reports,
            before=before,
            after=_weights(engine),
            data_changed=repr((list(steps), list(held_out))) != told,
            seconds=time.monotonic() - began,
            outside=tuple(name for name, value in outside.items() if after[name] != value),
        )
    finally:
        engine.close()


def _weights(engine: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Return copies of an engine's weights of torch; nothing where it has no module."""
    module = getattr(engine, "module", None)
    if module is None:
        return {}
    return {
        name: weight.detach().float().cpu().numpy().copy()
        for name, weight in module.named_parameters()
    }


def _whole(subject: Subject) -> _Training:
    return subject.once("whole", lambda: _train(subject))


def _again(subject: Subject) -> _Training:
    return subject.once("again", lambda: _train(subject, prepare=lambda _: _disturb()))


def _disturb() -> None:
    """Move the global generators, which must not matter."""
    random.random()
    np.random.random()
    if "torch" in sys.modules:
        sys.modules["torch"].rand(1)


def _scores(subject: Subject, folder: Path | None) -> list[Scores]:
    """Return what an engine built from a result gives the held-out steps."""
    engine = subject.build_engine(folder, seed=8 if folder else 7)
    try:
        items = [(step.view, step.decision.candidates) for step in _held_out()]
        return [np.asarray(engine.score(view, candidates)) for view, candidates in items]
    finally:
        engine.close()


def _untrained(subject: Subject) -> list[Scores]:
    return subject.once("untrained", lambda: _scores(subject, None))


def _served(subject: Subject) -> list[Scores]:
    return subject.once("served", lambda: _scores(subject, _whole(subject).folder))


def _farthest(left: list[Scores], right: list[Scores]) -> float:
    return max(float(np.max(np.abs(a - b))) for a, b in zip(left, right, strict=True))


@check("trainer-described")
def described(subject: Subject) -> None:
    """What the manifest says it accepts is what it accepts, the engine beside it included."""
    said, trainer = subject.described(), subject.build()
    only_if(isinstance(said, TrainerCapabilities), "it has no describe")
    told: frozenset[str] = getattr(said, "accepts", frozenset())
    if told != trainer.accepts:
        raise Broken(
            f"describe accepts {sorted(told)}, and what was built {sorted(trainer.accepts)}",
            cause="two places state the same fact",
            fix="use one constant",
        )
    engine = subject.build_engine()
    kind = engine.capabilities.kind
    engine.close()
    if kind not in trainer.accepts:
        raise Broken(
            f'the profile has an engine of kind "{kind}", and it accepts {sorted(told)}',
            cause="the profile names another engine",
            fix="correct phases of the profile, or accepts",
        )


@check("trainer-returns")
def returns_a_result(subject: Subject) -> None:
    """It comes to its end on a toy set and returns a TrainingResult with finite figures."""
    training = _whole(subject)
    result = training.result
    if not isinstance(result, TrainingResult):
        raise Broken(
            f"train returned {type(result).__name__}",
            cause="metrics or a path alone are returned",
            fix="return aegis.TrainingResult(directory, metrics, examples, epochs, 'finished')",
        )
    if result.directory != training.folder:
        raise Broken(
            "the result is in another folder than the one that was given",
            cause="a folder of its own was made",
            fix="write into context.directory, and return it",
        )
    if result.stopped_because not in STOPPED_BECAUSE:
        raise Broken(
            f"stopped_because is {result.stopped_because!r}",
            cause="a word of its own",
            fix=f"one of {', '.join(STOPPED_BECAUSE)}",
        )
    if result.stopped_because not in ("finished", "early"):
        raise Broken(
            f"on {_STEPS} easy steps, with an hour's time, it ended as {result.stopped_because}",
            cause="the learning rate, or a reason to stop that holds from the start",
            fix="see what it reported: " + repr(training.reports[-1:])[:120],
        )
    odd = {n: v for n, v in result.metrics.items() if not _is_number(v)}
    if odd or not (0 < result.examples <= _STEPS) or not _is_number(result.epochs):
        raise Broken(
            f"metrics {odd or 'are numbers'}, examples {result.examples} of {_STEPS}, "
            f"epochs {result.epochs}",
            cause="a mean over nothing, or examples counted once for each epoch",
            fix="leave out what is not known; count each example once",
        )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


@check("trainer-served", needs=["trainer-returns"])
def is_served(subject: Subject) -> None:
    """What it wrote is enough to build the engine from, and that engine decides otherwise."""
    far = _farthest(_served(subject), _untrained(subject))
    if far < _SAME:
        raise Broken(
            "the engine that is built from the result decides as the untrained one does",
            cause="weights are saved before they are changed, or under names that build ignores",
            fix="end with engine.save(context.directory), after the last step",
        )


@check("trainer-learns", needs=["trainer-served"])
def learns(subject: Subject) -> None:
    """On a set where one action pays, that action becomes more probable."""
    steps = list(_held_out())
    gains = []
    for before, after, step in zip(_untrained(subject), _served(subject), steps, strict=True):
        right = [action.tool for action in step.decision.candidates].index(RIGHT)
        gains.append(float(after[right] - before[right]))
    if np.mean(gains) <= 1e-3:
        raise Broken(
            f"the log-probability of what pays changed by {np.mean(gains):+.3f} on held-out steps",
            cause="the sign of the loss, or weights of examples that are all alike",
            fix="raise the probability of decision.chosen where data.advantages is above 0",
        )


@check("trainer-repeats", needs=["trainer-served"])
def repeats(subject: Subject) -> None:
    """The same data, engine and seed give the same result."""
    again = _scores(subject, _again(subject).folder)
    far = _farthest(_served(subject), again)
    if far > _SAME:
        raise Broken(
            f"trained again with the same seed, a score differs by {far:.3g}",
            cause="it draws from a global generator that somebody else moved",
            fix="derive all chance from context.seed",
        )


@check("trainer-outside", needs=["trainer-returns"])
def leaves_the_process_alone(subject: Subject) -> None:
    """Generators, environment, folder and settings of the process are as before."""
    changed = _again(subject).outside
    if changed:
        name = changed[0]
        raise Broken(
            f"a training changed {', '.join(changed)} of the process",
            cause="torch.manual_seed, random.seed, os.environ or os.chdir without undoing it",
            fix={
                "torch generator": "train inside torch.random.fork_rng()",
                "random generator": "use random.Random(context.seed)",
                "numpy generator": "use numpy.random.default_rng(context.seed)",
            }.get(name, "put back what was changed, in a finally"),
        )


def _numpy_generator() -> str:
    """Return the state of numpy's global generator."""
    name, keys, *rest = np.random.get_state(legacy=True)
    return repr((name, np.asarray(keys).tobytes(), rest))


def _outside() -> dict[str, str]:
    """Return what a process is, as texts that can be compared."""
    found = {
        "random generator": repr(hash(random.getstate())),
        "numpy generator": _numpy_generator(),
        "environment variables": repr(sorted(os.environ.items())),
        "working folder": str(os.getcwd()),  # noqa: PTH109 - a string is compared
        "signal handlers": repr([signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]),
        "numpy error state": repr(np.geterr()),
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        found |= {
            "torch generator": repr(torch.get_rng_state().numpy().tobytes()),
            "torch default dtype": repr(torch.get_default_dtype()),
            "torch gradient mode": repr(torch.is_grad_enabled()),
            "torch threads": repr(torch.get_num_threads()),
            "torch deterministic mode": repr(torch.are_deterministic_algorithms_enabled()),
        }
    return found


@check("trainer-data", needs=["trainer-returns"])
def leaves_the_data_alone(subject: Subject) -> None:
    """The steps are as they were."""
    if _whole(subject).data_changed:
        raise Broken(
            "a training changed the steps that it was given",
            cause="candidates are sorted in place, or arguments and signals are edited",
            fix="work on copies: the same steps are judged afterwards",
        )


@check("trainer-frozen", needs=["trainer-returns"])
def frozen_stays_frozen(subject: Subject) -> None:
    """It changes as many weights as it says it trains, and no others."""
    training = _whole(subject)
    only_if(training.before, "its engine has no module of torch")
    said = training.result.metrics.get("trainable_parameters")
    if said is None:
        raise Broken(
            "the result says no trainable_parameters",
            cause="it was left out of the metrics",
            fix="report trainable_parameters and total_parameters: a person reads them",
        )
    changed = sum(
        int(np.count_nonzero(training.after[name] != weight))
        for name, weight in training.before.items()
        if name in training.after and training.after[name].shape == weight.shape
    )
    if changed > said and _stored(training.folder) > said:
        raise Broken(
            f"{changed:,} weights of the engine changed, and it says that {said:,.0f} are trained",
            cause="the optimiser was given every parameter, frozen ones too",
            fix="give it [w for w in parameters if w.requires_grad], and count those",
        )


def _stored(folder: Path) -> int:
    """Return how many numbers the result's files hold: adapters may be merged where they serve."""
    from aegis.neural import read_header

    files = folder.rglob("*.safetensors")
    return sum(facts.size for file in files for facts in read_header(file).tensors.values())


def _within_patience(subject: Subject, **how: Any) -> tuple[_Training | Exception | None, float]:
    """Train in a thread; returns what came of it, None where it did not come back in time."""
    found: list[_Training | Exception] = []

    def run() -> None:
        try:
            found.append(_train(subject, **how))
        except Exception as error:  # noqa: BLE001 - told below
            found.append(error)

    began = time.monotonic()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_PATIENCE + _whole(subject).seconds)
    return (found[0] if found else None), time.monotonic() - began


@check("trainer-stops", needs=["trainer-returns"])
def honours_the_stop_signal(subject: Subject) -> None:
    """Told to stop from the start, it returns at once and says that it was interrupted."""
    found, took = _within_patience(subject, stop=lambda _: True)
    if isinstance(found, Exception):
        raise found
    because = None if found is None else found.result.stopped_because
    if because != "interrupted" or took > _PATIENCE:
        what = "did not come back" if found is None else f'ended as "{because}" after {took:.1f} s'
        raise Broken(
            f"told to stop before it began, it {what}",
            cause="context.should_stop() is never asked, or its answer is not looked at",
            fix='ask before every batch; return with stopped_because = "interrupted"',
        )


@check("trainer-deadline", needs=["trainer-returns"])
def honours_the_deadline(subject: Subject) -> None:
    """With its deadline behind it, it returns at once and says so."""
    found, took = _within_patience(subject, seconds=-1.0)
    if isinstance(found, Exception):
        raise found
    because = None if found is None else found.result.stopped_because
    if because != "deadline" or took > _PATIENCE:
        what = "did not come back" if found is None else f'ended as "{because}" after {took:.1f} s'
        raise Broken(
            f"with its deadline past, it {what}",
            cause="context.deadline is never compared with time.monotonic()",
            fix='compare before every batch; return with stopped_because = "deadline"',
        )


@check("trainer-resumes", needs=["trainer-repeats", "trainer-stops"])
def resume_equals_uninterrupted(subject: Subject) -> None:
    """Interrupted in the middle and gone on with, it ends where it would have ended."""
    asked = _whole(subject).asked
    only_if(asked >= 2, "it asks whether to stop only once, and is over then")
    half = max(2, asked // 2)
    first = _train(subject, stop=lambda n: n >= half)
    only_if(
        first.result.stopped_because == "interrupted",
        "it is over before it can be interrupted in the middle",
    )
    second = _train(subject, state=first.state, resume=True)
    far = _farthest(_served(subject), _scores(subject, second.folder))
    if far > _SAME:
        raise Broken(
            f"interrupted and gone on with, a score differs by {far:.3g}",
            cause="the optimiser's moments, the step or the order of batches are not kept, "
            "or resume_from is ignored",
            fix="keep weights, optimiser and step in context.state; or begin anew there",
        )


@check("trainer-nan", needs=["trainer-returns"])
def numbers_that_are_none_end_it(subject: Subject) -> None:
    """Where a weight is NaN it says that it diverged, and nothing of it is served."""
    only_if(_whole(subject).before, "its engine has no module of torch")
    try:
        training = _train(subject, prepare=_poison)
    except AegisError:
        return
    because = training.result.stopped_because
    if because != "diverged":
        raise Broken(
            f'with NaN among the weights it ended as "{because}"',
            cause="the loss is not looked at",
            fix='where the loss is not finite return with stopped_because = "diverged"',
        )


def _poison(engine: Any) -> None:
    import torch

    with torch.no_grad():
        for weight in engine.module.parameters():
            if weight.is_floating_point():
                weight.view(-1)[: max(1, weight.numel() // 2)] = float("nan")


@check("trainer-nothing", needs=["trainer-returns"])
def nothing_to_learn_is_said(subject: Subject) -> None:
    """Where no step paid it ends as always, or says that there is nothing to learn."""
    with contextlib.suppress(AegisError):
        training = _train(subject, data=toy_experience(_STEPS, rewards=False))
        odd = [n for n, v in training.result.metrics.items() if not _is_number(v)]
        if odd:
            raise Broken(
                f"with nothing to learn, {odd[0]} is {training.result.metrics[odd[0]]}",
                cause="a mean over nothing",
                fix="raise aegis.AegisError.of('no-examples', ..., fix=...)",
            )
