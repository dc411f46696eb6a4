"""What the documentation of gymnasium's environments says and their spaces do not.

The names of actions and of the parts of an observation, and when the goal is reached, by the class
that makes the environment: every id, version and option of one class has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

Goal = Literal["rewarded", "terminated", "lasted"]


@frozen
class Known:
    """What is known of an environment.

    Attributes:
        actions: Names of its actions, in the order of their numbers; none where they have no
            names.
        observation: Names of the numbers of an observation, in their order; none likewise.
        goal: When its goal is reached, where its info says nothing: ``rewarded``, it terminates
            with a reward above 0; ``terminated``, it terminates, which it does for nothing else;
            ``lasted``, it does not terminate before the limit.
    """

    actions: tuple[str, ...] = ()
    observation: tuple[str, ...] = ()
    goal: Goal = "rewarded"


UNKNOWN: Final = Known()

_TOY: Final = "gymnasium.envs.toy_text"
_CLASSIC: Final = "gymnasium.envs.classic_control"

_CARTPOLE: Final = Known(
    ("left", "right"),
    ("cart position", "cart velocity", "pole angle", "pole angular velocity"),
    "lasted",
)

KNOWN: Final[Mapping[str, Known]] = {
    f"{_TOY}.frozen_lake.FrozenLakeEnv": Known(("left", "down", "right", "up"), ("position",)),
    f"{_TOY}.cliffwalking.CliffWalkingEnv": Known(
        ("up", "right", "down", "left"), ("position",), "terminated"
    ),
    f"{_TOY}.taxi.TaxiEnv": Known(
        ("south", "north", "east", "west", "pickup", "dropoff"), ("state",)
    ),
    f"{_TOY}.blackjack.BlackjackEnv": Known(
        ("stick", "hit"), ("player sum", "dealer card", "usable ace")
    ),
    f"{_CLASSIC}.cartpole.CartPoleEnv": _CARTPOLE,
    "gymnasium.envs.phys2d.cartpole.CartPoleJaxEnv": _CARTPOLE,
    f"{_CLASSIC}.mountain_car.MountainCarEnv": Known(
        ("left", "coast", "right"), ("position", "velocity"), "terminated"
    ),
    f"{_CLASSIC}.acrobot.AcrobotEnv": Known(
        ("torque-minus", "torque-zero", "torque-plus"),
        ("cos theta1", "sin theta1", "cos theta2", "sin theta2", "velocity1", "velocity2"),
        "terminated",
    ),
}


def known(environment: object) -> Known:
    """Return what is known of an environment without its wrappers; `UNKNOWN` for most."""
    kind = type(environment)
    return KNOWN.get(f"{kind.__module__}.{kind.__qualname__}", UNKNOWN)
