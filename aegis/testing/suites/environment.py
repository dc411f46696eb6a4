"""Checks of environments."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import evolve

from aegis.contracts.action import Action
from aegis.contracts.experience import Decision, Experience
from aegis.contracts.outcome import STATUSES, Outcome, StepResult
from aegis.contracts.view import View
from aegis.errors import AegisError
from aegis.exploration import require_scores
from aegis.testing.checks import Broken, check
from aegis.testing.subject import only_if

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from aegis.contracts.capabilities import EnvironmentCapabilities
    from aegis.contracts.roles import Engine
    from aegis.testing.subject import Subject

_EPISODES: Final = 8
_VARIANTS: Final = 5
_BEYOND: Final = 3.0
"""Quantile of Student's distribution with seven degrees of freedom: once in a hundred."""
_STEPS: Final = 2000
"""Steps in which an episode of random choices has to end."""


def _built(subject: Subject) -> Any:
    return subject.once("built", subject.build)


def _facts(subject: Subject) -> EnvironmentCapabilities:
    from aegis.contracts.capabilities import EnvironmentCapabilities

    said = subject.described()
    return said if isinstance(said, EnvironmentCapabilities) else EnvironmentCapabilities()


def _play(
    environment: Any, seed: int, limit: int = _STEPS, *, choices: int | None = None
) -> Iterator[tuple[View, tuple[Action, ...], StepResult]]:
    """Play an episode by chance; yields view, candidates and result of each step."""
    drawn = random.Random(seed if choices is None else choices)
    view = environment.reset(seed)
    for _ in range(limit):
        candidates = tuple(environment.candidates(view))
        if not candidates:
            return
        result = environment.step(drawn.choice(candidates))
        yield view, candidates, result
        if result.done:
            return
        view = result.view


@check("environment-candidates")
def candidates_are_legal(subject: Subject) -> None:
    """Every step before the end offers candidates: different actions, the same asked twice."""
    environment = _built(subject)
    for seed in range(_EPISODES):
        view = environment.reset(seed)
        drawn, done = random.Random(seed), False
        for _ in range(50):
            if done:
                break
            offered = list(environment.candidates(view))
            _refuse_bad(offered, list(environment.candidates(view)))
            result = environment.step(drawn.choice(offered))
            view, done = result.view, result.done


def _refuse_bad(offered: list[Any], again: list[Any]) -> None:
    if not offered or not all(isinstance(one, Action) for one in offered):
        raise Broken(
            "a step offers no candidate" if not offered else f"{offered[0]!r:.60} is no Action",
            cause="the end of an episode is told one step late, or arguments alone are returned",
            fix="set done in the step that ends it; return aegis.Action objects",
        )
    keys = [one.key for one in offered]
    if len(set(keys)) < len(keys):
        raise Broken(
            f"{len(keys) - len(set(keys))} of {len(keys)} candidates are offered twice",
            cause="the same call is reached in two ways",
            fix="offer each tool with the same arguments once",
        )
    if [one.key for one in again] != keys:
        raise Broken(
            "asked again, the same step offers other candidates",
            cause="candidates draws from a generator or moves the state on",
            fix="let only reset and step change anything",
        )


@check("environment-steps", needs=["environment-candidates"])
def every_candidate_can_be_carried_out(subject: Subject) -> None:
    """Every candidate that is offered can be carried out."""
    environment = _built(subject)
    view = environment.reset(0)
    for number in range(len(list(environment.candidates(view)))):
        action = list(environment.candidates(environment.reset(0)))[number]
        try:
            environment.step(action)
        except Exception as error:
            raise Broken(
                f"the first step offers {action.render()!r:.60} and raises "
                f"{type(error).__name__}: {error}",
                cause="candidates are listed without looking at what is legal now",
                fix="offer legal actions only",
            ) from error


@check("environment-results", needs=["environment-candidates"])
def results_are_whole(subject: Subject) -> None:
    """A step returns a StepResult with a view, an outcome and a finite reward."""
    environment = _built(subject)
    for seed in range(_EPISODES):
        for _, _, result in _play(environment, seed, 200):
            told: Any = result
            if not isinstance(told, StepResult) or not isinstance(told.view, View):
                raise Broken(
                    f"step returned {type(told).__name__}",
                    cause="a tuple is returned as in Gymnasium",
                    fix="return aegis.StepResult(view, aegis.Outcome('ok'), reward, done)",
                )
            outcome: Any = told.outcome
            if not isinstance(outcome, Outcome) or outcome.status not in STATUSES:
                raise Broken(
                    f"the outcome is {outcome!r:.80}",
                    cause="a status of one's own",
                    fix=f"one of {', '.join(STATUSES)}",
                )
            if isinstance(result.reward, bool) or not math.isfinite(result.reward):
                raise Broken(
                    f"a reward is {result.reward!r}",
                    cause="a division by 0, or a flag in place of a number",
                    fix="return a finite float",
                )


@check("environment-ends", needs=["environment-candidates"])
def episodes_end(subject: Subject) -> None:
    """An episode of random choices ends."""
    environment = _built(subject)
    for seed in range(3):
        steps = list(_play(environment, seed))
        if len(steps) == _STEPS and not steps[-1][2].done:
            raise Broken(
                f"episode {seed} has not ended after {_STEPS} random steps",
                cause="only success ends it",
                fix="limit the steps of an episode and say so in View.limit",
            )


@check("environment-views")
def views_have_one_text(subject: Subject) -> None:
    """A view is what its text says: parse(render(view)) is the view."""
    environment = _built(subject)
    for seed in range(_EPISODES):
        for view, _, _ in _play(environment, seed, 50):
            try:
                same = View.parse(view.render()) == view
            except AegisError:
                same = False
            if not same:
                raise Broken(
                    f"the text of a view of episode {seed} is read as another view",
                    cause="an empty string stands in a list, or a list stands in place of a tuple",
                    fix="leave empty texts out; use tuples",
                )


@check("environment-seeded", needs=["environment-candidates"])
def seeds_repeat(subject: Subject) -> None:
    """The same seed and choices give the same episode, in the same object and in another one."""
    only_if(_facts(subject).seeded, "it does not claim to be seeded")
    first, second = _built(subject), subject.build(seed=8)
    for seed in range(3):
        for other in (first, second):
            pairs = zip(_play(first, seed, 100), _played_apart(other, seed), strict=False)
            for number, (one, two) in enumerate(pairs):
                if _told(one) != _told(two):
                    raise Broken(
                        f"step {number + 1} of episode {seed} went another way the second time",
                        cause="it draws from a global generator, a clock, or what came before",
                        fix="derive all chance from reset's seed, in a generator of its own",
                    )


def _played_apart(environment: Any, seed: int) -> list[tuple[View, tuple[Action, ...], StepResult]]:
    return list(_play(environment, seed, 100))


def _told(step: tuple[View, tuple[Action, ...], StepResult]) -> tuple[object, ...]:
    view, candidates, result = step
    outcome = evolve(result.outcome, seconds=0.0)
    # The reward as text: NaN, another check's finding, is not equal to itself.
    return view, [one.key for one in candidates], outcome, repr(result.reward), result.done


@check("environment-seeds-differ", needs=["environment-seeded"])
def seeds_differ(subject: Subject) -> None:
    """Different seeds give different episodes."""
    only_if(_facts(subject).seeded, "it does not claim to be seeded")
    environment = _built(subject)
    told = {
        repr([_told(step) for step in _play(environment, seed, 50, choices=0)])
        for seed in range(_EPISODES)
    }
    if len(told) == 1:
        raise Broken(
            f"{_EPISODES} seeds gave the same episode, step by step",
            cause="reset ignores its seed",
            fix="draw the episode from the seed, or say seeded=False in describe",
        )


@check("environment-splits", needs=["environment-seeds-differ"])
def splits_share_nothing(subject: Subject) -> None:
    """Practice, validation and test have no episode in common, where there are splits."""
    only_if(_facts(subject).splits, "it does not claim to have splits")
    chosen = subject.chosen
    seen: dict[str, str] = {}
    for split in ("practice", "validation", "test"):
        config = evolve(chosen.config, split=split)
        environment = chosen.component.build(config, {}, subject.runtime())
        told = repr(
            [
                [_told(step) for step in _play(environment, seed, 50, choices=0)]
                for seed in range(_EPISODES)
            ]
        )
        if seen.setdefault(told, split) != split:
            raise Broken(
                f"{_EPISODES} seeds give the same episodes in {split} as in {seen[told]}",
                cause="the split does not reach the generator",
                fix="draw the splits from different seeds, or from different topics",
            )


@check("environment-experts", needs=["environment-seeded", "environment-results"])
def experts_know_more(subject: Subject) -> None:
    """Experts score every step they come to, and the first of them does no worse than chance."""
    facts = _facts(subject)
    only_if(facts.seeded, "it does not claim to be seeded")
    environment = _built(subject)
    experts = _experts(environment)
    only_if(experts, "it has no experts")

    def worth(results: Iterable[StepResult]) -> float:
        told = list(results)
        if facts.measure == "success":
            return float(bool(told) and told[-1].goal_completed)
        return float(sum(result.reward for result in told))

    best = {
        name: [
            max(
                worth(result for *_, result in _led(environment, name, one, seed))
                for one in engines
            )
            for seed in range(_EPISODES)
        ]
        for name, engines in experts.items()
    }
    name, reached = next(iter(best.items()))
    chance = [worth(result for *_, result in _play(environment, seed)) for seed in range(_EPISODES)]
    gain = np.subtract(reached, chance)
    # So far below it that eight episodes show it; of a hundred as good as chance one would be.
    if gain.mean() + _BEYOND * gain.std(ddof=1) / math.sqrt(_EPISODES) < 0:
        raise Broken(
            f"{_EPISODES} episodes of {name} come to {np.mean(reached):.3g} on average, the same "
            f"ones by random choices to {np.mean(chance):.3g}",
            cause="it follows another episode than the one that is played",
            fix="let it decide by the state of this very environment",
        )


def _experts(environment: Any) -> Mapping[str, Sequence[Engine]]:
    experts: Callable[[], Mapping[str, Sequence[Engine]]] | None
    experts = getattr(environment, "experts", None)
    return {} if experts is None else experts()


def _led(
    environment: Any, name: str, engine: Engine, seed: int
) -> Iterator[tuple[View, tuple[Action, ...], int, StepResult]]:
    """Let an expert play an episode; yields view, candidates, choice and result of each step."""
    view = environment.reset(seed)
    for number in range(1, _STEPS + 1):
        candidates = tuple(environment.candidates(view))
        try:
            scores = engine.score(view, candidates)
            require_scores(scores, len(candidates))
        except Exception as error:
            raise Broken(
                f"{name} at step {number} of episode {seed}: {type(error).__name__}: {error}",
                cause="it expects a state that others' choices have left",
                fix="let it score every state: a log-probability for each candidate",
            ) from error
        chosen = int(np.argmax(scores))
        result = environment.step(candidates[chosen])
        yield view, candidates, chosen, result
        if result.done:
            return
        view = result.view


@check("environment-variants", needs=["environment-seeded", "environment-results"])
def variants_are_whole_steps(subject: Subject) -> None:
    """Variants and lessons are other steps of the same kind, each with all that was decided."""
    component = subject.chosen.component
    makers = {"variants": component.variants, "lessons": component.lessons}
    only_if(any(makers.values()), "it makes none")
    only_if(_facts(subject).seeded, "it does not claim to be seeded")
    recorded = list(_recorded(subject))
    for name, make in makers.items():
        for step in recorded if make is not None else ():
            assert make is not None
            found = list(make(step, _VARIANTS, 0))
            fault = _fault(step, found) or (
                None if list(make(step, _VARIANTS, 0)) == found else "asked again, they are others"
            )
            if fault is not None:
                raise Broken(
                    f"{name} of step {step.index} of episode {step.episode}: {fault}",
                    cause="a step is put together anew instead of with attrs.evolve, or only some "
                    "of chosen, action and the two lists of log-probabilities are moved",
                    fix="keep the environment and the number of candidates, move the four "
                    "together, draw from the seed, leave out what is as it was",
                )


def _recorded(subject: Subject) -> Iterator[Experience]:
    """Play some episodes, with an expert where there is one, and yield them as they are recorded.

    The log-probabilities of a step are all different, so that it shows where each has gone.
    """
    environment, chosen_one = _built(subject), subject.chosen
    engine: Any = next((one[0] for one in _experts(environment).values()), _Drawn())
    rules = f"{chosen_one.component.name}-{chosen_one.rules(_facts(subject).version)}"
    for seed in range(3):
        steps = _led(environment, "who plays", engine, seed)
        for index, (view, candidates, chosen, result) in enumerate(steps, start=1):
            logs = tuple(-1.0 - number for number in range(len(candidates)))
            yield Experience(
                step=index,
                run="kit",
                episode=seed,
                index=index,
                environment=chosen_one.task,
                origin="teacher",
                seed=seed,
                generator=rules,
                key=f"{seed} {index}",
                started="2026-01-01T00:00:00.000000+00:00",
                view=view,
                decision=Decision(candidates, chosen, logs, logs, candidates[chosen]),
                outcome=result.outcome,
                reward=result.reward,
                done=result.done,
            )


class _Drawn:
    """Decides by chance, the same way in the same view."""

    def score(self, view: View, candidates: Sequence[Action]) -> Any:
        """Return log-probabilities of which one is far above the others."""
        logits = np.zeros(len(candidates))
        logits[random.Random(view.render()).randrange(len(candidates))] = 9.0
        return logits - np.logaddexp.reduce(logits)


def _fault(step: Experience, found: Sequence[Any]) -> str | None:
    """Return what is wrong with the variants of a step, or None."""
    if len(found) > _VARIANTS:
        return f"{len(found)} where {_VARIANTS} were asked for"
    if not all(isinstance(one, Experience) for one in found):
        return "something that is no aegis.Experience"
    asked = [_question(one) for one in (step, *found)]
    if len(set(asked)) < len(asked):
        return "one is the step itself, or like another"
    return next((fault for one in found if (fault := _misplaced(step, one)) is not None), None)


def _misplaced(step: Experience, one: Experience) -> str | None:
    """Return what of a step is not, or not where it belongs, in a variant of it, or None."""
    decision, was = one.decision, step.decision
    chosen, count = decision.chosen, len(was.candidates)
    same = (step.environment, step.origin, count)
    if (one.environment, one.origin, len(decision.candidates)) != same:
        return "one is of another environment or origin, or has more or fewer candidates"
    if chosen is None or not 0 <= chosen < count:
        return f"one chose {chosen!r} of {count} candidates"
    if decision.action != decision.candidates[chosen]:
        return "one carried out another action than it chose"
    assert was.chosen is not None
    for name in ("engine_log_probabilities", "behaviour_log_probabilities"):
        logs, before = getattr(decision, name), getattr(was, name)
        if sorted(logs) != sorted(before) or logs[chosen] != before[was.chosen]:
            return f"the {name} of one are not those of the step, each with its candidate"
    return None


def _question(step: Experience) -> tuple[object, ...]:
    decision = step.decision
    return step.view.render(), tuple(one.key for one in decision.candidates), decision.chosen
