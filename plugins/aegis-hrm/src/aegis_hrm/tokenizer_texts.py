"""The texts that ``hrm-bpe`` is trained on: what stands in views and candidates, no markers."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from aegis import commands, escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from aegis import Action, View


class Choice(NamedTuple):
    """A view and the candidates that it was shown with."""

    view: View
    candidates: Sequence[Action]

    def texts(self) -> Iterator[str]:
        """Yield each item of the view and each candidate, as an engine encodes them."""
        view = self.view
        yield from map(escape, (view.goal, *view.missing, *view.facts, *view.gaps))
        yield from map(escape, view.observation)
        yield from (escape(seen.title) for seen in chain(view.knowledge, view.found))
        yield from (f"{r.status} {r.gained:+d} {escape(r.action)}" for r in view.recent)
        yield f"{view.step}/{view.limit}"
        yield from (action.render() for action in self.candidates)


def practice(library: Path, seeds: range) -> Iterator[Choice]:
    """Yield the choices of practice over a library, half of the episodes by rules, half by chance.

    Raises:
        InputError: If it has no topic to practise.
    """
    return (Choice(*found) for found in commands.practice(library, seeds))
