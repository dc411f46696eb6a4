"""How a training ended, and the words in which commands answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import field, frozen

from aegis.learning.judging import LEVEL, RETURN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from aegis.errors import AegisError

Status = Literal["finished", "failed", "interrupted"]

VOLATILE: Final = ("seconds", "_seconds", "_per_second", "rss_mb", "_time")
"""Ends of the names of figures that differ from run to run; no manifest holds them."""


@frozen(kw_only=True)
class Outcome:
    """How a training ended.

    Attributes:
        status: ``finished`` where there is a checkpoint.
        job: Folder of the job.
        profile: The profile.
        engine: Name of the engine.
        trainer: Name of the trainer.
        checkpoint: The candidate, stored, or None.
        stopped_because: What the trainer said, or ``failed`` or ``interrupted``.
        examples: Examples that were trained on, each counted once.
        epochs: Passes over them.
        before: Examples, repeats counted, that were done before an interruption.
        seconds: Wall-clock time of the training itself since then.
        metrics: Final figures of the trainer.
        parameters: Weights of the engine, where it says.
        peak_rss_mb: Most memory that the training had resident, MiB.
        curve: The learning curve.
        comparison: Old against new (`aegis.learning.judging_main.judge`); empty where not judged.
        error: What went wrong, of the training or of the comparison after it.
        resumable: Whether the next training goes on with this one.
    """

    status: Status
    job: Path
    profile: str
    engine: str
    trainer: str
    checkpoint: str | None = None
    stopped_because: str
    examples: int = 0
    epochs: float = 0.0
    before: float = 0.0
    seconds: float = 0.0
    metrics: Mapping[str, float] = field(factory=dict)
    parameters: int | None = None
    peak_rss_mb: float = 0.0
    curve: Sequence[Mapping[str, float]] = ()
    comparison: Mapping[str, Any] = field(factory=dict)
    error: AegisError | None = None
    resumable: bool = False

    @property
    def examples_per_second(self) -> float | None:
        """Examples a second as the trainer measured them, else over the time of the training."""
        told = self.metrics.get("examples_per_second")
        if told is not None:
            return told
        done = self.examples * self.epochs - self.before
        return max(0.0, done) / self.seconds if self.seconds > 0 else None

    def steady_metrics(self) -> dict[str, float]:
        """Return the figures that are the same whenever the same training is repeated."""
        steady = {k: v for k, v in self.metrics.items() if not k.endswith(VOLATILE)}
        return {**steady, "examples": float(self.examples), "epochs": self.epochs}

    def to_json(self) -> dict[str, Any]:
        """Return what ``aegis train --json`` prints."""
        return {
            "profile": self.profile,
            "trainer": self.trainer,
            "examples": self.examples,
            "epochs": self.epochs,
            "seconds": round(self.seconds, 3),
            "examples_per_second": self.examples_per_second,
            "trainable_parameters": _whole(self.metrics.get("trainable_parameters")),
            "total_parameters": _whole(self.metrics.get("total_parameters", self.parameters)),
            "peak_rss_mb": round(self.peak_rss_mb, 1),
            "checkpoint": self.checkpoint,
            "stopped_because": self.stopped_because,
            "metrics": dict(self.metrics),
            "gate": gate(self.comparison),
            "comparison": dict(self.comparison),
        }

    def record(self) -> dict[str, Any]:
        """Return what stays of the job."""
        problems = [] if self.error is None else [list(p) for p in self.error.problems]
        return {
            "status": self.status,
            "reason": self.error.problems[0].message if self.error else self.stopped_because,
            "problems": problems,
            **self.to_json(),
            "curve": [dict(point) for point in self.curve],
        }


def gate(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """Return the comparison as one verdict: by returns where episodes were played, else by loss.

    ``difference`` is how much better the candidate is, ``lower_bound`` its one-sided lower bound
    at ``level``. ``accepted`` is null: nothing is accepted or refused by it yet.
    """
    found: dict[str, Any] = {"metric": None, "incumbent": None, "candidate": None}
    found |= {"difference": None, "lower_bound": None}
    episodes = comparison.get("episodes", {})
    by_return = episodes.get("measures", {}).get(RETURN)
    by_loss = comparison.get("held_out", {}).get("measures", {}).get("loss")
    measure = by_return or by_loss
    if measure is not None:
        name = f"return in {episodes['environment']}" if by_return else "held-out loss"
        found = {
            "metric": name,
            "incumbent": measure["incumbent"]["mean"],
            "candidate": measure["candidate"]["mean"],
            "difference": measure["gain"]["mean"],
            "lower_bound": measure["lower_bound"],
        }
    return {"accepted": None, **found, "level": LEVEL}


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
