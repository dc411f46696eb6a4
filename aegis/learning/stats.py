"""What experience there is, and what of it a trainer could use."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen
from sqlalchemy import and_, case, func, select

from aegis.store.reading import Selection
from aegis.store.tables import steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Row

    from aegis.contracts.experience import Origin
    from aegis.store.ledger import Ledger

# Log-probabilities are stored as float32, one a candidate.
_CANDIDATES: Final = func.length(steps.c.engine_logp) / 4.0
_REASONS: Final[tuple[tuple[str, ColumnElement[bool]], ...]] = (
    (
        "no candidates and no text: nothing to learn a choice or words from",
        and_(_CANDIDATES == 0, steps.c.text.is_(None)),
    ),
    ("no candidates: trains the text loss only", _CANDIDATES == 0),
    ("the choice is not recorded", steps.c.chosen.is_(None)),
    ("one candidate: there was no choice", _CANDIDATES == 1),
)
"""Why a trainer of choices refuses a step, the first reason that holds."""


@frozen
class Stats:
    """Counts over the steps whose result is known.

    Attributes:
        examples: Steps.
        episodes: Episodes that they belong to.
        actions: Steps by the tool of the action taken; ``none`` where it is not known.
        statuses: Steps by the status of their outcome.
        reward_mean: Mean reward, None where there is no step.
        by_origin: Steps by origin.
        reward_by_origin: Mean reward by origin.
        first: When the earliest was decided, as recorded; empty where there is none.
        last: When the latest was decided.
        candidates_mean: Mean number of candidates of the steps that have any, 0.0 without one.
        with_candidates: Share of steps that have candidates, from 0 to 1.
        duplicates: Steps whose view and choice an earlier step had already.
        refused: Steps that a trainer would refuse, by reason. A step counts under its first one.
    """

    examples: int
    episodes: int
    actions: Counter[str]
    statuses: Counter[str]
    reward_mean: float | None
    by_origin: Mapping[str, int]
    reward_by_origin: Mapping[str, float]
    first: str
    last: str
    candidates_mean: float
    with_candidates: float
    duplicates: int
    refused: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "examples": self.examples,
            "actions": dict(self.actions.most_common()),
            "reward_mean": self.reward_mean,
            "episodes": self.episodes,
            "statuses": dict(self.statuses.most_common()),
            "by_origin": dict(self.by_origin),
            "reward_by_origin": dict(self.reward_by_origin),
            "first": self.first,
            "last": self.last,
            "candidates_mean": self.candidates_mean,
            "with_candidates": self.with_candidates,
            "duplicates": self.duplicates,
            "refused": dict(self.refused),
        }


def stats(ledger: Ledger, *, origin: Origin | None = None, environment: str | None = None) -> Stats:
    """Count the steps of a ledger, of one origin or environment where it is given."""
    selected = Selection(origin=origin, environment=environment).condition()
    total = _totals(ledger, selected)
    chosen_from = _totals(ledger, and_(selected, _CANDIDATES > 0))
    origins = _grouped(ledger, selected, steps.c.origin)
    return Stats(
        examples=total.examples,
        episodes=total.episodes,
        actions=_counter(_grouped(ledger, selected, func.coalesce(steps.c.tool, "none"))),
        statuses=_counter(_grouped(ledger, selected, steps.c.status)),
        reward_mean=total.reward,
        by_origin={row.name: row.examples for row in origins},
        reward_by_origin={row.name: row.reward for row in origins},
        first=total.first or "",
        last=total.last or "",
        candidates_mean=chosen_from.candidates or 0.0,
        with_candidates=chosen_from.examples / total.examples if total.examples else 0.0,
        duplicates=total.examples - total.distinct,
        refused=_refused(ledger, selected),
    )


def _totals(ledger: Ledger, selected: ColumnElement[bool]) -> Row[Any]:
    # Equal views are equal digests; what was chosen is its place, or the action that was recorded.
    choice = func.coalesce(steps.c.action, steps.c.chosen, "")
    same = steps.c.view_digest.concat(choice).concat(func.coalesce(steps.c.text, ""))
    query = select(
        func.count().label("examples"),
        func.count(steps.c.episode.distinct()).label("episodes"),
        func.avg(steps.c.reward).label("reward"),
        func.min(steps.c.started).label("first"),
        func.max(steps.c.started).label("last"),
        func.count(same.distinct()).label("distinct"),
        func.avg(_CANDIDATES).label("candidates"),
    )
    return ledger.connection.execute(query.where(selected)).one()


def _grouped(
    ledger: Ledger, selected: ColumnElement[bool], name: ColumnElement[Any]
) -> Sequence[Row[Any]]:
    query = (
        select(
            name.label("name"),
            func.count().label("examples"),
            func.avg(steps.c.reward).label("reward"),
        )
        .where(selected)
        .group_by(name)
        .order_by(name)
    )
    return ledger.connection.execute(query).all()


def _counter(rows: Sequence[Row[Any]]) -> Counter[str]:
    return Counter({row.name: row.examples for row in rows})


def _refused(ledger: Ledger, selected: ColumnElement[bool]) -> dict[str, int]:
    reason = case(*((condition, words) for words, condition in _REASONS), else_=None)
    rows = _grouped(ledger, and_(selected, reason.is_not(None)), reason)
    return {row.name: row.examples for row in rows}
