"""Steps of a world whose values are known, and of real practice."""

from __future__ import annotations

import math
import random
from pathlib import Path
from types import SimpleNamespace

import pytest

import aegis
from aegis.contracts.experience import Decision, Experience
from aegis.contracts.roles import TrainingContext
from aegis.contracts.view import Recent, Seen, View
from aegis.evaluation.gym.cache import load_index
from aegis.evaluation.gym.environment import ResearchGym
from aegis.learning.dataset import Dataset
from aegis.resources import library


def step_of(view, candidates, chosen, reward, *, episode=1, index=1, done=False, number=1):
    """Return one recorded step, drawn uniformly."""
    even = (-math.log(len(candidates)),) * len(candidates) if candidates else ()
    action = candidates[chosen] if chosen is not None and candidates else None
    return Experience(
        step=number,
        run="run",
        episode=episode,
        index=index,
        environment="world",
        origin="practice",
        seed=0,
        generator="",
        key="",
        started="",
        view=view,
        decision=Decision(tuple(candidates), chosen, even, even, action),
        reward=reward,
        done=done,
    )


LEAVE = aegis.Action("leave")


def take(gain):
    return aegis.Action("take", signals={"gain": gain})


def corridor(count, seed=0):
    """Return steps of a world of three rooms.

    In each room one may `take` what it holds, with the reward that its signal says, or `leave`
    for the next one at a cost of 0.1; taking ends the episode, leaving the last room too.
    """
    draw = random.Random(seed)
    steps, episode = [], 0
    while len(steps) < count:
        episode += 1
        for room in range(1, 4):
            gain = draw.choice((0.0, 0.5, 1.0))
            view = View(goal="take the most", step=room, limit=3)
            candidates = (take(gain), LEAVE)
            chosen = draw.randrange(2)
            done = chosen == 0 or room == 3
            reward = gain if chosen == 0 else -0.1
            steps.append(
                step_of(
                    view, candidates, chosen, reward,
                    episode=episode, index=room, done=done, number=len(steps) + 1,
                )
            )  # fmt: skip
            if done:
                break
    return steps


def dataset(steps):
    zeros = (0.0,) * len(steps)
    return Dataset(tuple(steps), zeros, zeros)


def crowded_view(**changes):
    """Return a view with something in every section."""
    facts = {
        "goal": "Understand rank",
        "step": 4,
        "limit": 40,
        "missing": ("rank",),
        "facts": (),
        "knowledge": (Seen("1", "One"), Seen("2", "Two")),
        "found": (Seen("3", "Three"),),
        "gaps": (),
        "recent": (Recent("search a", "error"), Recent("read b", "ok", 3)),
    }
    return View(**(facts | changes))


@pytest.fixture(scope="session")
def world():
    """Return what makes steps: `step_of`, `corridor`, `crowded_view`, `dataset`, `take`, `leave`."""
    return SimpleNamespace(
        step_of=step_of,
        corridor=corridor,
        crowded_view=crowded_view,
        dataset=dataset,
        take=take,
        leave=LEAVE,
    )


@pytest.fixture
def context(tmp_path):
    """Return the function that makes what a trainer is told."""

    def make(name="result", *, validation=(), **changes):
        folder, state = tmp_path / name, tmp_path / f"{name}-state"
        folder.mkdir()
        state.mkdir(exist_ok=True)
        facts = {
            "seed": 7,
            "directory": folder,
            "state": state,
            "resume_from": None,
            "deadline": math.inf,
            "should_stop": lambda: False,
            "report": lambda _: None,
            "validation": dataset(validation),
        }
        return TrainingContext(**(facts | changes))

    return make


@pytest.fixture(scope="session")
def gym(tmp_path_factory):
    """Return the function that opens research-gym over the sample library, by split."""
    index = load_index(Path(library()), tmp_path_factory.mktemp("index"))
    return lambda split: ResearchGym(index, split=split, k=0, steps=40, failures=0.1)


@pytest.fixture(scope="session")
def practice(gym):
    """Return 1,000 steps of random practice."""
    world, draw = gym("practice"), random.Random(0)
    steps, episode = [], 0
    while len(steps) < 1000:
        episode += 1
        view, index, done = world.reset(episode), 0, False
        while not done:
            index += 1
            candidates = tuple(world.candidates(view))
            chosen = draw.randrange(len(candidates))
            after = world.step(candidates[chosen])
            done = after.done
            steps.append(
                step_of(
                    view, candidates, chosen, after.reward,
                    episode=episode, index=index, done=done, number=len(steps) + 1,
                )
            )  # fmt: skip
            view = after.view
    return steps
