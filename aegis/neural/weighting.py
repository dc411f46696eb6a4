"""How much recorded steps count in a training, and why some count nothing."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from attrs import field, frozen, validators

from aegis.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aegis.contracts.experience import Experience
    from aegis.contracts.roles import ExperienceDataset

Content = TypeVar("Content")
"""What a step trains, as a trainer encodes it."""

OBJECTIVES: Final = ("imitate", "reward_weighted")
"""What a trainer's setting `objective` may be."""

UNPAID: Final = "unpaid"
"""Why a step is left out that `imitate` has nothing to take from."""


@frozen
class Weighting:
    """What steps count under an objective.

    A teacher's demonstration counts 1 under every objective.

    Attributes:
        objective: ``imitate``: own steps that paid, all alike; ``reward_weighted``: every own
            step by exp(advantage / beta), which is advantage-weighted regression (Peng et al.
            2019, arXiv 1910.00177).
        beta: Advantage that makes a step weigh e times as much.
        weight_limit: Largest weight of a step, before scaling.
    """

    objective: str = field(validator=validators.in_(OBJECTIVES))
    beta: float = 1.0
    weight_limit: float = 20.0

    def weight(self, experience: Experience, advantage: float) -> float:
        """Return what a step counts before scaling; 0 where it trains nothing."""
        if is_demonstration(experience):
            return 1.0
        if self.objective == "imitate":
            return float(advantage > 0)
        return math.exp(min(advantage / self.beta, math.log(self.weight_limit)))


@frozen
class LeftOut:
    """A step that trains nothing.

    Attributes:
        why: The reason in a few words, the same ones for all steps that it holds for.
    """

    why: str


@frozen
class Weighed(Generic[Content]):
    """What the steps of a data set train, in its order.

    Attributes:
        rows: Weight and content of each step that trains something.
        scale: What the weights of own steps were multiplied by.
        left_out: Steps that train nothing, by reason.
    """

    rows: tuple[tuple[float, Content], ...]
    scale: float
    left_out: Mapping[str, int]


def is_demonstration(experience: Experience) -> bool:
    """Return whether a teacher demonstrated the step."""
    return experience.origin == "teacher"


def weigh(
    data: ExperienceDataset,
    weighting: Weighting,
    encode: Callable[[Experience], Content | LeftOut],
    scale: float | None = None,
) -> Weighed[Content]:
    """Return what a data set trains and how much each step of it counts.

    Args:
        data: Recorded steps.
        weighting: What they count before scaling.
        encode: Returns what a step trains, or why it trains nothing.
        scale: What weights of own steps are multiplied by; held-out steps get that of the
            training steps. None: what gives those that train something the mean weight 1.
    """
    left_out: Counter[str] = Counter()
    kept: list[tuple[bool, float, Content]] = []
    for experience, advantage in zip(data, data.advantages, strict=True):
        weight = weighting.weight(experience, advantage)
        content = LeftOut(UNPAID) if weight == 0 else encode(experience)
        if isinstance(content, LeftOut):
            left_out[content.why] += 1
        else:
            kept.append((is_demonstration(experience), weight, content))
    if scale is None:
        scale = _scale([weight for shown, weight, _ in kept if not shown])
    rows = tuple((weight if shown else weight * scale, content) for shown, weight, content in kept)
    return Weighed(rows, scale, dict(left_out))


def left_out_figures(left_out: Mapping[str, int]) -> dict[str, float]:
    """Return how many steps were left out, by the names of `TrainingResult.metrics`."""
    return {f"left_out_{why.replace(' ', '_')}": float(n) for why, n in left_out.items()}


def no_examples(left_out: Mapping[str, int], objective: str, section: str) -> InputError:
    """Return the error of a data set in which every step was left out.

    Args:
        left_out: Its steps by reason.
        objective: The objective that was asked for.
        section: Section of the configuration that asks for it, such as ``trainer.gpt2-lora``.
    """
    reasons = ", ".join(f"{n} {why}" for why, n in sorted(left_out.items()))
    return InputError.of(
        "no-examples",
        f"none of {sum(left_out.values())} steps trains anything with objective = "
        f'"{objective}" ({reasons or "there are none"})',
        where=f"[{section}].objective",
        fix="collect steps that paid, or demonstrations of a teacher",
    )


def _scale(weights: list[float]) -> float:
    total = math.fsum(weights)
    return len(weights) / total if total > 0 else 1.0
