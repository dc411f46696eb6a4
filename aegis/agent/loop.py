"""The loop: view, candidates, decision, intent, call, result; one commit a step.

The intent of a step and the result of the step before it are written in the same commit. After a
crash at any place the ledger holds either no trace of a step, or its intent, or both; an intent
without a result is carried out again under the same idempotency key.

All randomness derives from (run seed, step).
"""

from __future__ import annotations

import threading
from collections.abc import Callable  # noqa: TC003 - attrs resolves the annotations of Listener
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from attrs import evolve, field, frozen

from aegis import __version__
from aegis.agent.calling import Interrupted
from aegis.contracts.experience import Decision, Experience
from aegis.contracts.outcome import Outcome
from aegis.errors import AegisError, InputError, PluginError
from aegis.exploration import Exploration, require_scores, sample, step_rng
from aegis.host.interface import remarks_of
from aegis.host.role import misfit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aegis.agent.clock import Clock
    from aegis.contracts.action import Action
    from aegis.contracts.experience import Origin
    from aegis.contracts.outcome import StepResult
    from aegis.contracts.roles import Engine, Environment
    from aegis.contracts.scores import Scores
    from aegis.contracts.view import View
    from aegis.host.plugin import PluginInfo
    from aegis.store.ledger import Ledger
    from aegis.store.runs import EpisodeRow

_LONGEST_NAP: Final = 1.0
_EPISODE_SEEDS: Final = 7_919


class Stage(Protocol):
    """An environment as the loop uses it: where it stands, and how it goes on."""

    name: str
    origin: Origin

    @property
    def environment(self) -> Environment:
        """The environment itself."""
        ...

    @property
    def generator(self) -> str:
        """Version of what makes its views and candidates."""
        ...

    def begin(self, seed: int) -> View:
        """Begin an episode and return its first view."""
        ...

    def resume(self, seed: int, episode: Sequence[Experience]) -> View:
        """Go on with an open episode, whose finished steps are given."""
        ...

    def prepare(self, step: int, key: str) -> None:
        """Name the step that comes next, and its idempotency key."""
        ...

    def wait(self) -> float:
        """Return the seconds until something may be done again; 0 where waiting is pointless."""
        ...


def _ignore(*_: Any) -> None:
    """Do nothing with what is told."""


@frozen
class Listener:
    """Who is told what happens, while it happens.

    Attributes:
        decided: A step's intent was committed.
        settled: A step's result is known (and committed with the next intent).
        committed: A step is complete in the ledger.
        notice: One line for a person.
    """

    decided: Callable[[Experience], None] = field(default=_ignore)
    settled: Callable[[Experience, StepResult], None] = field(default=_ignore)
    committed: Callable[[Experience], None] = field(default=_ignore)
    notice: Callable[[str], None] = field(default=_ignore)


@frozen
class Policy:
    """What decides.

    Attributes:
        engine: The engine.
        name: Its name as a component.
        plugin: Who provides it.
        exploration: How far behaviour departs from it.
        seed: Seed of the run.
    """

    engine: Engine
    name: str
    plugin: PluginInfo
    exploration: Exploration
    seed: int

    def decide(self, view: View, candidates: Sequence[Action], step: int) -> Decision:
        """Return the decision for one step.

        Raises:
            PluginError: If the engine's scores are none, or what it remarks is of another shape
                than its role allows.
        """
        scores = self._scores(view, candidates)
        remarks = remarks_of(self.engine, self.name, self.plugin)
        behaviour = self.exploration.behaviour(scores)
        chosen = sample(behaviour, step_rng(self.seed, step))
        decision = Decision(
            candidates=tuple(candidates),
            chosen=chosen,
            engine_log_probabilities=_recorded(scores),
            behaviour_log_probabilities=_recorded(behaviour),
            action=candidates[chosen],
            engine=self.name,
            checkpoint=self.engine.capabilities.weights,
            remarks=remarks,
        )
        slot = candidates[chosen].slot
        return decision if slot is None else self._write(decision, view, slot)

    def _scores(self, view: View, candidates: Sequence[Action]) -> Scores:
        scores = self.engine.score(view, candidates)
        try:
            require_scores(scores, len(candidates))
        except ValueError as error:
            faults = [f"score: {error}"]
            raise PluginError(misfit(self.plugin, "engine", self.name, faults)) from error
        return scores

    def _write(self, decision: Decision, view: View, slot: str) -> Decision:
        action = decision.action
        assert action is not None
        written = self.engine.write(view, action, slot)
        return evolve(
            decision,
            action=action.filled(written.text),
            text=written.text,
            text_log_probability=written.log_probability,
        )


def _recorded(log_probabilities: Scores) -> tuple[float, ...]:
    """Return log-probabilities in the precision that the ledger keeps (float32)."""
    return tuple(log_probabilities.astype(np.float32).tolist())


class Loop:
    """Runs steps on a ledger.

    Args:
        ledger: Opened for writing.
        policy: What decides.
        life: The stage of the agent's own life, or a benchmark's.
        practice: Makes the stage for practice when life has nothing left; None for none.
        run: Identifier of the run.
        clock: The time.
        listener: Who is told.
        between: Called before every decision: requests from outside are applied there.
    """

    def __init__(
        self,
        ledger: Ledger,
        policy: Policy,
        life: Stage,
        practice: Callable[[], Stage] | None,
        *,
        run: str,
        clock: Clock,
        listener: Listener,
        between: Callable[[], object] = _ignore,
    ) -> None:
        self._ledger, self._policy, self._run = ledger, policy, run
        self._life, self._make_practice = life, practice
        self._practice: Stage | None = None
        self._no_practice = ""
        self._clock, self._listener, self._between = clock, listener, between
        self._stage: Stage = life
        self._stop = threading.Event()
        self._said_idle = False
        self.reason = "steps"

    def stop(self) -> None:
        """End after the step that is on; may be called from a signal handler."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether the loop was asked to end."""
        return self._stop.is_set()

    def serve(self, engine: Engine, exploration: Exploration) -> None:
        """Let another engine decide from the next decision on; call it between steps only.

        Args:
            engine: The engine.
            exploration: How far behaviour departs from it.
        """
        self._policy = evolve(self._policy, engine=engine, exploration=exploration)

    def run(self, steps: int | None = None) -> Iterator[Experience]:
        """Yield each step once it is complete in the ledger.

        Args:
            steps: How many at most; None for no limit.
        """
        done: Experience | None = None
        count = 0
        intent, view = self._resume()
        while steps is None or count < steps:
            if intent is None:
                decided = self._next(view)
                if decided is None:
                    break
                intent = decided
                if not self._stop.is_set():
                    self._ledger.intend(intent)
            self._ledger.commit()
            if done is not None:
                self._listener.committed(done)
                yield done
                done = None
            if self._stop.is_set():
                self.reason = "interrupted"
                return
            self._listener.decided(intent)
            try:
                done, view = self._carry_out(intent)
            except Interrupted:
                self.reason = "interrupted"
                self._ledger.rollback()
                return
            intent = None
            count += 1
        self._ledger.commit()
        if done is not None:
            self._listener.committed(done)
            yield done

    def _resume(self) -> tuple[Experience | None, View]:
        """Return the pending intent, if any, and the view to go on from."""
        pending = self._ledger.pending()
        episode = self._ledger.open_episode()
        if episode is None:
            return None, self._begin(self._life)
        if episode.origin == "practice" and self._practising() is None and self._no_practice:
            return None, self._give_up(episode, pending, self._no_practice)
        stage = self._stage_of(episode.environment)
        finished = list(self._ledger.experiences(episode=episode.id))
        stage.prepare(self._ledger.last_step() + (pending is None), pending.key if pending else "")
        try:
            view = stage.resume(episode.seed, finished)
        except InputError as error:
            return None, self._give_up(episode, pending, str(error.problems[0].message))
        self._stage = stage
        return pending, view

    def _give_up(self, episode: EpisodeRow, pending: Experience | None, why: str) -> View:
        """End an episode that cannot be played again, and begin another."""
        if pending is not None:
            outcome = Outcome("error", f"the episode could not be resumed: {why}")
            self._ledger.settle(pending.step, outcome, 0.0, True, self._clock.now())
        self._ledger.finish_episode(episode.id)
        self._listener.notice(f"an episode of {episode.environment} could not be resumed: {why}")
        return self._begin(self._life)

    def _stage_of(self, environment: str) -> Stage:
        if environment == self._life.name:
            return self._life
        practice = self._practising()
        if practice is not None and practice.name == environment:
            return practice
        raise AegisError.of(
            "episode-of-another-environment",
            f'the open episode belongs to environment "{environment}", which is not active',
            fix="enable it again, or start afresh with: aegis run --fresh",
        )

    def _practising(self) -> Stage | None:
        """Return the stage for practice; None where there is none, or nothing to practise over."""
        if self._practice is None and self._make_practice is not None and not self._no_practice:
            try:
                self._practice = self._make_practice()
            except InputError as error:
                self._no_practice = str(error.problems[0].message)
                self._listener.notice(f"there is nothing to practise: {self._no_practice}")
        return self._practice

    def _begin(self, stage: Stage) -> View:
        step = self._ledger.last_step() + 1
        stage.prepare(step, self._key(step))
        self._stage = stage
        return stage.begin(self._seed(step))

    def _seed(self, step: int) -> int:
        return int(step_rng(self._policy.seed, step, _EPISODE_SEEDS).integers(2**31))

    def _key(self, step: int) -> str:
        return f"{self._run}-{step}"

    def _next(self, view: View) -> Experience | None:
        """Return the next decision as an intent; None to end the run."""
        while not self._stop.is_set():
            self._between()
            candidates = self._stage.environment.candidates(view)
            if candidates:
                return self._intent(view, candidates)
            wait = self._stage.wait()
            if wait > 0:
                self._stop.wait(min(wait, _LONGEST_NAP))
                continue
            following = self._after_idle()
            if following is None:
                return None
            view = following
        self.reason = "interrupted"
        return None

    def _after_idle(self) -> View | None:
        """Return the view of what comes after life has nothing left, or None to end."""
        if self._stage is not self._life:
            return self._begin(self._life)
        if not self._said_idle:
            self._said_idle = True
            self._listener.notice("nothing is left to learn here")
        practice = self._practising()
        if practice is None:
            self.reason = "idle"
            return None
        return self._begin(practice)

    def _intent(self, view: View, candidates: Sequence[Action]) -> Experience:
        step = self._ledger.last_step() + 1
        episode, index, seed = self._place(view, step)
        decision = self._policy.decide(view, candidates, step)
        return Experience(
            step=step,
            run=self._run,
            episode=episode,
            index=index,
            environment=self._stage.name,
            origin=self._stage.origin,
            seed=seed,
            generator=f"{__version__}/{self._stage.generator}",
            key=self._key(step),
            started=self._clock.now(),
            view=view,
            decision=decision,
        )

    def _place(self, view: View, step: int) -> tuple[int, int, int]:
        """Return episode, index and seed of the next step; begins an episode where none is open."""
        row = self._ledger.open_episode()
        if row is not None:
            return row.id, step - row.started_step + 1, row.seed
        number, seed = self._ledger.next_episode(), self._seed(step)
        self._ledger.begin_episode(
            number,
            run=self._run,
            environment=self._stage.name,
            seed=seed,
            goal=view.goal,
            origin=self._stage.origin,
            first_step=step,
        )
        return number, 1, seed

    def _carry_out(self, intent: Experience) -> tuple[Experience, View]:
        """Call, settle, and return the finished step with the next view."""
        action = intent.decision.action
        assert action is not None
        self._stage.prepare(intent.step, intent.key)
        result = self._stage.environment.step(action)
        finished = self._clock.now()
        self._ledger.settle(intent.step, result.outcome, result.reward, result.done, finished)
        done = evolve(intent, outcome=result.outcome, reward=result.reward, done=result.done)
        self._listener.settled(done, result)
        if not result.done:
            return done, result.view
        self._ledger.finish_episode(intent.episode)
        # Life comes first whenever it has something; practice only fills what it leaves.
        return done, self._begin(self._life)
