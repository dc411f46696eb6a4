"""From a project to a running agent: the ledger, the workers, the tools, the engine, the loop."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from attrs import evolve

from aegis.agent.calling import GRACE, InterruptibleCaller
from aegis.agent.clock import SystemClock
from aegis.agent.inbox import Inbox
from aegis.agent.loop import Listener, Loop, Policy, Stage
from aegis.agent.promotion import KINDS
from aegis.agent.proposals import ActiveTool
from aegis.agent.research import Services
from aegis.agent.stages import Life, Seeded
from aegis.agent.weights import Weights
from aegis.agent.worker import Workers
from aegis.errors import ConfigError
from aegis.host.building import build
from aegis.host.composition import Chosen
from aegis.knowledge.calls import State
from aegis.knowledge.goals import Goals
from aegis.knowledge.items import Items
from aegis.project import Project, load
from aegis.store.lock import RunLock
from aegis.store.owning import owning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aegis.agent.clock import Clock
    from aegis.contracts.component import Runtime
    from aegis.contracts.experience import Experience, Origin
    from aegis.contracts.outcome import StepResult
    from aegis.store.ledger import Ledger

LIFE: Final = "research"
PRACTICE: Final = "research-gym"


class Agent:
    """An agent on its project's ledger. Use it as a context manager; one process at a time.

    Make one with `aegis.open` or `assemble`.
    """

    def __init__(self, project: Project, ledger: Ledger, stack: contextlib.ExitStack) -> None:
        self.project = project
        self.ledger = ledger
        self.reason = "steps"
        self._stack = stack
        self._loop: Loop | None = None
        self._steps = 0

    def attach(self, loop: Loop, run: str, weights: Weights, workers: Workers) -> None:
        """Give the agent what it runs with (`assemble` does)."""
        self._loop, self._run_id, self._weights, self._workers = loop, run, weights, workers
        counts = self.ledger.counts()
        self._began = self.ledger.last_step()
        self._experiences, self._rewards = counts.experiences, counts.reward_sum

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, steps: int | None = None) -> Iterator[Experience]:
        """Yield each step once it is complete in the ledger; resumes where the last run stopped.

        Args:
            steps: How many at most; None goes on until nothing is left to do.
        """
        loop, events = self._loop, self.project.host.events
        assert loop is not None
        profile = self.project.composition.profile
        resumed = self.ledger.last_step() > 0
        events.run_started(run=self._run_id, profile=profile, resumed=resumed)
        try:
            for step in loop.run(steps):
                self._steps += 1
                self._experiences += 1
                self._rewards += step.reward or 0.0
                yield step
            self.reason = loop.reason
        finally:
            self.ledger.finish_run(self._run_id, self.reason)
            self.ledger.commit()
            events.run_finished(run=self._run_id, steps=self._steps, reason=self.reason)

    def stop(self) -> None:
        """End after the step that is on; may be called from a signal handler."""
        assert self._loop is not None
        self._loop.stop()
        self._workers.hurry(GRACE)

    @property
    def stopping(self) -> bool:
        """Whether the agent was asked to end."""
        return self._loop is not None and self._loop.stopping

    def describe(self) -> str:
        """Return one line: what decides, and since when."""
        capabilities = self._weights.engine.capabilities
        size = f", {capabilities.parameters:,} weights" if capabilities.parameters else ""
        checkpoint = self._weights.checkpoint
        promoted = "" if checkpoint is None else f", checkpoint {checkpoint}"
        since = f"goes on after step {self._began}" if self._began else "begins"
        composition = self.project.composition
        engine = composition.engine.component.name
        return f'profile "{composition.profile}" (engine {engine}{size}{promoted}) {since}'

    def summary(self) -> dict[str, Any]:
        """Return the counts that `aegis run --json` prints."""
        return {
            "run": self._run_id,
            "profile": self.project.composition.profile,
            "steps": self._steps,
            "experiences": self._experiences,
            "knowledge": Items(self.ledger.connection).count(),
            "goals_completed": Goals(self.ledger.connection).completed(),
            "reward_mean": self._rewards / self._experiences if self._experiences else 0.0,
            "checkpoint": self._weights.name,
            "trained": 0,
            "promoted": self._weights.promoted,
        }

    def close(self) -> None:
        """Give back the engine, the workers, the lock."""
        self._stack.close()


def open_agent(
    file: Path | str = "aegis.toml",
    *,
    profile: str | None = None,
    sets: Sequence[str] = (),
    listener: Listener | None = None,
) -> Agent:
    """Return the agent of a project (`aegis.open`).

    Args:
        file: The project's aegis.toml.
        profile: Profile to decide with instead of the file's.
        sets: Overrides, ``key=value``.
        listener: Who is told what happens.

    Raises:
        AegisError: If the configuration, a plugin, the composition or the ledger is not in order.
    """
    project = load(Path(file), sets=sets, profile=profile)
    return assemble(project, listener=listener)


def assemble(
    project: Project,
    *,
    fresh: bool = False,
    listener: Listener | None = None,
    clock: Clock | None = None,
) -> Agent:
    """Return the agent of a loaded project.

    Args:
        project: The project, as `aegis.project.load` returns it.
        fresh: Begin anew; what was there is kept aside.
        listener: Who is told what happens.
        clock: The time; tests inject their own.
    """
    project.refuse_if_broken(fresh=fresh)
    clock = clock or SystemClock()
    folder = project.run_folder
    if fresh:
        set_aside(folder, clock.now())
    with contextlib.ExitStack() as stack:
        ledger = stack.enter_context(owning(folder))
        agent = Agent(project, ledger, stack)
        _equip(agent, stack, listener or Listener(), clock)
        agent._stack = stack.pop_all()
    return agent


def set_aside(folder: Path, now: str) -> Path | None:
    """Move a run's folder away under a name with the date; return where, None if there was none."""
    if not (folder / "ledger.sqlite").exists():
        return None
    stamp = "".join(c for c in now[:26] if c.isdigit())
    with RunLock(folder):
        return folder.rename(folder.with_name(f"{folder.name}-{stamp}"))


def _equip(agent: Agent, stack: contextlib.ExitStack, listener: Listener, clock: Clock) -> None:
    project, ledger = agent.project, agent.ledger
    settings, composition = project.config.settings, project.composition
    run, seed = _identity(ledger, settings.runtime.seed)
    runtime = project.runtime(seed=seed)
    workers = stack.enter_context(Workers(composition, runtime))
    tools = {
        chosen.component.name: ActiveTool(build(chosen, runtime), chosen.plugin)
        for chosen in composition.tools
    }
    listener = _with_events(listener, project)
    weights = Weights(project, runtime, ledger, listener.notice)
    stack.callback(weights.close)
    policy = Policy(
        weights.engine,
        composition.engine.component.name,
        composition.engine.plugin,
        weights.exploration,
        seed,
    )
    caller = InterruptibleCaller(workers, lambda: agent.stopping)
    services = Services(
        connection=ledger.connection,
        tools=tools,
        caller=caller,
        settings=settings.agent,
        clock=clock,
        writes_text=weights.engine.capabilities.writes_text,
        notify=listener.notice,
    )
    ledger.begin_run(run, composition.profile, seed)
    inbox = Inbox(project.run_folder, ledger, dict.fromkeys(KINDS, weights.apply))
    life = _life(project, runtime, services)
    loop = Loop(
        ledger,
        policy,
        life,
        (lambda: _practice(project, runtime)) if _practises(project) else None,
        run=run,
        clock=clock,
        listener=listener,
        between=lambda: inbox.apply(clock.now()),
    )
    weights.serve_in(loop)
    agent.attach(loop, run, weights, workers)


def _identity(ledger: Ledger, seed: int) -> tuple[str, int]:
    """Return the run's identifier and seed: those it began with, or new ones."""
    state = State(ledger.connection)
    name = state.get("run")
    row = ledger.run(name) if name is not None else None
    if row is not None:
        return row.id, row.seed
    name = f"run-{secrets.token_hex(4)}"
    state.set("run", name)
    return name, seed


def _practises(project: Project) -> bool:
    return (
        project.config.settings.agent.practice_when_idle
        and project.composition.environment.component.name == LIFE
    )


def _life(project: Project, runtime: Runtime, services: Services) -> Stage:
    environment = project.composition.environment
    if environment.component.name != LIFE:
        return _seeded(environment, runtime, "own")
    return Life(build(environment, evolve(runtime, life=services)))


def _practice(project: Project, runtime: Runtime) -> Stage:
    provided = project.host.provided("environment", PRACTICE)
    config = evolve(project.config.section("environment", PRACTICE), split="practice")
    chosen = Chosen("environment", provided, config, "[agent].practice_when_idle")
    return _seeded(chosen, runtime, "practice")


def _seeded(chosen: Chosen, runtime: Runtime, origin: Origin) -> Stage:
    describe = chosen.component.describe
    facts = None if describe is None else describe(chosen.config)
    if getattr(facts, "splits", False):
        _require_practice(chosen)
    generator = f"{chosen.component.name}-{chosen.rules(getattr(facts, 'version', '1'))}"
    return Seeded(build(chosen, runtime), chosen.task, origin, generator)


def _require_practice(chosen: Chosen) -> None:
    """Refuse the episodes that weights are judged or reported on: what a run records is learned.

    Raises:
        ConfigError: ``not-practice``.
    """
    split, name = chosen.config.split, chosen.component.name
    if split != "practice":
        raise ConfigError.of(
            "not-practice",
            f"an agent learns from what it plays, and {split} episodes are there to be measured by",
            where=f"[environment.{name}].split",
            fix=f'set it to "practice", and measure with: aegis eval --task {name} --split {split}',
        )


def _with_events(listener: Listener, project: Project) -> Listener:
    """Return the listener with the plugins' event hooks behind it."""
    events = project.host.events

    def committed(step: Experience) -> None:
        listener.committed(step)
        events.step_finished(experience=step)

    def settled(step: Experience, result: StepResult) -> None:
        listener.settled(step, result)

    return Listener(listener.decided, settled, committed, listener.notice)
