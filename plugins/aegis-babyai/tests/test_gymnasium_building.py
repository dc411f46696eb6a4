"""From an id to an environment of gymnasium, or to what is in the way."""

from __future__ import annotations

import importlib.util

import gymnasium
import pytest

from aegis.errors import InputError
from aegis_babyai.gymnasium_building import build
from aegis_babyai.gymnasium_component import GymnasiumSettings


class Plain(gymnasium.Env):
    """An environment that takes whatever it is given."""

    action_space = gymnasium.spaces.Discrete(2)
    observation_space = gymnasium.spaces.Discrete(2)

    def __init__(self, **given):
        self.given = given


@pytest.fixture
def registered():
    made = []

    def register(id, **facts):
        gymnasium.register(id, **facts)
        made.append(id)

    yield register
    for name in made:
        del gymnasium.registry[name]


def refusal(**settings) -> str:
    with pytest.raises(InputError) as caught:
        build(GymnasiumSettings(**settings))
    return str(caught.value)


@pytest.mark.parametrize(
    ("id", "steps", "limit"),
    [
        ("FrozenLake-v1", 0, 100),
        ("FrozenLake-v1", 7, 7),
        ("FrozenLake-v1", 5000, 100),
        ("CartPole-v1", 0, 500),
        ("Blackjack-v1", 0, 1000),
        ("CliffWalking-v1", 25, 25),
        ("CliffWalking-v1", 2500, 2500),
    ],
)
def test_the_shorter_of_both_limits_holds(id, steps, limit):
    world, found = build(GymnasiumSettings(id=id, steps=steps))
    assert found == limit
    assert world.spec.max_episode_steps == limit


def test_a_limit_of_its_own_beyond_the_longest_episode_is_cut(registered):
    registered("aegis/Long-v0", entry_point=Plain, max_episode_steps=108_000)
    assert build(GymnasiumSettings(id="aegis/Long-v0"))[1] == 10_000


def test_an_older_version_is_built_without_a_warning():
    world, _ = build(GymnasiumSettings(id="CartPole-v0"))  # warnings are errors
    assert world.spec.id == "CartPole-v0"


@pytest.mark.parametrize(
    ("id", "near"),
    [
        ("frozenlake-v1", "FrozenLake-v1"),
        ("FrozenLake", "FrozenLake-v1"),
        ("CartPole-v9", "CartPole-v1"),
        ("BlackJack-v1", "Blackjack-v1"),
    ],
)
def test_an_id_that_is_not_registered_names_the_nearest_that_is(id, near):
    message = refusal(id=id)
    assert "error[gymnasium-id]" in message
    assert f'no environment is registered as "{id}"; did you mean "{near}"?' in message


def test_an_id_of_another_package_says_how_it_is_registered():
    assert "import ale_py" in refusal(id="ALE/Pong-v5", options={"obs_type": "ram"})
    assert "did you mean" not in refusal(id="Zork")


def test_a_package_that_is_not_installed_is_named(registered):
    registered("aegis/Absent-v0", entry_point="module_of_nobody.inside:Env")
    message = refusal(id="aegis/Absent-v0")
    assert message.startswith('error[gymnasium-package]: environment "aegis/Absent-v0" needs')
    assert "fix:   install the package that provides the module module_of_nobody" in message


@pytest.mark.parametrize(
    ("id", "module", "fix"),
    [
        ("LunarLander-v3", "Box2D", 'pip install "gymnasium[box2d]"'),
        ("HalfCheetah-v5", "mujoco", 'pip install "gymnasium[mujoco]"'),
        ("phys2d/CartPole-v1", "jax", 'pip install "gymnasium[jax]"'),
    ],
)
def test_what_a_family_of_gymnasium_needs_is_named_with_its_extra(id, module, fix):
    if importlib.util.find_spec(module):
        pytest.skip(f"{module} is installed")
    message = refusal(id=id)
    assert f'environment "{id}" needs the package {module}, which is not installed' in message
    assert fix in message.rpartition("fix:")[2]


def test_an_unknown_option_names_the_nearest_that_is_known():
    message = refusal(options={"slippery": False, "map": "8x8"})
    assert 'environment "FrozenLake-v1" has no option "slippery"' in message
    assert 'did you mean "is_slippery"?' in message
    assert 'no option "map"' in message
    assert "fix:   its options: desc, map_name, is_slippery" in message


def test_an_option_that_the_environment_cannot_use_is_told_with_its_reason():
    message = refusal(options={"map_name": "5x5"})
    assert "error[gymnasium-options]" in message
    assert "{'map_name': '5x5'}: KeyError: '5x5'" in message


def test_options_reach_an_environment_that_takes_any(registered):
    registered("aegis/Plain-v0", entry_point=Plain, kwargs={"size": 3})
    world, _ = build(GymnasiumSettings(id="aegis/Plain-v0", options={"size": 5, "deep": {"a": 1}}))
    assert world.unwrapped.given == {"size": 5, "deep": {"a": 1}}


def test_an_environment_that_cannot_be_repeated_is_refused(registered):
    registered("aegis/Random-v0", entry_point=Plain, nondeterministic=True)
    assert "error[gymnasium-unseeded]" in refusal(id="aegis/Random-v0")
