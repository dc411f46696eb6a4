"""Checks of engines."""

from __future__ import annotations

import copy
import gc
import math
import weakref
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import fields

from aegis.contracts.action import Action
from aegis.contracts.capabilities import EngineCapabilities
from aegis.contracts.remarks import remark_faults
from aegis.contracts.roles import Written
from aegis.testing.checks import Broken, check
from aegis.testing.subject import only_if
from aegis.testing.toys import toy_candidates, toy_views

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aegis.contracts.view import View
    from aegis.testing.subject import Subject

_SIZES: Final = (1, 2, 6, 24)
_EXACT: Final = 1e-9
_ROUNDING: Final = 1e-4
"""Largest difference of log-probabilities that are computed in another order."""
_CYCLES: Final = 4
_SLACK: Final = 8 << 20


def _built(subject: Subject) -> Any:
    return subject.once("built", subject.build)


def _items() -> list[tuple[View, tuple[Action, ...]]]:
    """Return views with candidates; all views with two, the usual one with every number."""
    views = toy_views()
    usual = [(views["usual"], toy_candidates(size)) for size in _SIZES]
    return [*usual, *((view, toy_candidates(2)) for view in views.values())]


def _far(left: Any, right: Any) -> float:
    """Return the largest difference of two arrays of log-probabilities; infinity where no match."""
    left, right = np.asarray(left, dtype=float), np.asarray(right, dtype=float)
    if left.shape != right.shape:
        return math.inf
    with np.errstate(invalid="ignore"):
        return float(np.max(np.abs(left - right), initial=0.0))


@check("engine-normalised")
def normalised(subject: Subject) -> None:
    """Scores are finite log-probabilities, (n,), with logsumexp 0."""
    engine = _built(subject)
    for view, candidates in _items():
        scores = engine.score(view, candidates)
        if not isinstance(scores, np.ndarray) or scores.shape != (len(candidates),):
            shape = getattr(scores, "shape", type(scores).__name__)
            raise Broken(
                f"{len(candidates)} candidates got scores of shape {shape}",
                cause="a batch dimension was kept, or a list is returned",
                fix=f"return a numpy array of shape ({len(candidates)},)",
            )
        if not np.issubdtype(scores.dtype, np.floating) or not np.isfinite(scores).all():
            raise Broken(
                f"scores are {scores.dtype}, {int((~np.isfinite(scores)).sum())} not finite",
                cause="a logarithm of 0: a candidate was ruled out",
                fix="give every candidate a probability above 0; what is legal is not yours to say",
            )
        total = float(np.logaddexp.reduce(scores))
        if abs(total) > 1e-6:
            raise Broken(
                f"logsumexp of {len(candidates)} scores is {total:.4g}, not 0",
                cause="logits or probabilities are returned, or they were normalised in float16",
                fix="return scores - numpy.logaddexp.reduce(scores), in float64",
            )


@check("engine-described")
def described(subject: Subject) -> None:
    """What the manifest says of the engine is what was built."""
    said, built = subject.described(), _built(subject).capabilities
    only_if(isinstance(said, EngineCapabilities), "it has no describe")
    for one in fields(EngineCapabilities):
        told, found = getattr(said, one.name), getattr(built, one.name)
        known = one.name not in (*getattr(said, "unverified", ()), "unverified")
        if known and told is not None and told != found:
            raise Broken(
                f"describe says {one.name} = {told!r}, and what was built has {found!r}",
                cause="two places state the same fact",
                fix="let both read it from one place, or name it in `unverified`",
            )


@check("engine-repeats", needs=["engine-normalised"])
def repeats(subject: Subject) -> None:
    """The same view and candidates get the same scores, whatever was scored between."""
    engine, items = _built(subject), _items()
    first = [np.array(engine.score(view, candidates)) for view, candidates in items]
    for (view, candidates), scores in reversed(list(zip(items, first, strict=True))):
        far = _far(engine.score(view, candidates), scores)
        if far > _ROUNDING:
            raise Broken(
                f"asked again, a score differs by {far:.3g}",
                cause="dropout is on, a generator is drawn from, or a cache keeps another view",
                fix="score in evaluation mode; let all chance be the agent's",
            )


@check("engine-seeds", needs=["engine-repeats"])
def seeds(subject: Subject) -> None:
    """Two engines of the same seed decide alike."""
    first, second = _built(subject), subject.build()
    try:
        for view, candidates in _items():
            far = _far(first.score(view, candidates), second.score(view, candidates))
            if far > _ROUNDING:
                raise Broken(
                    f"two engines built with the same seed differ by {far:.3g}",
                    cause="weights are drawn from a global generator",
                    fix="draw from a generator of your own, seeded with runtime.seed",
                )
    finally:
        second.close()


@check("engine-batch", needs=["engine-repeats"])
def batch_equals_single(subject: Subject) -> None:
    """score_batch returns what score returns for each item."""
    engine, items = _built(subject), _items()
    batch = engine.score_batch(items)
    if len(batch) != len(items):
        raise Broken(
            f"{len(items)} items got {len(batch)} answers",
            cause="items without a choice are left out",
            fix="return one array for each item, in order",
        )
    for number, ((view, candidates), scores) in enumerate(zip(items, batch, strict=True)):
        far = _far(scores, engine.score(view, candidates))
        if far > _ROUNDING:
            raise Broken(
                f"item {number} ({len(candidates)} candidates) differs by {far:.3g} in a batch",
                cause="padding is not masked, or rows of a batch are mixed up",
                fix="mask what is padded; compare with one item at a time",
            )


@check("engine-order", needs=["engine-repeats"])
def order_is_irrelevant(subject: Subject) -> None:
    """A candidate's probability does not hang on where it stands, where that is claimed."""
    engine = _built(subject)
    only_if(engine.capabilities.order_independent, "it does not claim order_independent")
    view, candidates = toy_views()["usual"], toy_candidates(6)
    forward = np.asarray(engine.score(view, candidates))
    backward = np.asarray(engine.score(view, candidates[::-1]))[::-1]
    far = _far(forward, backward)
    if far > _ROUNDING:
        raise Broken(
            f"with the candidates in the opposite order a score differs by {far:.3g}",
            cause="positions are encoded over all candidates, or they see each other's order",
            fix="score each by itself, or leave order_independent False",
        )


@check("engine-hands-off", needs=["engine-normalised"])
def hands_off(subject: Subject) -> None:
    """View and candidates are as they were after a score."""
    engine = _built(subject)
    view, candidates = toy_views()["usual"], toy_candidates(6)
    before = copy.deepcopy((view, candidates))
    offered: Sequence[Action] = list(candidates)
    engine.score(view, offered)
    if (view, tuple(offered)) != before:
        raise Broken(
            "score changed what it was given",
            cause="candidates are sorted in place, or arguments and signals are edited",
            fix="work on a copy: the agent records what it offered",
        )


@check("engine-remarks", needs=["engine-normalised"])
def remarks(subject: Subject) -> None:
    """Remarks are a few short names with finite numbers, right after a score."""
    engine = _built(subject)
    only_if(hasattr(engine, "remarks"), "it remarks nothing")
    for view, candidates in _items():
        engine.score(view, candidates)
        faults = list(remark_faults(engine.remarks))
        if faults:
            raise Broken(
                f"remarks: {faults[0]}",
                cause="a number that is not known is given as NaN or None",
                fix="leave out what is not known",
            )


@check("engine-writes")
def writes(subject: Subject) -> None:
    """A slot is filled with one line, with its log-probability, the same for the same seed."""
    engine = _built(subject)
    only_if(engine.capabilities.writes_text, "it does not claim writes_text")
    view = toy_views()["usual"]
    action = Action("search_library", {}, slot="query")
    written = engine.write(view, action, "query")
    if not isinstance(written, Written) or not isinstance(written.text, str):
        raise Broken(
            f"write returned {type(written).__name__}",
            cause="the bare text is returned",
            fix="return aegis.Written(text, log_probability, tokens)",
        )
    if len(written.text.splitlines()) > 1:
        raise Broken(
            f"it wrote {len(written.text.splitlines())} lines: {written.text!r:.80}",
            cause="nothing stops it at a line break",
            fix="end the text before the first line break",
        )
    if not math.isfinite(written.log_probability) or written.log_probability > _ROUNDING:
        raise Broken(
            f"the log-probability of what it wrote is {written.log_probability}",
            cause="a probability, or a mean over no token, is returned",
            fix="return the sum of the tokens' log-probabilities; it is at most 0",
        )
    if engine.write(view, action, "query") != written:
        raise Broken(
            "the same view, action and seed got another text",
            cause="it draws from a global generator",
            fix="seed a generator with runtime.seed and the view's digest",
        )


@check("engine-gradient", needs=["engine-repeats"])
def gradient(subject: Subject) -> None:
    """What trainers differentiate is what is scored."""
    engine = _built(subject)
    only_if(hasattr(engine, "log_probabilities"), "it offers no log_probabilities to trainers")
    items = _items()[:4]
    values, mask = engine.log_probabilities(items)
    if not values.requires_grad:
        raise Broken(
            "log_probabilities have no gradient",
            cause="they are computed without a graph, or every weight is frozen",
            fix="compute them outside torch.no_grad and torch.inference_mode",
        )
    for row, present, (view, candidates) in zip(values, mask, items, strict=True):
        if int(present.sum()) != len(candidates):
            raise Broken(
                f"the mask allows {int(present.sum())} of {len(candidates)} candidates",
                cause="rows are padded on the other side than the mask says",
                fix="mask[i, :n] is true, the rest false",
            )
        far = _far(row[present].detach().numpy(), engine.score(view, candidates))
        if far > _ROUNDING:
            raise Broken(
                f"log_probabilities differ from score by {far:.3g}",
                cause="training uses another encoding, another normalisation, or dropout",
                fix="let score call log_probabilities, or both one function",
            )


@check("engine-saved", needs=["engine-seeds"])
def saved(subject: Subject) -> None:
    """What is built from the saved files decides alike, whatever the seed."""
    engine = subject.build()
    try:
        _change(engine)
        folder = subject.scratch("saved")
        engine.save(folder)
        again = subject.build(folder, seed=8)
        try:
            for view, candidates in _items():
                far = _far(engine.score(view, candidates), again.score(view, candidates))
                if far > _ROUNDING:
                    raise Broken(
                        f"built from what it saved, a score differs by {far:.3g}",
                        cause="save leaves weights out, or build ignores runtime.checkpoint",
                        fix="write all weights as safetensors; read them where checkpoint is set",
                    )
        finally:
            again.close()
    finally:
        engine.close()


def _change(engine: Any) -> None:
    """Move an engine's weights of torch a little, so that the ones it began with do not count."""
    module = getattr(engine, "module", None)
    if module is None:
        return
    import torch

    drawn = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in module.parameters():
            if weight.is_floating_point():
                weight.add_(0.01 * torch.randn(weight.shape, generator=drawn).to(weight))


@check("engine-closed", needs=["engine-normalised"])
def memory_comes_back(subject: Subject) -> None:
    """What was closed and let go is gone."""
    view, candidates = toy_views()["usual"], toy_candidates(2)

    def cycle() -> Any:
        engine = subject.build()
        engine.score(view, candidates)
        engine.close()
        return _reference(engine)

    cycle()
    gc.collect()
    before = _resident()
    left = [cycle() for _ in range(_CYCLES)]
    gc.collect()
    alive = sum(one is not None and one() is not None for one in left)
    weights = 4 * (_built(subject).capabilities.parameters or 0)
    grown = _resident() - before
    if alive or grown > max(_SLACK, _CYCLES * weights // 2):
        raise Broken(
            f"{alive} of {_CYCLES} closed engines are still there; "
            f"memory grew by {grown / 2**20:.0f} MiB",
            cause="a module-level list, a cache without a limit or a thread keeps them",
            fix="let go of weights and caches in close",
        )


def _reference(engine: Any) -> weakref.ref[Any] | None:
    try:
        return weakref.ref(engine)
    except TypeError:  # a class with slots
        return None


def _resident() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)
