"""From the ledger to what a trainer gets: split by episode, freed of what teaches nothing."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from attrs import define, evolve, field, frozen

from aegis.errors import InputError
from aegis.learning import guards
from aegis.learning.dataset import Dataset
from aegis.learning.guards import Tally
from aegis.learning.returns import Baseline
from aegis.learning.row import Episode, Row, refusal
from aegis.learning.shares import allowed
from aegis.learning.splitting import held_out, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from aegis.config.settings import LearningSettings
    from aegis.contracts.experience import Experience, Origin
    from aegis.errors import Problem

REPEATED: Final = "repeats an earlier step: same view, candidates, choice and text"
OVER_SHARE: Final = "over the largest share of its origin"
LEAKED: Final = "held out, but the same question is trained on"
LEAKED_VARIANT: Final = "a variant that asks what is held out"


@frozen
class Selected:
    """What is trained on and what is held out.

    Attributes:
        train: Rows to train on, in the order of the ledger.
        validation: Held-out rows; none of their episodes and questions is in `train`.
        refused: Rows left out, by reason; each counts under the first that holds.
        problems: Why the whole set is degenerate; none where it can be trained on.
        by_origin: Rows of `train` by origin.
        rule: How it was selected: the settings that decide it.
        variants: How many of the rows of `train`, its last ones, were made of the others.
        curriculum: Whether they go from simple to hard.
    """

    train: Dataset
    validation: Dataset
    refused: Mapping[str, int]
    problems: tuple[Problem, ...]
    by_origin: Mapping[str, int]
    rule: Mapping[str, Any]
    variants: int = 0
    curriculum: bool = False

    def provenance(self) -> dict[str, Any]:
        """Return what a checkpoint's manifest says of its data: plain JSON values."""
        return {
            "digest": self.train.digest,
            "validation_digest": self.validation.digest,
            "examples": self._recorded,
            "variants": self.variants,
            "curriculum": self.curriculum,
            "held_out": len(self.validation),
            "episodes": len({step.episode for step in self.train}),
            "held_out_episodes": len({step.episode for step in self.validation}),
            "split": dict(self.rule),
            "by_origin": dict(self.by_origin),
            "refused": dict(self.refused),
            "train": _ranges(s.step for s in self.train.experiences[: self._recorded]),
            "validation": _ranges(step.step for step in self.validation),
        }

    @property
    def _recorded(self) -> int:
        return len(self.train) - self.variants

    def with_variants(self, train: Dataset, count: int, *, curriculum: bool = False) -> Selected:
        """Return the selection with variants behind its rows (`aegis.learning.varying`).

        One that asks a question that is held out is left out.
        """
        asked = {_question(step) for step in self.validation}
        own = len(self.train)
        kept = [n for n, step in enumerate(train) if n < own or _question(step) not in asked]
        refused = dict(self.refused)
        if len(kept) < len(train):
            refused[LEAKED_VARIANT] = len(train) - len(kept)
        return evolve(
            self,
            train=Dataset(
                tuple(train.experiences[n] for n in kept),
                tuple(train.returns[n] for n in kept),
                tuple(train.advantages[n] for n in kept),
            ),
            refused=refused,
            variants=len(kept) - own,
            curriculum=curriculum,
            rule={**self.rule, "variants": count},
        )

    def raise_problems(self) -> None:
        """Raise everything that makes the set degenerate.

        Raises:
            InputError: With every problem.
        """
        if self.problems:
            raise InputError(self.problems)


def select(
    experiences: Iterable[Experience],
    settings: LearningSettings,
    *,
    needs_candidates: bool = False,
    rules: str | None = None,
) -> Selected:
    """Select what a trainer gets.

    Args:
        experiences: Steps in the order of the ledger, read once; episodes may interleave.
        settings: The section ``[learning]``.
        needs_candidates: Whether the trainer learns from nothing but choices among candidates.
        rules: Name and version of the environment that is learned for; steps recorded under
            others are left out. None for any.
    """
    gathered = _Gathered()
    for experience in experiences:
        gathered.take(experience, needs_candidates=needs_candidates, rules=rules)
    for episode in gathered.episodes.values():
        episode.close(settings.discount)
    out = held_out((row.episode.key for row in gathered.rows), settings.holdout)
    refused, tally = gathered.refused, gathered.tally
    train, validation = (_distinct(side, refused, tally) for side in _sides(gathered.rows, out))
    train, validation = _shared(train, validation, settings.origins, refused)
    validation = _unseen(validation, train, refused, tally)
    baseline = Baseline.of(row.went for row in train)
    return Selected(
        train=_dataset(train, baseline),
        validation=_dataset(validation, baseline),
        refused=dict(refused),
        problems=guards.problems(train, validation, tally, settings),
        by_origin=dict(sorted(Counter(row.experience.origin for row in train).items())),
        rule={
            "by": "sha256 of environment and first view of the episode",
            "holdout": settings.holdout,
            "discount": settings.discount,
            "origins": dict(settings.origins),
            "needs_candidates": needs_candidates,
        },
    )


@define
class _Gathered:
    """What one pass over the steps keeps of them."""

    rows: list[Row] = field(factory=list)
    episodes: dict[int, Episode] = field(factory=dict)
    refused: Counter[str] = field(factory=Counter)
    tally: Tally = field(factory=Tally)

    def take(self, step: Experience, *, needs_candidates: bool, rules: str | None) -> None:
        episode = self.episodes.get(step.episode)
        if episode is None:
            episode = self.episodes[step.episode] = Episode(key_of(step))
        self.tally.read += 1
        if step.reward is not None:
            # Also of a step that is refused: the steps before it led to it.
            episode.rewards.append(step.reward)
            episode.ended = step.done
        reason = refusal(step, needs_candidates=needs_candidates, rules=rules)
        if reason is not None:
            self.refused[reason] += 1
        else:
            self.rows.append(Row.of(step, episode, len(episode.rewards) - 1))


def _sides(rows: Iterable[Row], out: frozenset[str]) -> tuple[list[Row], list[Row]]:
    train: list[Row] = []
    validation: list[Row] = []
    for row in rows:
        (validation if row.episode.key in out else train).append(row)
    return train, validation


def _distinct(rows: Iterable[Row], refused: Counter[str], tally: Tally) -> list[Row]:
    """Return the rows of one side without those that repeat an earlier one."""
    first: dict[bytes, Row] = {}
    for row in rows:
        decision = bool(row.experience.decision.candidates)
        tally.decisions += decision
        if row.content in first:
            refused[REPEATED] += 1
            tally.repeats += decision
        else:
            first[row.content] = row
    return list(first.values())


def _shared(
    train: list[Row], validation: list[Row], origins: Mapping[Origin, float], refused: Counter[str]
) -> tuple[list[Row], list[Row]]:
    """Return both sides with origins held to their shares.

    Rows leave by the order of a hash of their keys, so that neither the newest nor the oldest
    are favoured. The share holds for what is trained on; what is held out is thinned alike.
    """
    counts = Counter(row.experience.origin for row in train)
    last: dict[Origin, str] = {}
    for origin, number in allowed(counts, origins).items():
        if number < counts[origin]:
            drawn = sorted(_drawn(row) for row in train if row.experience.origin == origin)
            last[origin] = drawn[number - 1] if number else ""

    def stays(row: Row) -> bool:
        origin = row.experience.origin
        return origin not in last or _drawn(row) <= last[origin]

    kept = [row for row in train if stays(row)], [row for row in validation if stays(row)]
    gone = len(train) + len(validation) - len(kept[0]) - len(kept[1])
    if gone:
        refused[OVER_SHARE] += gone
    return kept


def _question(step: Experience) -> bytes:
    return Row.of(step, Episode(""), 0).question


def _drawn(row: Row) -> str:
    return hashlib.sha256(row.experience.key.encode("utf-8")).hexdigest()


def _unseen(
    validation: list[Row], train: list[Row], refused: Counter[str], tally: Tally
) -> list[Row]:
    """Return the held-out rows whose question is not trained on."""
    known = {row.question for row in train}
    kept = [row for row in validation if row.question not in known]
    tally.held_out, tally.leaks = len(validation), len(validation) - len(kept)
    if tally.leaks:
        refused[LEAKED] += tally.leaks
    return kept


def _dataset(rows: Sequence[Row], baseline: Baseline) -> Dataset:
    went = [row.went for row in rows]
    return Dataset(
        tuple(row.experience for row in rows),
        tuple(step.value for step in went),
        tuple(baseline.advantage(step) for step in went),
    )


def _ranges(numbers: Iterable[int]) -> str:
    """Return numbers in rising order as ranges: ``1-50,52``."""
    return ",".join(
        str(first) if first == last else f"{first}-{last}" for first, last in _runs(numbers)
    )


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    run: tuple[int, int] | None = None
    for number in numbers:
        if run is not None and number == run[1] + 1:
            run = run[0], number
        else:
            if run is not None:
                yield run
            run = number, number
    if run is not None:
        yield run
