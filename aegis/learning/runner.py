"""A training from beginning to end: the child that trains, the candidate, old against new.

`Training` is moved on by `poll`, which waits for a moment at most: a loop may do other work in
between. `train` does nothing else until it is over.

    with Training(project) as training:
        training.start()
        while (outcome := training.poll()) is None:
            ...

The agent may run in the same folder meanwhile: the ledger is only read, and the candidate is a
folder of its own. What was cut off, however that came, is gone on with by the next training of
the same fingerprint.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from attrs import evolve

from aegis.errors import AegisError, Problem, StoreError, TrainingError
from aegis.jobs.job_file import write_job
from aegis.jobs.limits import Limits
from aegis.jobs.supervision import POLL, Supervised
from aegis.learning.curve import Curve
from aegis.learning.job_folder import Jobs
from aegis.learning.outcome import Outcome
from aegis.learning.preparing import Plan
from aegis.learning.progress import Listener, Pace, Progress
from aegis.learning.storing import store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aegis.evaluation.task import Task
    from aegis.jobs.supervision import Ending
    from aegis.learning.job_folder import JobFolder
    from aegis.learning.outcome import Status
    from aegis.learning.progress import Stage
    from aegis.project import Project
    from aegis.store.lock import RunLock

TRAINER: Final = "aegis.learning.training_main"
JUDGE: Final = "aegis.learning.judging_main"

_CURVE_EVERY: Final = 2.0
"""Seconds between two writings of the learning curve."""
_PREDECESSOR: Final = 10.0
"""Seconds past its grace that a process without a parent may take to be gone."""


class Training:
    """One training of a project's profile. Use it as a context manager, from one thread.

    Args:
        project: The project, with the profile to train.
        phase: ``imitate`` or ``reinforce``; by default the first that has a trainer.
        data: File to take the experience from instead of the ledger.
        task: Learn from experience of this task only, and play it to judge.
        episodes: Episodes that are judged; None for the configuration's number.
        fresh: Begin anew even where an earlier training could be gone on with.
        judge: Whether old and new weights are compared.
        listener: Who is told.
        limits: What it may take; None for the configuration's.
    """

    def __init__(
        self,
        project: Project,
        *,
        phase: str | None = None,
        data: Path | None = None,
        task: Task | None = None,
        episodes: int | None = None,
        fresh: bool = False,
        judge: bool = True,
        listener: Listener | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._project, self._phase, self._data, self._task = project, phase, data, task
        self._episodes, self._fresh, self._judge = episodes, fresh, judge
        self._listener = listener or Listener()
        self._limits = limits or Limits.of(project.config.settings.learning)
        self._jobs = Jobs(project.run_folder)
        self._lock: RunLock | None = None
        self._child: Supervised | None = None
        self._built: Mapping[str, Any] = {}
        self._metrics: Mapping[str, float] = {}
        self._judging: Mapping[str, Any] = {}
        self._kept_curve = 0.0
        self._waiting_since: float | None = None
        self._stage: Stage = "waiting"
        self._stopping = False
        self.outcome: Outcome | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Select and check everything, and begin.

        Raises:
            AegisError: If there is nothing to begin with; nothing was started then.
        """
        self._lock = self._jobs.lock()
        forms = self._project.config.settings.learning.variants
        if forms:
            self._listener.notice(f"makes up to {forms} further forms of each step")
        try:
            self._plan = Plan.of(self._project, self._phase, self._data, self._task)
            self._folder, self._resumes = self._place()
            self._curve = Curve(self._folder.curve() if self._resumes else ())
            self._pace = Pace()
            self._before = self._curve.points[-1]["examples"] if self._curve.points else 0.0
        except BaseException:
            self.close()
            raise
        self._begin_or_wait()

    def poll(self, timeout: float = POLL) -> Outcome | None:
        """Move on, for about `timeout` seconds at most; returns the outcome once it is over."""
        if self._stopping and self._child is not None:
            self._child.stop("interrupted")
        if self.outcome is None and self._stage == "waiting":
            self._begin_or_wait(timeout)
        elif self.outcome is None:
            self._advance(timeout)
        self._listener.progress(self._progress())
        return self.outcome

    def stop(self) -> None:
        """Ask it to save and end, within 30 s; may be called from a signal handler."""
        self._stopping = True

    def kill(self) -> None:
        """End it at once; the next training goes on from what the trainer has saved by then."""
        self._stopping = True
        if self._child is not None:
            self._child.kill("by a person")

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stopping

    def close(self) -> None:
        """End what runs and give the folder back."""
        if self._child is not None:
            self._child.kill("its parent ended")
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # Beginning

    def _place(self) -> tuple[JobFolder, bool]:
        """Return the folder to train in, and whether an earlier training is gone on with."""
        found = None if self._fresh else self._jobs.resumable(self._plan.fingerprint)
        folder = found or self._jobs.new()
        if found is not None:
            self._listener.notice(
                f"goes on with training {folder.name}, which was cut off (--fresh begins anew)"
            )
        return folder, found is not None

    def _begin_or_wait(self, timeout: float = 0.0) -> None:
        """Start the child, once none that lost its parent is at work here any more."""
        pid = self._jobs.orphan()
        if self._stopping:
            self._over(self._ended("interrupted", resumable=self._resumes))
        elif pid is None:
            self._begin()
        elif self._waiting_since is None:
            self._waiting_since = time.monotonic()
            self._listener.notice(f"waits until process {pid}, an earlier training, has ended")
        elif time.monotonic() - self._waiting_since > self._limits.grace + _PREDECESSOR:
            self._over(self._ended("failed", error=_outstayed(pid), resumable=self._resumes))
        else:
            time.sleep(timeout)

    def _begin(self) -> None:
        plan, folder = self._plan, self._folder
        given_up = self._jobs.give_up(plan.project.composition.profile, but=folder)
        if given_up:
            self._listener.notice(f"gave up {given_up} training(s) that had been cut off")
        self._jobs.tidy()
        folder.prepare()
        plan.selected.train.write(folder.train)
        plan.selected.validation.write(folder.validation)
        job = plan.training(folder, resume=self._resumes, limits=self._limits)
        write_job(job, folder.job)
        self._start(TRAINER, folder.job, "the training")
        self._stage = "training"

    def _start(self, module: str, file: Path, what: str) -> None:
        from aegis.store.lock import RunLock

        beside_an_agent = RunLock(self._project.run_folder).holder() is not None
        trainer = self._plan.trainer
        who = f"{trainer.plugin}, train of {trainer.label}" if module == TRAINER else ""
        self._child = Supervised(
            module,
            file,
            self._project.folder,
            self._limits,
            what,
            yielding=beside_an_agent,
            who=who,
        )

    # Going on

    def _advance(self, timeout: float) -> None:
        child = self._child
        assert child is not None
        for message in child.poll(timeout):
            match message:
                case {"built": dict(facts)}:
                    self._built = facts
                case {"progress": dict(metrics)}:
                    self._reported(metrics)
                case {"judging": dict(judging)}:
                    self._judging = judging
        if child.ending is not None:
            ended = self._trained if self._stage == "training" else self._judged
            ended(child, child.ending)

    def _reported(self, metrics: dict[str, float]) -> None:
        self._metrics = {**self._metrics, **self._pace.of(metrics), **metrics}
        self._project.host.events.training_progress(
            trainer=self._plan.trainer.component.name, metrics=metrics
        )
        if self._curve.add(metrics) and time.monotonic() - self._kept_curve >= _CURVE_EVERY:
            self._kept_curve = time.monotonic()
            self._folder.keep_curve(self._curve.points)

    def _trained(self, child: Supervised, ending: Ending) -> None:
        """Take up what the training answered; a candidate is stored before it is judged."""
        self._folder.keep_curve(self._curve.points)
        if ending.answer is None:
            self._not_trained(child, ending)
            return
        outcome = self._answered(child, ending.answer)
        if outcome.stopped_because == "interrupted":
            error = None if self._stopping else _stopped_early(child)
            status: Status = "interrupted" if error is None else "failed"
            self._over(evolve(outcome, status=status, error=error, resumable=True))
            return
        try:
            checkpoint = store(self._plan, self._folder, outcome, self._built, ending.answer)
        except AegisError as error:
            failed = evolve(outcome, status="failed", stopped_because="failed", error=error)
            # A full disk, say: once there is room, the next training goes on from the end.
            self._over(evolve(failed, resumable=isinstance(error, StoreError)))
            return
        outcome = evolve(outcome, status="finished", checkpoint=checkpoint)
        if self._judge and not self._stopping:
            self._begin_judging(outcome)
        else:
            self._over(outcome)

    def _not_trained(self, child: Supervised, ending: Ending) -> None:
        self._folder.log(ending.output)
        if self._stopping and ending.died:
            self._over(self._ended("interrupted", error=ending.error, resumable=True))
            return
        resumable = ending.died or child.asked is not None
        self._over(self._ended("failed", error=ending.error, resumable=resumable))

    def _begin_judging(self, outcome: Outcome) -> None:
        from aegis.checkpoints.folder import Checkpoints

        self._candidate = outcome
        assert outcome.checkpoint is not None
        try:
            folder = Checkpoints(self._project.run_folder).verified(outcome.checkpoint)
            job = self._plan.judging(
                self._folder, folder, episodes=self._episodes, limits=self._limits
            )
        except AegisError as error:
            self._over(evolve(outcome, error=error))
            return
        write_job(job, self._folder.judging)
        self._start(JUDGE, self._folder.judging, "the comparison")
        self._stage = "judging"

    def _judged(self, _: Supervised, ending: Ending) -> None:
        from aegis.checkpoints.folder import Checkpoints

        outcome = self._candidate
        if ending.answer is None:
            self._folder.log(ending.output)
            error = None if self._stopping else ending.error
            self._over(evolve(outcome, error=error))
            return
        assert outcome.checkpoint is not None
        facts = {"comparison": ending.answer}
        Checkpoints(self._project.run_folder).record(outcome.checkpoint, facts)
        self._over(evolve(outcome, comparison=ending.answer))

    # Ending

    def _answered(self, child: Supervised, answer: Mapping[str, Any]) -> Outcome:
        return evolve(
            self._ended("finished"),
            stopped_because=answer["stopped_because"],
            examples=answer["examples"],
            epochs=answer["epochs"],
            before=self._before,
            seconds=answer["seconds"],
            metrics=answer["metrics"],
            peak_rss_mb=max(child.peak_rss_mb, answer["peak_rss_mb"]),
        )

    def _ended(
        self,
        status: Status,
        *,
        error: AegisError | None = None,
        resumable: bool = False,
    ) -> Outcome:
        plan = self._plan
        return Outcome(
            status=status,
            job=self._folder.path,
            profile=plan.project.composition.profile,
            engine=plan.engine.component.name,
            trainer=plan.trainer.component.name,
            stopped_because=status,
            metrics=self._metrics,
            parameters=self._built.get("parameters"),
            peak_rss_mb=0.0 if self._child is None else self._child.peak_rss_mb,
            curve=self._curve.points,
            error=error,
            resumable=resumable,
        )

    def _over(self, outcome: Outcome) -> None:
        self.outcome, self._stage = outcome, "over"
        record = outcome.record() | {"ended": datetime.now(UTC).isoformat(timespec="seconds")}
        self._folder.end(record, resumable=outcome.resumable)
        self._project.host.events.training_finished(
            trainer=outcome.trainer, checkpoint=outcome.checkpoint, metrics=outcome.metrics
        )
        self.close()

    def _progress(self) -> Progress:
        child = self._child
        if child is None or self._stage == "waiting":
            return Progress(self._stage)
        return Progress(
            self._stage,
            seconds=child.seconds,
            limit=self._limits.seconds,
            silent=child.silent,
            rss_mb=child.rss_mb,
            metrics=self._metrics,
            judging=self._judging,
            points=self._curve.points,
        )


def train(project: Project, **options: Any) -> Outcome:
    """Train until it is over; options as of `Training`.

    Raises:
        AegisError: If there is nothing to begin with. How a training failed is in the outcome.
    """
    with Training(project, **options) as training:
        training.start()
        while (outcome := training.poll()) is None:
            pass
    return outcome


def _stopped_early(child: Supervised) -> TrainingError:
    why = "its time was over" if child.asked == "deadline" else "nobody had asked it to"
    fix = "aegis train goes on with it"
    return TrainingError(Problem("training-stopped", f"the trainer stopped: {why}", fix=fix))


def _outstayed(pid: int) -> TrainingError:
    return TrainingError(
        Problem(
            "training-outstayed",
            f"process {pid} still trains here, though the command that started it is gone",
            fix=f"end it: kill {pid}",
        )
    )
