from __future__ import annotations

import re

import numpy as np
import pytest
from attrs import evolve

import aegis
from aegis.errors import InputError
from aegis.evaluation.rollout import play
from aegis_babyai.actions import ACTIONS
from aegis_babyai.detours import PUSHES, TURNS
from aegis_babyai.environment import CANDIDATES, BabyAI
from aegis_babyai.levels import LEVELS
from aegis_babyai.rendering import LAST, facing, scene_of
from aegis_babyai.scene import MARKS
from aegis_babyai.settings import BabyAISettings
from aegis_babyai.variants import lessons, variants

FIVE = ("GoToRedBallGrey", "GoToRedBall", "GoToLocal", "PickupLoc", "PutNextLocal")
NAMES = ["red", "green", "blue", "purple", "yellow", "grey", "ball", "box", "key", "left", "right"]


def _recorded(level, track="marked", seeds=range(4)):
    """Return the bot's steps as they are recorded, its log-probabilities all different."""
    world = BabyAI(BabyAISettings(level=level, track=track))
    (bot,) = world.experts()["bot"]
    return [
        _experience(step, f"babyai:{level}:{track}", seed, index)
        for seed in seeds
        for index, step in enumerate(play(world, bot, seed, greedy=True), start=1)
    ]


def _experience(step, environment, episode, index, chosen=None):
    chosen = step.chosen if chosen is None else chosen
    scores = np.log(np.arange(1, 8) / 28)
    return aegis.Experience(
        step=index, run="r", episode=episode, index=index, environment=environment,
        origin="teacher", seed=0, generator="babyai-1", key="k", started="", view=step.view,
        decision=aegis.Decision(
            CANDIDATES, chosen, tuple(scores.tolist()), tuple((scores - 1).tolist()),
            CANDIDATES[chosen],
        ),
        outcome=step.result.outcome, reward=step.result.reward, done=step.result.done,
    )  # fmt: skip


def _shown(step):
    return step.view.render(), step.decision.chosen


@pytest.mark.parametrize("level", FIVE)
@pytest.mark.parametrize("track", ["marked", "unmarked"])
def test_variants_are_new_distinct_and_the_same_for_a_seed(level, track):
    made = 0
    for step in _recorded(level, track):
        found = variants(step, 5, 7)
        assert found == variants(step, 5, 7)
        assert len(found) <= 5
        assert len({_shown(step), *map(_shown, found)}) == len(found) + 1
        made += len(found)
        for one in found:
            assert aegis.View.parse(one.view.render()) == one.view
    assert made
    step = _recorded("GoToLocal")[0]
    assert len(variants(step, 5, 7)) == 5
    assert variants(step, 5, 8) != variants(step, 5, 7)
    assert variants(step, 0, 7) == []
    assert variants(step, 2, 7) == variants(step, 5, 7)[:2]


@pytest.mark.parametrize("level", FIVE)
def test_lessons_begin_with_few_names_and_end_with_all(level):
    goals = []
    for step in _recorded(level, "unmarked", seeds=range(5)):
        found = lessons(step, 24, 7)
        assert found == lessons(step, 24, 7)
        assert len({_shown(step), *map(_shown, found)}) == len(found) + 1
        goals.append([set(one.view.goal.split()) & {*NAMES[:9]} for one in found])
    first, last = (set().union(*(each[n] for each in goals)) for n in (0, -1))
    most = max(len(each[0]) for each in goals)  # names of a mission
    assert len(first) <= max(2, most)
    if level in ("GoToLocal", "PickupLoc", "PutNextLocal"):
        assert last == {*NAMES[:9]}
        assert first <= {"red", "green", "ball", "box"}
    else:
        assert first == last == {"red", "ball"}


@pytest.mark.parametrize("level", FIVE)
def test_what_was_right_is_right_in_the_other_world(level):
    """Left for right where the view is mirrored; the candidates and the rest stay as they are."""
    turned = 0
    for step in _recorded(level):
        for one in variants(step, 4, 0):
            was, now = step.decision, one.decision
            assert now.candidates == CANDIDATES
            mirrored = now.engine_log_probabilities != was.engine_log_probabilities
            turned += mirrored
            swap = {"left": "right", "right": "left"} if mirrored else {}
            for index, name in enumerate(ACTIONS):
                origin = ACTIONS.index(swap.get(name, name))
                assert now.engine_log_probabilities[index] == was.engine_log_probabilities[origin]
                assert (
                    now.behaviour_log_probabilities[index]
                    == was.behaviour_log_probabilities[origin]
                )
                if was.chosen == origin:
                    assert (now.chosen, now.action) == (index, CANDIDATES[index])
            last = tuple(swap.get(a, a) for a in scene_of(step.view.observation).last)
            come = {last, *((*last, *way)[-LAST:] for way in (*PUSHES, *TURNS))}
            assert scene_of(one.view.observation).last in come
            assert evolve(one, view=step.view, decision=was) == step
    assert turned


@pytest.mark.parametrize("level", FIVE)
def test_marks_stay_on_what_the_mission_means(level):
    marked = 0
    for step in _recorded(level):
        for one in variants(step, 4, 0):
            things = scene_of(one.view.observation)
            described = re.findall(r"(?:(\w+) )?(ball|box|key)\b", one.view.goal)
            for sight in things.seen + things.past:
                if sight.thing.mark:
                    marked += 1
                    index = MARKS.index(sight.thing.mark)
                    colour, kind = described[index]
                    assert sight.thing.kind == kind
                    assert sight.thing.colour == colour or colour not in NAMES
    assert marked


def test_where_a_level_names_the_red_ball_red_balls_stay_red_balls():
    for level in ("GoToRedBallGrey", "GoToRedBall"):
        kinds, colours = set(), set()
        for step in _recorded(level):
            for one in variants(step, 6, 0):
                assert one.view.goal == step.view.goal
                was = sorted(_balls(step.view))
                assert sorted(_balls(one.view)) == was
                kinds |= {w for line in one.view.observation for w in line.split()} & {*NAMES}
                colours |= kinds & {"green", "blue", "purple", "yellow"}
        assert {"ball", "box", "key"} <= kinds
        assert bool(colours) == (level == "GoToRedBall")


def _balls(view):
    scene = scene_of(view.observation)
    return [
        kind
        for kind, sights in (("seen", scene.seen), ("past", scene.past))
        for sight in sights
        if sight.thing[:2] == ("red", "ball")
    ]


def test_a_level_without_symmetries_but_the_mirror_has_one_variant_beside_detours():
    for step in _recorded("GoToRedBallNoDists"):
        shown = {_but_last(step), *map(_but_last, variants(step, 9, 0))}
        assert len(shown) <= 2


@pytest.mark.parametrize(
    ("level", "track", "may_be"),
    [
        ("GoToLocal", "marked", True),
        ("GoToLocal", "unmarked", False),
        ("PickupLoc", "unmarked", True),
    ],
)
def test_detours_are_made_where_things_are_marked_or_missions_have_other_words(
    level, track, may_be
):
    made = [one for step in _recorded(level, track) for one in variants(step, 4, 0)]
    pushed = [one for one in made if "blocked" in one.view.observation[-2].split()]
    assert bool(pushed) == may_be


def _but_last(step):
    return scene_of(step.view.observation)._replace(last=()), step.decision.chosen


def test_an_opened_box_stays_a_box():
    """A box that is toggled is gone, a ball is not."""
    for step in _recorded("PutNextLocal", seeds=range(12)):
        faced = facing(scene_of(step.view.observation))
        if faced is None or faced.kind != "box":
            continue
        opening = evolve(step, decision=evolve(step.decision, chosen=5, action=CANDIDATES[5]))
        opened = {facing(scene_of(one.view.observation)).kind for one in variants(opening, 9, 0)}
        picked = {facing(scene_of(one.view.observation)).kind for one in variants(step, 9, 0)}
        assert opened == {"box"}
        assert picked - {"box"}
        return
    raise AssertionError("no box was faced")


def test_keys_that_may_open_a_door_stay_keys():
    keys = 0
    for step in _recorded("UnlockLocalDist", seeds=range(3)):
        for one in variants(step, 4, 0):
            lines = [
                sorted(word for line in view.observation for word in line.split() if word == "key")
                for view in (step.view, one.view)
            ]
            assert lines[0] == lines[1]
            keys += len(lines[0])
    assert keys


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_has_variants(level):
    world = BabyAI(BabyAISettings(level=level, track="marked"))
    found = []
    for seed in range(3):
        view = world.reset(seed)
        result = world.step(CANDIDATES[0])
        step = type("Step", (), {"view": view, "result": result, "chosen": 0})
        found += variants(_experience(step, f"babyai:{level}:marked", seed, 1), 3, 0)
    assert found


def test_a_step_of_which_nobody_knows_what_was_right_has_none():
    step = _recorded("GoToLocal")[0]
    imported = evolve(step, decision=evolve(step.decision, chosen=None, action=None))
    assert variants(imported, 3, 0) == []


@pytest.mark.parametrize("place", ["babyai", "babyai:Elsewhere:marked"])
def test_a_step_of_an_unknown_level_is_refused(place):
    step = evolve(_recorded("GoToLocal")[0], environment=place)
    with pytest.raises(InputError, match=f"babyai-variants.*step 1 of '{place}'"):
        variants(step, 3, 0)


@pytest.mark.parametrize(
    "words", [(), ("walls 3 0 0", "carry no thing", "last none none none", "ball")]
)
def test_a_view_of_other_words_is_refused(words):
    step = _recorded("GoToLocal")[0]
    other = evolve(step, view=evolve(step.view, observation=words))
    with pytest.raises(InputError, match="babyai-variants"):
        variants(other, 3, 0)
