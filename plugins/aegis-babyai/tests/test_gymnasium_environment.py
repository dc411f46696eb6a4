"""The environment ``gymnasium`` with gymnasium's own environments, and with some that misbehave."""

from __future__ import annotations

import itertools
import math
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import aegis
from aegis.builtin._engines.uniform import RandomEngine
from aegis.contracts.view import View
from aegis.errors import InputError
from aegis.evaluation.rollout import rollout
from aegis_babyai.gymnasium_component import GymnasiumSettings
from aegis_babyai.gymnasium_environment import GymnasiumEnvironment, gymnasium_seed
from aegis_babyai.settings import SPLITS

TAXI = next(name for name in ("Taxi-v4", "Taxi-v3") if name in gymnasium.registry)
IDS = (
    "FrozenLake-v1",
    TAXI,
    "CartPole-v1",
    "Blackjack-v1",
    "CliffWalking-v1",
    "MountainCar-v0",
    "Acrobot-v1",
)


def opened(id: str, **settings: Any) -> GymnasiumEnvironment:
    return GymnasiumEnvironment(GymnasiumSettings(id=id, **settings))


def played(
    environment: GymnasiumEnvironment, seed: int, choices: list[int]
) -> list[tuple[str, tuple[str, ...], float, bool]]:
    """What is shown, offered and earned in an episode of these choices."""
    view, result, told = environment.reset(seed), None, []
    for choice in choices:
        candidates = environment.candidates(view)
        shown = view.render(), tuple(action.render() for action in candidates)
        result = environment.step(candidates[choice % len(candidates)])
        told.append((*shown, result.reward, result.goal_completed))
        view = result.view
        if result.done:
            break
    return told


def steered(environment: GymnasiumEnvironment, seed: int, names: Any) -> list[aegis.StepResult]:
    """Carry out actions by name until the episode ends, or as many as there are."""
    environment.reset(seed)
    by_name = {action.tool: action for action in environment.actions}
    results = []
    for name in names:
        results.append(environment.step(by_name[name]))
        if results[-1].done:
            break
    return results


def shown(view: View, index: int = 0) -> float:
    return float(view.observation[index].split(": ")[1])


@pytest.mark.parametrize("id", IDS)
def test_the_same_seed_is_the_same_episode_whatever_was_played_before(id):
    choices = np.random.default_rng(1).integers(0, 12, 60).tolist()
    fresh, used = opened(id), opened(id)
    for other in (3, 8):
        played(used, other, choices[::-1])
    assert played(fresh, 5, choices) == played(used, 5, choices)


def test_no_two_episodes_of_any_splits_share_a_seed_and_none_is_a_policys():
    pairs = list(itertools.product(SPLITS, range(2000)))
    assert len({gymnasium_seed(split, seed) for split, seed in pairs}) == len(pairs)
    assert all(gymnasium_seed(split, seed) != seed for split, seed in pairs)
    with pytest.raises(InputError, match="0 or more, not -1"):
        gymnasium_seed("test", -1)


def test_the_episodes_of_the_splits_differ():
    firsts = [
        opened("CartPole-v1", split=split).reset(seed).render()
        for split in SPLITS
        for seed in range(20)
    ]
    assert len(set(firsts)) == len(firsts)


@pytest.mark.parametrize("id", IDS)
def test_every_candidate_of_every_step_is_carried_out(id):
    environment = opened(id)
    for seed in range(3):
        choices: list[int] = []
        while len(choices) < 6:
            view = environment.reset(seed)
            for choice in choices:
                view = environment.step(environment.candidates(view)[choice]).view
            candidates = environment.candidates(view)
            if not candidates:  # the episode has ended
                break
            assert len({action.key for action in candidates}) == len(candidates)
            for index in range(len(candidates)):
                assert len(played(environment, seed, [*choices, index])) == len(choices) + 1
            choices.append(len(choices) % len(candidates))


@pytest.mark.parametrize("id", IDS)
def test_every_episode_ends_at_the_limit_at_the_latest(id):
    environment = opened(id, steps=12)
    view = environment.reset(0)
    assert (view.goal, view.step, view.limit) == (id, 1, 12)
    for result in rollout(environment, RandomEngine(), range(20)):
        assert 1 <= result.steps <= 12
        assert result.facts["terminated"] or (result.facts["truncated"] and result.steps == 12)


def test_the_limit_alone_reaches_no_goal():
    results = steered(opened("CliffWalking-v1", steps=7), 0, ["up"] * 100)
    assert [result.done for result in results] == [False] * 6 + [True]
    assert not results[-1].goal_completed
    assert results[-1].info == {"gymnasium_seed": 1, "terminated": False, "truncated": True}


def test_a_goal_that_is_reached_with_the_last_step_is_reached():
    lake = opened("FrozenLake-v1", steps=1, options={"desc": ["SG"], "is_slippery": False})
    (result,) = steered(lake, 0, ["right"])
    assert (result.reward, result.done, result.goal_completed) == (1.0, True, True)


def test_a_view_shows_the_last_four_actions_and_is_read_back():
    lake = opened("FrozenLake-v1", options={"is_slippery": False})
    results = steered(lake, 0, ["left", "up", "down", "up", "right"])
    assert results[-1].view.render() == (
        "goal: FrozenLake-v1\nobservation: position: 1\n"
        "recent: ok +0 up | ok +0 down | ok +0 up | ok +0 right\nstep: 6/100"
    )
    assert results[0].view.recent == (aegis.Recent("left", "ok"),)
    for result in results:
        assert View.parse(result.view.render()) == result.view


def values(transitions: Any, steps: int, policy: Any) -> np.ndarray:
    """Expected return of each state with `steps` left, by dynamic programming, (steps + 1, n).

    `policy` maps a table of action values, (n, actions), to state values, (n,).
    """
    found = np.zeros((steps + 1, len(transitions)))
    for left in range(1, steps + 1):
        table = [
            [
                sum(p * (r + (0.0 if end else found[left - 1, s])) for p, s, r, end in outcomes)
                for outcomes in transitions[state].values()
            ]
            for state in transitions
        ]
        found[left] = policy(np.array(table))
    return found


def test_a_random_policy_on_the_lake_reaches_the_goal_as_often_as_its_chain_says():
    lake = opened("FrozenLake-v1")
    exact = values(gymnasium.make("FrozenLake-v1").unwrapped.P, 100, lambda q: q.mean(axis=1))[
        100, 0
    ]
    assert 0.01 < exact < 0.02
    episodes = rollout(lake, RandomEngine(), range(2000))
    error = math.sqrt(exact * (1 - exact) / 2000)
    assert abs(np.mean([episode.completed for episode in episodes]) - exact) < 3 * error
    assert all(episode.completed == (episode.total == 1.0) for episode in episodes)


def test_the_best_policy_on_the_lake_reaches_the_goal_as_often_as_its_chain_says():
    names = ("left", "down", "right", "up")
    transitions = gymnasium.make("FrozenLake-v1").unwrapped.P
    best = values(transitions, 100, lambda q: q.max(axis=1))

    class Best:
        capabilities = aegis.EngineCapabilities(kind="best")

        def score(self, view, candidates):
            left = view.limit - view.step
            worth = {
                name: sum(p * (r + (0 if end else best[left, s])) for p, s, r, end in outcomes)
                for name, outcomes in zip(
                    names, transitions[int(shown(view))].values(), strict=True
                )
            }
            return np.array([worth[action.tool] for action in candidates])

    episodes = rollout(opened("FrozenLake-v1"), Best(), range(500), greedy=True)
    exact = best[100, 0]
    assert exact > 0.7
    error = math.sqrt(exact * (1 - exact) / 500)
    assert abs(np.mean([episode.completed for episode in episodes]) - exact) < 3 * error


def test_the_cliff_is_walked_along_by_the_names_of_the_actions():
    cliff = opened("CliffWalking-v1")
    results = steered(cliff, 0, ["up", *["right"] * 11, "down"])
    assert [shown(result.view) for result in results] == [24 + x for x in range(12)] + [47]
    assert [result.reward for result in results] == [-1.0] * 13
    assert [result.goal_completed for result in results] == [False] * 12 + [True]
    fallen = steered(cliff, 0, ["right", "up", "left"])
    assert [result.reward for result in fallen] == [-100.0, -1.0, -1.0]
    assert [shown(result.view) for result in fallen] == [36, 24, 24]
    assert not any(result.done for result in fallen)


def test_a_taxi_is_offered_what_changes_its_state_and_nothing_else():
    taxi, names = opened(TAXI), ("south", "north", "east", "west", "pickup", "dropoff")
    transitions = gymnasium.make(TAXI).unwrapped.P
    rng, offered = np.random.default_rng(0), set()
    for seed in range(5):
        view, done = taxi.reset(seed), False
        while not done:
            state, candidates = int(shown(view)), taxi.candidates(view)
            moving = [
                name
                for name, out in zip(names, transitions[state].values(), strict=True)
                if out[0][1] != state
            ]
            assert [action.tool for action in candidates] == moving
            offered.update(moving)
            result = taxi.step(candidates[int(rng.integers(len(candidates)))])
            view, done = result.view, result.done
    assert offered == set(names)


def test_a_taxi_on_the_shortest_way_delivers_its_passenger():
    taxi, names = opened(TAXI), ("south", "north", "east", "west", "pickup", "dropoff")
    transitions = gymnasium.make(TAXI).unwrapped.P
    best = values(transitions, 40, lambda q: q.max(axis=1))
    for seed in range(10):
        view, done, rewards = taxi.reset(seed), False, []
        expected = best[40, int(shown(view))]
        while not done:
            q = [
                sum(
                    p * (r + (0 if end else best[39 - len(rewards), s]))
                    for p, s, r, end in outcomes
                )
                for outcomes in transitions[int(shown(view))].values()
            ]
            wanted = names[int(np.argmax(q))]
            (action,) = [a for a in taxi.candidates(view) if a.tool == wanted]
            result = taxi.step(action)
            view, done = result.view, result.done
            rewards.append(result.reward)
        assert sum(rewards) == pytest.approx(expected)
        assert (rewards[-1], result.goal_completed) == (20.0, True)


def test_blackjack_is_won_where_the_reward_is_above_zero():
    table = opened("Blackjack-v1")
    world = gymnasium.make("Blackjack-v1").unwrapped
    world.reset(seed=gymnasium_seed("practice", 0))
    assert table.reset(0).observation == (
        f"player sum: {sum(world.player)}",
        f"dealer card: {world.dealer[0]}",
        "usable ace: 0",
    )
    outcomes = set()
    for seed in range(60):
        (result,) = steered(table, seed, ["stick"])
        assert result.done
        assert result.goal_completed == (result.reward > 0)
        outcomes.add(result.reward)
        last = steered(table, seed, itertools.repeat("hit"))[-1]
        assert (last.reward, last.goal_completed) == (-1.0, False)
        assert shown(last.view) > 21
    assert outcomes == {-1.0, 0.0, 1.0}


def test_a_pole_that_falls_has_missed_its_goal_and_one_that_lasts_has_not():
    fallen = steered(opened("CartPole-v1"), 0, itertools.repeat("left"))
    assert fallen[-1].info["terminated"]
    assert (fallen[-1].reward, fallen[-1].goal_completed) == (1.0, False)
    assert [line.split(": ")[0] for line in fallen[0].view.observation] == [
        "cart position",
        "cart velocity",
        "pole angle",
        "pole angular velocity",
    ]
    assert shown(fallen[3].view, 1) < shown(fallen[0].view, 1) < 0 < shown(fallen[3].view, 2)
    lasting = steered(opened("CartPole-v1", steps=6), 0, ["left", "right"] * 3)
    assert [result.goal_completed for result in lasting] == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("id", "velocity", "back", "forth"),
    [("MountainCar-v0", 1, "left", "right"), ("Acrobot-v1", 5, "torque-minus", "torque-plus")],
)
def test_energy_is_pumped_up_to_the_goal_by_pushing_along_the_velocity(id, velocity, back, forth):
    environment = opened(id)
    actions = {action.tool: action for action in environment.actions}
    for seed in range(3):
        view, done = environment.reset(seed), False
        while not done:
            along = forth if shown(view, velocity) >= 0 else back
            result = environment.step(actions[along])
            view, done = result.view, result.done
        assert result.reward <= 0
        assert result.goal_completed
    (first, *_) = steered(environment, 0, [back])
    assert not first.goal_completed


@pytest.mark.parametrize("id", ["Pendulum-v1", "MountainCarContinuous-v0"])
def test_continuous_actions_are_refused_with_what_is_allowed(id):
    with pytest.raises(InputError) as caught:
        opened(id)
    message = str(caught.value)
    assert message.startswith(
        f'error[gymnasium-actions]: environment "{id}" has the action space Box('
    )
    assert "Discrete(n)" in message


def test_an_action_that_was_recorded_and_read_again_is_carried_out():
    lake = opened("FrozenLake-v1", options={"is_slippery": False})
    lake.reset(0)
    assert shown(lake.step(aegis.Action("right", {})).view) == 1


def test_what_is_no_candidate_is_refused_with_what_is_legal():
    taxi = opened(TAXI)
    view = taxi.reset(0)
    legal = [action.tool for action in taxi.candidates(view)]
    masked = next(action for action in taxi.actions if action.tool not in legal)
    for action in (masked, aegis.Action("fly"), aegis.Action(legal[0], {"far": True})):
        with pytest.raises(InputError, match=f"legal: {', '.join(legal)}"):
            taxi.step(action)
    assert taxi.step(taxi.candidates(view)[0]).view.step == 2  # the episode goes on


def test_nothing_is_played_before_an_episode_begins_or_after_it_ends():
    cliff = opened("CliffWalking-v1", steps=1)
    with pytest.raises(InputError, match="no episode was begun"):
        cliff.step(cliff.actions[0])
    (result,) = steered(cliff, 0, ["up"])
    assert cliff.candidates(result.view) == ()
    with pytest.raises(InputError, match="the episode has ended"):
        cliff.step(cliff.actions[0])


class Scripted(gymnasium.Env):
    """An environment that plays back what a test says, and keeps the actions that it gets."""

    observation_space = spaces.Discrete(9)

    def __init__(self, actions=3, start=5, script=(), masks=None):
        self.action_space = spaces.Discrete(actions, start=start)
        self.script, self.got = list(script), []
        if masks is not None:
            self.action_masks = lambda: np.array(masks)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = 0
        return 0, {}

    def step(self, action):
        self.got.append(action)
        self.at += 1
        return self.script[self.at - 1]


@pytest.fixture
def scripted():
    name = "aegis/Scripted-v0"

    def make(**options):
        gymnasium.registry.pop(name, None)
        gymnasium.register(name, entry_point=lambda: Scripted(**options))
        return opened(name)

    yield make
    gymnasium.registry.pop(name, None)


def test_actions_without_names_have_the_numbers_of_their_space(scripted):
    environment = scripted(script=[(1, 0.0, False, False, {})] * 3)
    view = environment.reset(0)
    assert [action.tool for action in environment.candidates(view)] == ["5", "6", "7"]
    for name in ("7", "5", "6"):
        environment.step(aegis.Action(name))
    assert environment._world.unwrapped.got == [7, 5, 6]


def test_too_many_actions_are_refused(scripted):
    assert len(scripted(actions=256).actions) == 256
    with pytest.raises(InputError, match=r"Discrete\(257, start=5\)"):
        scripted(actions=257)


def test_the_mask_of_the_info_goes_before_the_one_of_the_method(scripted):
    said = {"action_mask": np.array([1, 0, 0], np.int8)}
    environment = scripted(script=[(1, 0.0, False, False, said)], masks=[False, True, True])
    view = environment.reset(0)
    assert [action.tool for action in environment.candidates(view)] == ["6", "7"]
    view = environment.step(aegis.Action("6")).view
    assert [action.tool for action in environment.candidates(view)] == ["5"]


@pytest.mark.parametrize("mask", [[0, 0, 0], [1, 1]])
def test_a_mask_that_allows_nothing_or_is_of_another_length_is_an_error(scripted, mask):
    with pytest.raises(InputError, match=r'"aegis/Scripted-v0" masks its 3 actions with'):
        scripted(masks=mask).reset(0)


@pytest.mark.parametrize("reward", [math.nan, math.inf, -math.inf, None, "much"])
def test_a_reward_that_is_no_finite_number_is_an_error_that_names_the_environment(scripted, reward):
    environment = scripted(script=[(1, reward, False, False, {})])
    environment.reset(0)
    with pytest.raises(InputError, match='"aegis/Scripted-v0" gave the reward'):
        environment.step(environment.actions[0])
    with pytest.raises(InputError, match="the episode has ended"):  # nobody knows where it stands
        environment.step(environment.actions[0])


@pytest.mark.parametrize(
    ("reward", "terminated", "truncated", "info", "reached"),
    [
        (1.0, True, False, {}, True),
        (1.0, True, True, {}, True),
        (0.0, True, False, {}, False),
        (-1.0, True, False, {}, False),
        (1.0, False, True, {}, False),
        (1.0, False, False, {"success": True}, False),
        (0.0, True, False, {"success": True}, True),
        (0.0, False, True, {"is_success": np.True_}, True),
        (1.0, True, False, {"is_success": False, "success": True}, False),
    ],
)
def test_the_goal_is_reached_where_the_environment_says_so_else_where_the_end_pays(
    scripted, reward, terminated, truncated, info, reached
):
    environment = scripted(script=[(1, reward, terminated, truncated, info)])
    environment.reset(0)
    result = environment.step(environment.actions[0])
    assert result.done == (terminated or truncated)
    assert result.goal_completed is reached
