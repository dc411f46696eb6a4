"""The `research` environment: the agent's own life.

It sets goals from interests and gaps, offers what the tools propose, carries decisions out in the
tools' workers, keeps what comes back, and pays by the table of rewards. Everything it knows is in
the ledger's database, written into the ledger's open transaction: after a crash a new instance
goes on exactly where the last commit stands.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from attrs import frozen

from aegis.agent.curiosity import Curiosity
from aegis.agent.integration import Integrated, Integrator, doing
from aegis.agent.proposals import ActiveTool, Proposals, Rests, propose
from aegis.agent.viewing import Viewer
from aegis.contracts.outcome import Outcome, StepResult, ToolResult
from aegis.contracts.view import Recent, View
from aegis.knowledge.calls import Calls, State
from aegis.knowledge.gaps import Gaps
from aegis.knowledge.goals import Goals
from aegis.knowledge.items import Items
from aegis.knowledge.text import stem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import sqlalchemy as sa

    from aegis.agent.clock import Clock
    from aegis.config.settings import AgentSettings
    from aegis.contracts.action import Action
    from aegis.contracts.experience import Experience
    from aegis.contracts.outcome import Document
    from aegis.knowledge.goals import Goal, GoalState

GENERATOR: Final = "research-1"
"""Version of what makes views and candidates here; recorded with every step."""

IDLE: Final = View(goal="")


class Caller(Protocol):
    """Carries out calls: the tools' worker processes, or anything that stands for them."""

    def call(
        self,
        tool: str,
        arguments: Mapping[str, object],
        *,
        key: str,
        documents: Mapping[str, Document],
    ) -> ToolResult:
        """Return the sanitised result; never raises for what a tool does."""
        ...


@frozen
class Services:
    """What the environment works with.

    Attributes:
        connection: Writing connection of the ledger.
        tools: The active tools by name, in their order.
        caller: Carries out their calls.
        settings: Section ``[agent]``.
        clock: The time.
        writes_text: Whether the engine fills slots.
        notify: Told, once, what a person should know (a tool out of reach).
    """

    connection: sa.Connection
    tools: Mapping[str, ActiveTool]
    caller: Caller
    settings: AgentSettings
    clock: Clock
    writes_text: bool
    notify: Callable[[str], None]


class ResearchEnvironment:
    """The agent's own life, as an `Environment`."""

    generator = GENERATOR

    def __init__(self, services: Services) -> None:
        connection, settings, clock = services.connection, services.settings, services.clock
        self.items, self.goals, self.gaps = Items(connection), Goals(connection), Gaps(connection)
        self._calls, self._state = Calls(connection), State(connection)
        self._rests = Rests(self._state, clock)
        self._tools, self._caller = services.tools, services.caller
        self._settings, self._clock = settings, clock
        self._writes_text, self._notify = services.writes_text, services.notify
        self._viewer = Viewer(self.items, self.gaps, settings.view)
        self._integrator = Integrator(self.items, self.gaps, settings.rewards)
        self._curiosity = Curiosity(
            self.goals, self.gaps, interests=settings.interests, stale_days=settings.stale_days
        )
        self._goal: Goal | None = None
        self._index = 1
        self._start = 1
        self._recent: deque[Recent] = deque(maxlen=max(1, settings.view.recent))
        self._key, self._step = "", 1
        self._offered: tuple[View, Proposals] | None = None

    def at(self, step: int, key: str) -> None:
        """Say which step of the ledger comes next, and under which idempotency key it is done."""
        self._step, self._key = step, key

    @property
    def wait(self) -> float:
        """Seconds after which a resting tool offers again; 0 where waiting is pointless."""
        return self._proposals(self._view()).wait if self._goal else 0.0

    def reset(self, seed: int) -> View:  # noqa: ARG002 - life is not seeded; the role has the argument
        """Begin the next goal that something can be done for; ``IDLE`` when none is left."""
        self._index, self._start = 1, self._step
        self._recent.clear()
        self._revive()
        while (goal := self.goals.active() or self._curiosity.next_goal(self._step)) is not None:
            self._goal = goal
            if not self.progress(goal)[1]:
                self._close(goal, "done")  # what was read for other goals covers it: earns nothing
                continue
            view = self._view()
            offered = self._proposals(view)
            if offered.candidates or offered.wait:
                self._offered = (view, offered)
                return view
            self._close(goal, "abandoned")
        self._goal = None
        return IDLE

    def resume(self, episode: Sequence[Experience]) -> View:
        """Go on with the open episode, whose finished steps are given."""
        self._goal = self.goals.active()
        self._index = len(episode) + 1
        self._start = episode[0].step if episode else self._step
        for step in episode:
            self._remember(step.decision.action, step.outcome)
        return self._view() if self._goal else IDLE

    def candidates(self, view: View) -> Sequence[Action]:
        """Return what may be done now; nothing while every tool rests or when nothing is left."""
        if self._goal is None:
            return ()
        offered, self._offered = self._offered, None
        if offered is not None and offered[0] is view and offered[1].candidates:
            return offered[1].candidates
        return self._proposals(view).candidates

    def step(self, action: Action) -> StepResult:
        """Carry out one decision and keep what comes of it."""
        goal = self._goal
        assert goal is not None, "there is no goal to act for"
        began = self._clock.monotonic()
        result = self._carry_out(action)
        seconds = self._clock.monotonic() - began
        at = self._clock.now()
        spec = self._tools[action.tool].spec
        kept = self._integrator.integrate(result, spec, goal, at=at, step=self._step)
        self._viewer.refresh()
        self._calls.keep(action, result.status, at=at, step=self._step)
        if self._rests.begin(action.tool, result):
            self._notify(f"{action.tool} is out of reach: {result.message}")
        outcome = Outcome(result.status, kept.message, kept.gained, seconds, kept.items)
        self._remember(action, outcome)
        self._index += 1
        return self._finish(goal, outcome, kept)

    def _finish(self, goal: Goal, outcome: Outcome, kept: Integrated) -> StepResult:
        progress, missing = self.progress(goal)
        self.goals.advance(goal, progress)
        completed = not missing
        reward = kept.reward + self._settings.rewards.step
        if completed:
            self._close(goal, "done")
            return StepResult(
                IDLE, outcome, reward + self._settings.rewards.goal_completed, True, True
            )
        over = self._index > self._settings.episode_steps
        view = self._view()
        offered = Proposals(()) if over else self._proposals(view)
        if over or not (offered.candidates or offered.wait):
            self._close(goal, "abandoned")
            return StepResult(IDLE, outcome, reward, done=True)
        self._offered = (view, offered)
        return StepResult(view, outcome, reward)

    def _carry_out(self, action: Action) -> ToolResult:
        blocked = self._blocked([action.key])
        if blocked:
            return ToolResult("denied", "the answer to this call is known already")
        refs = self._references(action)
        items = {ref: self.items.get(ref) for ref in refs}
        unknown = [ref for ref, item in items.items() if item is None]
        if unknown:
            return ToolResult("denied", f"no item of knowledge is called {', '.join(unknown)}")
        documents = {ref: item.document for ref, item in items.items() if item is not None}
        return self._caller.call(action.tool, action.arguments, key=self._key, documents=documents)

    def _references(self, action: Action) -> list[str]:
        properties = self._tools[action.tool].spec.arguments.get("properties", {})
        return [
            str(action.arguments[name])
            for name, schema in properties.items()
            if schema.get("format") == "document" and name in action.arguments
        ]

    def progress(self, goal: Goal) -> tuple[float, list[str]]:
        """Return the share of the goal's terms that is covered, and the terms that are not.

        A term is covered by `coverage` relevant documents that were read and speak of it.
        """
        needed = self._settings.coverage
        counts = dict.fromkeys(goal.terms, 0)
        for item in self._viewer.relevant(goal, read=True):
            stems = self._viewer.stems(item).all
            for term in goal.terms:
                counts[term] += stem(term) in stems
        missing = [term for term, count in counts.items() if count < needed]
        share = sum(min(count, needed) for count in counts.values()) / (needed * len(counts))
        return share, missing

    def _view(self) -> View:
        goal = self._goal
        assert goal is not None
        _, missing = self.progress(goal)
        limit = self._settings.episode_steps
        return self._viewer.view(goal, missing, self._recent, step=self._index, limit=limit)

    def _proposals(self, view: View) -> Proposals:
        return propose(
            view,
            self._useful(),
            self._rests,
            cap=self._settings.candidates,
            characters=self._settings.view.candidate_characters,
            slots=self._writes_text,
            blocked=self._blocked,
        )

    def _useful(self) -> dict[str, ActiveTool]:
        """Return the tools that may be used now: a goal is written up at most once."""
        written = any(
            r.action.split(" ")[0] in self._writers and r.status == "ok" for r in self._recent
        )
        return {
            name: tool
            for name, tool in self._tools.items()
            if not (written and name in self._writers)
        }

    @property
    def _writers(self) -> set[str]:
        return {n for n, tool in self._tools.items() if doing(tool.spec) == "write"}

    def _blocked(self, keys: list[str]) -> set[str]:
        return self._calls.blocked(
            keys,
            now=self._clock.now(),
            stale_days=self._settings.stale_days,
            episode_start=self._start,
        )

    def _remember(self, action: Action | None, outcome: Outcome | None) -> None:
        if action is not None and outcome is not None:
            self._recent.append(Recent(action.render(), outcome.status, outcome.gained))

    def _close(self, goal: Goal, state: GoalState) -> None:
        progress, _ = self.progress(goal)
        self.goals.close(goal, state, step=self._step, progress=progress)
        if goal.origin == "gap":
            self.gaps.worked_on(goal.subject, covered=state == "done", step=self._step)
        self._state.set(f"closed:{goal.id}", self._clock.now())
        self._goal = None

    def _revive(self) -> None:
        closed = {int(k): v for k, v in self._state.matching("closed:").items()}
        self._curiosity.revive(self._clock.now(), closed)
