"""What is seen of a candidate as numbers: its tool, its signals, and the state that it is in.

Everything numeric in a view and nothing of its words. The columns are those of the experience that
values were first learned from; what only comes up later is not seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    from aegis import Action, Experience, View

    Rows = npt.NDArray[np.float32]

_UNLIMITED: Final = 20
"""Steps after which half of an episode without a limit counts as over."""
_STATE: Final = 9
"""Numbers about a view whatever its tools are."""


@frozen
class Columns:
    """The columns of the rows of candidates.

    First whether the candidate is of each tool, then its signals (each a column of its tool), then
    the state: how far the episode is, how much is missing, known, found and open, how the last step
    went; and for each tool how many candidates it has and the largest of each of its signals.

    Attributes:
        tools: Names of tools.
        signals: Tool and name of each signal.
    """

    tools: tuple[str, ...]
    signals: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, experiences: Iterable[Experience]) -> Columns:
        """Return the columns of everything that was offered in some steps."""
        offered = [action for step in experiences for action in step.decision.candidates]
        return cls(
            tuple(sorted({action.tool for action in offered})),
            tuple(sorted({(a.tool, name) for a in offered for name in a.signals})),
        )

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Columns:
        """Return the columns that `facts` describes.

        Raises:
            KeyError, TypeError, ValueError: If it describes none.
        """
        tools = tuple(str(tool) for tool in facts["tools"])
        return cls(tools, tuple((str(tool), str(name)) for tool, name in facts["signals"]))

    def facts(self) -> dict[str, Any]:
        """Return them as JSON values."""
        return {"tools": list(self.tools), "signals": [list(signal) for signal in self.signals]}

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return 2 * (len(self.tools) + len(self.signals)) + _STATE

    @property
    def own(self) -> int:
        """Numbers of a row that are the candidate's own; the others are the state's."""
        return len(self.tools) + len(self.signals)

    def rows(self, view: View, candidates: Sequence[Action]) -> Rows:
        """Return one row a candidate, (n, width)."""
        tools = {tool: place for place, tool in enumerate(self.tools)}
        signals = {signal: len(tools) + place for place, signal in enumerate(self.signals)}
        rows = np.zeros((len(candidates), self.width), np.float32)
        for row, action in zip(rows, candidates, strict=True):
            if action.tool in tools:
                row[tools[action.tool]] = 1.0
            for name, value in action.signals.items():
                place = signals.get((action.tool, name))
                if place is not None:
                    row[place] = value
        own = rows[:, : self.own]
        rows[:, self.own : self.own + _STATE] = _state(view)
        if len(rows):
            rows[:, self.own + _STATE :][:, : len(tools)] = np.log1p(own[:, : len(tools)].sum(0))
            rows[:, self.own + _STATE + len(tools) :] = own[:, len(tools) :].max(0)
        return rows


def _state(view: View) -> list[float]:
    limit = view.limit or view.step + _UNLIMITED
    last = view.recent[-1] if view.recent else None
    counted = (view.missing, view.facts, view.knowledge, view.found, view.gaps)
    return [
        view.step / limit,
        *(float(np.log1p(len(items))) for items in counted),
        float(last is not None),
        float(last is not None and last.status == "ok"),
        float(last.gained) if last is not None else 0.0,
    ]
