"""Off-policy estimates: what another policy would be worth, told from recorded decisions alone.

Estimated is the mean over recorded steps of the return-to-go if this one decision were drawn from
the new policy and everything after it went on as it did: the value of changing one decision. What
a policy is worth that makes all decisions, and so comes to other situations, it cannot tell.

With b the behaviour's and p the new policy's probability of the action taken, w = p / b, G the
return-to-go, and q a model of G:

    snips   sum(w G) / sum(w)                          (Swaminathan & Joachims 2015)
    dr      mean(sum_a p(a) q(a) + w / mean(w) (G - q))  (Dudik, Langford & Li 2011, weights
            normalised as above)

q is fitted on other episodes than it is used in (`aegis.evaluation.reward_model`). Intervals are
clustered by episode: the linearised error of the ratio, with the quantile of Student's distribution
for the number of episodes. An estimate promotes nothing.

What was done says nothing of what was never tried, however even the weights of what was. So the
new policy has to have its probability where behaviour went: what behaviour is to be expected to
take less than `UNSEEN` times in all of the steps together may be absent from them altogether.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from attrs import field, frozen

from aegis.errors import InputError, Problem
from aegis.evaluation.clusters import cluster_sums, ratio_error
from aegis.evaluation.intervals import Interval
from aegis.evaluation.reward_model import predicted
from aegis.evaluation.student import t_quantile
from aegis.exploration import require_scores

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from aegis.contracts.experience import Experience
    from aegis.contracts.roles import Engine
    from aegis.contracts.scores import Scores

    Floats = npt.NDArray[np.float64]

Method = Literal["snips", "dr"]
METHODS: Final[tuple[Method, ...]] = ("snips", "dr")

ENOUGH: Final = 200.0
"""Effective sample size below which nothing is estimated."""
RARE: Final = 0.01
"""Behaviour's probability below which a candidate counts as hardly ever tried."""
LARGE: Final = 10.0

UNSEEN: Final = 3.0
"""How often what is taken with so small a probability is to be expected at most; it is absent from
one record of twenty."""

_UNSUPPORTED: Final = 0.01
"""Largest share of the new policy's probability on what behaviour never does."""
_UNTRIED: Final = 0.05
"""Largest share of it on what behaviour may well not have done at all."""
_BATCH: Final = 64


@frozen(eq=False)
class Recorded:
    """Steps of finished episodes with everything that an estimate needs.

    Attributes:
        experiences: The steps.
        behaviour: Log-probabilities that each was sampled from, (n,) each.
        chosen: Index of what was taken, (m,).
        returns: Return-to-go, (m,).
        episodes: What each belongs to.
        left_out: Steps that cannot be used, by reason.
    """

    experiences: tuple[Experience, ...]
    behaviour: tuple[Floats, ...]
    chosen: npt.NDArray[np.int64]
    returns: Floats
    episodes: tuple[int, ...]
    left_out: Mapping[str, int] = field(factory=dict)

    @classmethod
    def of(
        cls, experiences: Iterable[Experience], discount: float = 1.0, *, rules: str | None = None
    ) -> Recorded:
        """Return the usable ones of recorded steps, in their order.

        Args:
            experiences: Steps; those of an episode in order, episodes may interleave.
            discount: What a reward one step later is worth.
            rules: The rules that they were recorded under (`Experience.rules`); None for any.
        """
        by_episode: dict[int, list[Experience]] = {}
        left_out: Counter[str] = Counter()
        for step in experiences:
            by_episode.setdefault(step.episode, []).append(step)
        kept: list[tuple[Experience, float]] = []
        for steps in by_episode.values():
            if rules is not None and any(step.rules != rules for step in steps):
                left_out["recorded under other rules of the environment"] += len(steps)
                continue
            if not steps[-1].done:
                left_out["its episode has not ended"] += len(steps)
                continue
            for step, value in zip(steps, _returns(steps, discount), strict=True):
                unusable = _unusable(step)
                if unusable is None:
                    kept.append((step, value))
                else:
                    left_out[unusable] += 1
        return cls(
            tuple(step for step, _ in kept),
            tuple(np.array(step.decision.behaviour_log_probabilities) for step, _ in kept),
            np.array([step.decision.chosen for step, _ in kept], dtype=np.int64),
            np.array([value for _, value in kept], dtype=np.float64),
            tuple(step.episode for step, _ in kept),
            left_out,
        )


@frozen(kw_only=True)
class Estimate:
    """What a policy would be worth, and how far that can be trusted.

    Attributes:
        method: How it was estimated.
        value: The estimate with its interval.
        behaviour: Mean return-to-go of what was done, with its interval.
        difference: The estimate less that, paired, with its interval.
        effective_sample_size: (sum w)^2 / sum w^2 (Kish 1965), in steps.
        largest_weight: The largest w.
        large_weights: Share of steps with a w above 10.
        hardly_tried: Share of the new policy's probability on candidates that behaviour takes less
            than once in a hundred times.
        steps: Steps that were used.
        episodes: Episodes that they belong to.
        left_out: Steps that were not used, by reason.
    """

    method: Method
    value: Interval
    behaviour: Interval
    difference: Interval
    effective_sample_size: float
    largest_weight: float
    large_weights: float
    hardly_tried: float
    steps: int
    episodes: int
    left_out: Mapping[str, int]


def policy_scores(engine: Engine, recorded: Recorded) -> list[Scores]:
    """Return an engine's log-probabilities of the candidates of each step, (n,) each.

    Raises:
        ValueError: If one of them is not what `require_scores` requires.
    """
    found: list[Scores] = []
    for first in range(0, len(recorded.experiences), _BATCH):
        steps = recorded.experiences[first : first + _BATCH]
        found += engine.score_batch([(step.view, step.decision.candidates) for step in steps])
    for step, scores in zip(recorded.experiences, found, strict=True):
        require_scores(scores, len(step.decision.candidates))
    return found


def estimate(
    recorded: Recorded,
    new: Sequence[Scores],
    *,
    method: Method = "dr",
    writer: tuple[str, str | None] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return what the new policy would be worth.

    Args:
        recorded: What was done.
        new: The new policy's log-probabilities of the same candidates.
        method: ``snips`` or ``dr``.
        writer: Engine and weights of the new policy, whose words would stand where text was
            written; None where it is known to write the same.
        level: Coverage of the intervals.

    Raises:
        InputError: With every reason why it cannot be estimated.
    """
    weights = _weights(recorded, new)
    problems = list(_refusals(recorded, new, weights, writer))
    if problems:
        raise InputError(problems)
    value, moves = (_snips if method == "snips" else _doubly_robust)(recorded, new, weights)
    mean = float(recorded.returns.mean())
    around = recorded.returns - mean
    probabilities = [np.exp(scores) for scores in new]
    rare = [np.exp(b) < RARE for b in recorded.behaviour]
    return Estimate(
        method=method,
        value=_interval(value, moves, recorded.episodes, level),
        behaviour=_interval(mean, around, recorded.episodes, level),
        difference=_interval(value - mean, moves - around, recorded.episodes, level),
        effective_sample_size=effective_sample_size(weights),
        largest_weight=float(weights.max()),
        large_weights=float((weights > LARGE).mean()),
        hardly_tried=float(
            np.mean([p[seldom].sum() for p, seldom in zip(probabilities, rare, strict=True)])
        ),
        steps=len(weights),
        episodes=len(set(recorded.episodes)),
        left_out=dict(recorded.left_out),
    )


def effective_sample_size(weights: Floats) -> float:
    """Return (sum w)^2 / sum w^2: how many equally weighted steps tell as much."""
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def _returns(steps: Sequence[Experience], discount: float) -> list[float]:
    values: list[float] = []
    following = 0.0
    for step in reversed(steps):
        following = float(step.reward or 0.0) + discount * following
        values.append(following)
    return values[::-1]


def _unusable(step: Experience) -> str | None:
    decision = step.decision
    if not decision.candidates or decision.chosen is None:
        return "no candidates were recorded"
    if len(decision.behaviour_log_probabilities) != len(decision.candidates):
        return "no probabilities were recorded"
    return None


def _weights(recorded: Recorded, new: Sequence[Scores]) -> Floats:
    if len(new) != len(recorded.experiences):
        raise ValueError(f"scores of {len(new)} steps for {len(recorded.experiences)}")
    with np.errstate(over="ignore"):
        return np.array(
            [
                np.exp(p[chosen] - b[chosen])
                for p, b, chosen in zip(new, recorded.behaviour, recorded.chosen, strict=True)
            ],
            dtype=np.float64,
        )


def _refusals(
    recorded: Recorded,
    new: Sequence[Scores],
    weights: Floats,
    writer: tuple[str, str | None] | None,
) -> Iterator[Problem]:
    collect = "record more, with exploration: [agent.exploration].epsilon, aegis run"
    kinds = Counter(f"{step.environment} under {step.rules}" for step in recorded.experiences)
    if len(kinds) > 1:
        listed = ", ".join(f"{count} of {kind}" for kind, count in kinds.most_common(5))
        yield Problem(
            "estimate-mixed",
            f"the steps are of several environments or rules: {listed}",
            fix="name one: --environment NAME, with its plugin enabled and its rules as they were",
        )
    if len(set(recorded.episodes)) < 2:
        count = len(set(recorded.episodes))
        why = ", ".join(f"{n}: {reason}" for reason, n in recorded.left_out.items())
        said = f"{count} finished episodes are recorded, at least 2 are needed"
        yield Problem("estimate-few", f"{said}{f' (left out {why})' if why else ''}", fix=collect)
        return
    size = effective_sample_size(weights)
    if not size >= ENOUGH:
        yield Problem(
            "estimate-size",
            f"the effective sample size is {size:.0f} of {len(weights)} steps, at least "
            f"{ENOUGH:.0f} are needed: the new policy does other things than were done",
            fix=collect,
        )
    never, untried = _unsupported(recorded, new)
    if size < ENOUGH:
        untried = 0.0  # of so few steps it says no more than their size
    if never > _UNSUPPORTED or untried > _UNTRIED:
        share, how = (never, "never") if never > _UNSUPPORTED else (untried, "hardly ever")
        yield Problem(
            "estimate-support",
            f"{share:.0%} of the new policy's decisions are such that behaviour {how} makes them",
            fix="record practice, which explores as a teacher does not: aegis run, or aegis data "
            "collect --profile P, with [agent.exploration].epsilon above 0",
        )
    other = sum(
        step.decision.text is not None
        and writer is not None
        and (step.decision.engine, step.decision.checkpoint) != writer
        for step in recorded.experiences
    )
    if other:
        yield Problem(
            "estimate-writer",
            f"{other} steps have text that another writer wrote: what the new one would write is "
            "not known",
            fix="play it instead: aegis eval --task research-gym",
        )


def _unsupported(recorded: Recorded, new: Sequence[Scores]) -> tuple[float, float]:
    """Return the shares of the new policy's probability on what behaviour never, or hardly, does.

    Hardly does it what, the candidates taken together for which the new policy is most above it,
    was to be expected less than `UNSEEN` times in all of the steps; what it never does among it.
    """
    wanted = np.exp(np.concatenate([np.asarray(p, dtype=np.float64) for p in new]))
    done = np.exp(np.concatenate(recorded.behaviour))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        above = np.where(wanted > 0, wanted / done, 0.0)
    order = np.argsort(-above, kind="stable")
    seldom = order[np.cumsum(done[order]) < UNSEEN]
    steps = len(new)
    return float(wanted[done == 0].sum() / steps), float(wanted[seldom].sum() / steps)


def _snips(recorded: Recorded, new: Sequence[Scores], weights: Floats) -> tuple[float, Floats]:
    del new
    return _weighted(recorded.returns, weights)


def _doubly_robust(
    recorded: Recorded, new: Sequence[Scores], weights: Floats
) -> tuple[float, Floats]:
    told = predicted(
        recorded.experiences, recorded.chosen.tolist(), recorded.returns, recorded.episodes
    )
    expected = np.array([np.exp(p) @ q for p, q in zip(new, told, strict=True)])
    taken = np.array([q[chosen] for q, chosen in zip(told, recorded.chosen, strict=True)])
    missed, moves = _weighted(recorded.returns - taken, weights)
    mean = float(expected.mean())
    return mean + missed, expected - mean + moves


def _weighted(values: Floats, weights: Floats) -> tuple[float, Floats]:
    """Return a weighted mean, and what each step moves it by, in units of a mean over steps."""
    mean = float(weights @ values / weights.sum())
    moves: Floats = weights / weights.mean() * (values - mean)
    return mean, moves


def _interval(value: float, moves: Floats, episodes: Sequence[Any], level: float) -> Interval:
    sums, sizes = cluster_sums(moves, episodes)
    half = t_quantile(level, len(sums) - 1) * ratio_error(sums, sizes)
    return Interval(value, value - half, value + half)
