"""Candidates: what the tools propose, without what must not be called, merged fairly."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from attrs import frozen

from aegis.host.interface import actions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aegis.agent.clock import Clock
    from aegis.contracts.action import Action
    from aegis.contracts.outcome import ToolResult
    from aegis.contracts.roles import Tool, ToolSpec
    from aegis.contracts.view import View
    from aegis.host.plugin import PluginInfo
    from aegis.knowledge.calls import State

LONGEST_REST: Final = timedelta(hours=2)
"""A rest that ends later than this was written by a clock that has jumped; it is ignored."""

SHORT_REST: Final = 30.0
"""Seconds up to which the agent waits for a tool instead of doing without it."""


@frozen
class ActiveTool:
    """A tool that is on, and the plugin that what it does wrong is attributed to."""

    tool: Tool
    plugin: PluginInfo

    @property
    def spec(self) -> ToolSpec:
        """What the tool is."""
        return self.tool.spec


@frozen
class Proposals:
    """The candidates of one view, and how long to wait where there are none.

    Attributes:
        candidates: What may be chosen.
        wait: Seconds until a resting tool offers again; 0 where waiting is pointless.
    """

    candidates: tuple[Action, ...]
    wait: float = 0.0


class Rests:
    """Tools that offer nothing for a while: a rate limit to keep, or a host out of reach."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def begin(self, tool: str, result: ToolResult) -> bool:
        """Let a tool rest as its result asks; return whether it went out of reach just now."""
        was_unreachable = bool((self._state.get(f"rest:{tool}") or {}).get("unreachable"))
        if result.retry_after > 0:
            end = datetime.fromisoformat(self._clock.now()) + timedelta(
                seconds=min(result.retry_after, LONGEST_REST.total_seconds())
            )
            value = {"until": end.isoformat(), "unreachable": result.unreachable}
            self._state.set(f"rest:{tool}", value)
        elif result.status in {"ok", "partial", "empty"}:
            self._state.set(f"rest:{tool}", None)
        return result.unreachable and not was_unreachable

    def remaining(self, tool: str) -> tuple[float, bool]:
        """Return the seconds that a tool still rests, and whether because it is out of reach."""
        rest = self._state.get(f"rest:{tool}")
        if rest is None:
            return 0.0, False
        left = datetime.fromisoformat(rest["until"]) - datetime.fromisoformat(self._clock.now())
        seconds = left.total_seconds() if left <= LONGEST_REST else 0.0
        return max(0.0, seconds), bool(rest["unreachable"])


def propose(
    view: View,
    tools: Mapping[str, ActiveTool],
    rests: Rests,
    *,
    cap: int,
    characters: int,
    slots: bool,
    blocked: Callable[[list[str]], set[str]],
) -> Proposals:
    """Return the candidates of a view.

    The tools' rankings are merged round-robin, so that a talkative tool cannot crowd out another,
    up to `cap`, and each is described in at most `characters`. Left out are calls that are
    `blocked`, open slots where nothing writes (`slots` False), and every tool that rests.
    """
    resting = {name: rests.remaining(name) for name in tools}
    offers = [
        [a for a in actions(active.tool, view, active.plugin) if slots or a.slot is None]
        for name, active in tools.items()
        if resting[name][0] <= 0
    ]
    merged = tuple(a.shortened(characters) for a in _merge(offers, blocked, cap))
    short = [rest for rest, far in resting.values() if 0 < rest <= SHORT_REST and not far]
    return Proposals(merged, min(short, default=0.0) if not merged else 0.0)


def _merge(
    offers: Sequence[Sequence[Action]], blocked: Callable[[list[str]], set[str]], cap: int
) -> Iterable[Action]:
    turns = itertools.chain.from_iterable(itertools.zip_longest(*offers))
    unique = {action.key: action for action in turns if action is not None}
    closed = blocked(list(unique))
    allowed = (action for key, action in unique.items() if key not in closed)
    return itertools.islice(allowed, cap)
