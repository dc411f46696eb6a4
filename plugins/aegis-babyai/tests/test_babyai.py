from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aegis
from aegis.errors import AegisError, InputError
from aegis.evaluation.rollout import rollout
from aegis_babyai.actions import ACTIONS
from aegis_babyai.component import babyai_component
from aegis_babyai.environment import CANDIDATES, BabyAI
from aegis_babyai.observer import Observer
from aegis_babyai.rendering import scene_of
from aegis_babyai.seeds import level_seed
from aegis_babyai.settings import BabyAISettings
from aegis_babyai.symmetry import Symmetry
from aegis_babyai.variants import variants

FIVE = ("GoToRedBallGrey", "GoToRedBall", "GoToLocal", "PickupLoc", "PutNextLocal")
STEPS = {"GoToRedBallGrey": 5.8, "GoToRedBall": 5.3, "GoToLocal": 5.3, "PickupLoc": 6.1,
         "PutNextLocal": 12.3}  # fmt: skip
COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
OBJECT = {"ball": 6, "box": 7, "key": 5}  # minigrid's numbers
COLOUR = {"red": 0, "green": 1, "blue": 2, "purple": 3, "yellow": 4, "grey": 5}


def level(name, track="unmarked", split="practice"):
    return BabyAI(BabyAISettings(level=name, track=track, split=split))


class Walker:
    """Goes anywhere: the same way for the same seed."""

    capabilities = aegis.EngineCapabilities(kind="walker")

    def score(self, view, candidates):
        weights = np.array([2.0, 2.0, 4.0, 1.0, 0.5, 0.5, 0.1])
        return np.log(weights / weights.sum())


@pytest.mark.parametrize("name", FIVE)
def test_the_bot_reaches_every_goal_in_about_as_many_steps_as_published_here(name):
    environment = level(name)
    (bot,) = environment.experts()["bot"]
    episodes = rollout(environment, bot, range(60), greedy=True)
    assert all(episode.completed for episode in episodes)
    steps = [episode.steps for episode in episodes]
    error = np.std(steps) / np.sqrt(len(steps))
    assert np.mean(steps) == pytest.approx(STEPS[name], abs=4 * error)


def test_the_bot_goes_on_whatever_was_done_before_it():
    environment = level("PutNextLocal")
    (bot,) = environment.experts()["bot"]
    reached = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        view = environment.reset(seed)
        done = False
        while not done:
            candidates = environment.candidates(view)
            best = int(np.argmax(bot.score(view, candidates)))
            wild = rng.random() < 0.2
            result = environment.step(candidates[int(rng.integers(7)) if wild else best])
            view, done = result.view, result.done
        reached += result.goal_completed
    assert reached >= 15


def test_a_seed_is_an_episode_and_splits_share_none():
    seen = {}
    for split in ("practice", "validation", "test"):
        environment = level("GoToLocal", split=split)
        assert [environment.reset(s) for s in range(3)] == [environment.reset(s) for s in range(3)]
        for seed in range(300):
            number = level_seed(split, seed)
            assert number not in seen
            seen[number] = split
    with pytest.raises(InputError):
        level_seed("test", -1)


@pytest.mark.parametrize("name", FIVE)
@pytest.mark.parametrize("track", ["marked", "unmarked"])
def test_a_view_comes_back_from_its_text_and_keeps_to_its_step_limit(name, track):
    environment = level(name, track)
    view = environment.reset(7)
    rng = np.random.default_rng(0)
    for number in range(1, view.limit + 1):
        assert aegis.View.parse(view.render()) == view
        assert view.step == number
        assert tuple(environment.candidates(view)) == CANDIDATES
        result = environment.step(CANDIDATES[int(rng.integers(2))])  # turns reach nothing
        view = result.view
    assert result.done
    assert not result.goal_completed
    assert environment.candidates(view) == ()


def test_unmarked_nothing_but_the_goal_depends_on_the_mission():
    environment = level("PickupLoc")
    for seed in range(15):
        images, actions, mission, limit = _recorded(environment, seed)
        one = _seen(images, actions, mission, limit, "unmarked")
        other = _seen(images, actions, "pick up a purple key behind you", limit, "unmarked")
        for a, b in zip(one, other, strict=True):
            assert (a.observation, a.recent) == (b.observation, b.recent)


def _recorded(environment, seed, steps=12):
    """Return images, actions, mission and limit of an episode of a walk."""
    world = environment._world
    seen, mission = _begin(world, level_seed("practice", seed))
    rng = np.random.default_rng(seed)
    images, actions = [seen], []
    for _ in range(steps):
        action = int(rng.choice(4, p=[0.25, 0.25, 0.4, 0.1]))
        found, _, terminated, truncated, _ = world.step(action)
        if terminated or truncated:
            break
        images.append(found["image"])
        actions.append(ACTIONS[action])
    return images, actions, mission, world.max_steps


def _begin(world, seed):
    from aegis_babyai.world import begin

    return begin(world, seed)


def _seen(images, actions, mission, limit, track):
    observer = Observer(mission, limit, track, images[0])
    return [
        observer.view(),
        *(observer.after(a, image) for a, image in zip(actions, images[1:], strict=True)),
    ]


def test_marked_what_the_mission_means_is_marked_and_nothing_else():
    environment = level("GoToLocal", "marked")
    marked = 0
    for seed in range(40):
        view = environment.reset(seed)
        wanted = view.goal.split()[-2:]
        scene = scene_of(view.observation)
        for sight in scene.seen:
            thing = sight.thing
            assert (thing.mark == "target") == ([thing.colour, thing.kind] == wanted)
            marked += thing.mark == "target"
    assert marked > 10


def test_the_environment_looks_at_nothing_of_the_world_but_what_a_step_shows():
    class Guarded:
        """A world of which nothing but these three may be touched."""

        def __init__(self, world):
            self._inside = world

        def __getattribute__(self, name):
            if name in {"reset", "step", "max_steps"}:
                return getattr(object.__getattribute__(self, "_inside"), name)
            raise AssertionError(f"{name} of the world was looked at")

    environment = level("PickupLoc", "marked")
    environment._world = Guarded(environment._world)
    for episode in rollout(environment, Walker(), range(5)):
        assert episode.steps > 0


# Symmetries: what a variant shows is what would be seen in the other world.


def _in_the_other_world(images, actions, mission, mirrored, names):
    kinds = {OBJECT[a]: OBJECT[b] for a, b in names.items() if a in OBJECT}
    colours = {COLOUR[a]: COLOUR[b] for a, b in names.items() if a in COLOUR}
    turned = []
    for image in images:
        other = image[::-1].copy() if mirrored else image.copy()
        for cell in other.reshape(-1, 3):
            if cell[0] in kinds or cell[0] == 4:
                cell[0] = kinds.get(cell[0], cell[0])
                cell[1] = colours.get(cell[1], cell[1])
        turned.append(other)
    sides = {"left": "right", "right": "left"} if mirrored else {}
    words = {**names, **sides}
    return (
        turned,
        [sides.get(action, action) for action in actions],
        " ".join(words.get(word, word) for word in mission.split()),
    )


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 200), st.sampled_from(FIVE), st.sampled_from(["marked", "unmarked"]),
    st.booleans(), st.permutations(COLOURS), st.permutations(("ball", "box", "key")),
)  # fmt: skip
def test_a_variant_is_the_view_of_the_other_world(seed, name, track, mirrored, colours, kinds):
    names = dict(zip(COLOURS, colours, strict=True)) | dict(
        zip(("ball", "box", "key"), kinds, strict=True)
    )
    images, actions, mission, limit = _recorded(level(name), seed)
    here = _seen(images, actions, mission, limit, track)
    other = _in_the_other_world(images, actions, mission, mirrored, names)
    there = _seen(*other, limit, track)
    symmetry = Symmetry(mirrored, names)
    assert [symmetry.view(view) for view in here] == there


def _demonstration(task, seed=3):
    name, track = task.split(":")[1:]
    environment = level(name, track)
    (bot,) = environment.experts()["bot"]
    view = environment.reset(seed)
    scores = bot.score(view, CANDIDATES)
    chosen = int(np.argmax(scores))
    logs = tuple(scores.tolist())
    return aegis.Experience(
        step=1, run="r", episode=1, index=1, environment=task, origin="teacher", seed=seed,
        generator="g", key="k", started="", view=view, outcome=aegis.Outcome("ok"), reward=0.0,
        decision=aegis.Decision(CANDIDATES, chosen, logs, logs, CANDIDATES[chosen]),
    )  # fmt: skip


@pytest.mark.parametrize("task", [f"babyai:{name}:marked" for name in FIVE])
def test_variants_are_distinct_the_same_for_a_seed_and_keep_what_was_right(task):
    step = _demonstration(task)
    made = variants(step, 6, seed=1)
    assert made == variants(step, 6, seed=1)
    assert made != variants(step, 6, seed=2)
    assert 0 < len(made) <= 6
    shown = {one.view.render() for one in made}
    assert len(shown) == len(made)
    assert step.view.render() not in shown
    for one in made:
        decision = one.decision
        assert decision.candidates == CANDIDATES
        assert decision.action == CANDIDATES[decision.chosen]
        assert int(np.argmax(decision.engine_log_probabilities)) == decision.chosen
        if task.startswith("babyai:GoToRedBall"):
            assert one.view.goal == step.view.goal  # its missions know the red ball alone


def test_what_is_no_step_of_babyai_has_no_variants():
    step = _demonstration("babyai:GoToLocal:unmarked")
    with pytest.raises(InputError, match="collect the demonstrations anew"):
        variants(aegis.Experience(**{**_fields(step), "environment": "babyai:Nowhere:x"}), 2, 0)


def _fields(step):
    from attrs import fields

    return {one.name: getattr(step, one.name) for one in fields(type(step))}


def test_a_level_that_is_not_there_is_one_clear_error():
    with pytest.raises(AegisError, match="GoToLocal"):
        BabyAI(BabyAISettings(level="GoToLocl"))


def test_mistakes_of_a_caller_are_named():
    environment = level("GoToLocal")
    with pytest.raises(InputError, match="no episode was begun"):
        environment.step(CANDIDATES[0])
    environment.reset(0)
    with pytest.raises(InputError, match="'jump' is no candidate"):
        environment.step(aegis.Action("jump"))


def test_the_manifest_says_what_a_task_is_without_gymnasium():
    component = babyai_component()
    assert component.task == ("level", "track")
    assert component.published(BabyAISettings(track="marked")) == []
    (figure,) = component.published(BabyAISettings(level="PickupLoc", track="unmarked"))
    assert (figure.value, figure.demonstrations) == (0.99, 204_000)
    facts = component.describe(BabyAISettings())
    assert (facts.splits, facts.measure, facts.seeded) == (True, "success", True)
    program = (
        "import sys, aegis_babyai.plugin as p; p.aegis_environments();"
        "assert not {'gymnasium', 'minigrid', 'numpy'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
