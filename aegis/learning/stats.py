"""What experience there is, and what of it a trainer could use."""

from __future__ import annotations

from collections import Counter
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen
from sqlalchemy import and_, func, select

from aegis.learning.row import has_choice, has_text
from aegis.store.reading import Selection
from aegis.store.tables import steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Row

    from aegis.contracts.experience import Origin
    from aegis.errors import Problem
    from aegis.learning.selecting import Selected
    from aegis.store.ledger import Ledger

# Log-probabilities are stored as float32, one a candidate.
_CANDIDATES: Final = func.length(steps.c.engine_logp) / 4.0


@frozen
class TrainingStats:
    """What a trainer would get.

    Attributes:
        examples: Rows to train on.
        held_out: Rows held out.
        episodes: Episodes that the rows to train on belong to.
        held_out_episodes: Episodes that the held-out rows belong to.
        by_origin: Rows to train on by origin.
        actions: Rows to train on by the tool of the action taken; ``none`` where it is unknown.
        decisions: Share of rows to train on with a choice among candidates, 0 to 1.
        texts: Share with words to learn.
        texts_only: Share with words to learn and no choice.
        return_mean: Mean return-to-go, None where there is no row.
        paid: Share that went better than usual (advantage above 0).
        refused: Steps left out, by reason; each counts under the first that holds.
        problems: Why the whole set cannot be trained on.
    """

    examples: int
    held_out: int
    episodes: int
    held_out_episodes: int
    by_origin: Mapping[str, int]
    actions: Counter[str]
    decisions: float
    texts: float
    texts_only: float
    return_mean: float | None
    paid: float
    refused: Mapping[str, int]
    problems: tuple[Problem, ...]

    @classmethod
    def of(cls, selected: Selected) -> TrainingStats:
        """Count what was selected."""
        train, validation = selected.train, selected.validation
        made = [step.decision for step in train]
        return cls(
            examples=len(train),
            held_out=len(validation),
            episodes=len({step.episode for step in train}),
            held_out_episodes=len({step.episode for step in validation}),
            by_origin=selected.by_origin,
            actions=Counter(one.action.tool if one.action else "none" for one in made),
            decisions=_share(has_choice(one) for one in made),
            texts=_share(has_text(one) for one in made),
            texts_only=_share(has_text(one) and not has_choice(one) for one in made),
            return_mean=fmean(train.returns) if train.returns else None,
            paid=_share(advantage > 0 for advantage in train.advantages),
            refused=selected.refused,
            problems=selected.problems,
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "examples": self.examples,
            "held_out": self.held_out,
            "episodes": self.episodes,
            "held_out_episodes": self.held_out_episodes,
            "by_origin": dict(self.by_origin),
            "actions": dict(self.actions.most_common()),
            "decisions": self.decisions,
            "texts": self.texts,
            "texts_only": self.texts_only,
            "return_mean": self.return_mean,
            "paid": self.paid,
            "refused": dict(self.refused),
            "problems": [problem._asdict() for problem in self.problems],
        }


def _share(holds: Iterable[bool]) -> float:
    values = list(holds)
    return sum(values) / len(values) if values else 0.0


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
