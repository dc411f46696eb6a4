"""A ledger with experience of several origins, and ways to read what is in it."""

from __future__ import annotations

import json

import pytest
from attrs import evolve

from aegis.builtin._engines.rules import RulesEngine
from aegis.contracts.action import Action
from aegis.contracts.experience import Decision, Experience
from aegis.contracts.outcome import Outcome
from aegis.contracts.view import Recent, Seen, View
from aegis.evaluation.gym.cache import load_index
from aegis.evaluation.gym.environment import ResearchGym
from aegis.exploration import Exploration, sample, step_rng
from aegis.store.ledger import Ledger

KINDS = {1: ("own", "research"), 2: ("practice", "research-gym"), 3: ("teacher", "research-gym")}


def write_experience(ledger, count=18, run="run-a", key="k", start=1):
    """Record steps in three episodes whose steps alternate; -inf, texts, plans, odd characters."""
    ledger.begin_run(run, "gpt2-lora", 7, f"2026-01-0{start}T00:00:00+00:00")
    first = ledger.next_episode()
    for offset in range(count):
        episode, index = offset % 3, offset // 3 + 1
        step = ledger.last_step() + 1
        origin, environment = KINDS[episode + 1]
        goal = f"Understand “topic” {episode} \u2028 | \\ naïve"
        if index == 1:
            ledger.begin_episode(
                first + episode, run, environment, 40 + episode, goal, origin, step
            )
        candidates = (
            Action("search_library", {}, slot="query", signals={"rank": -offset}),
            Action(
                "read",
                {"document": str(offset), "deep": [1, 2.5, None, {"a": True}]},
                about="half \ud800",
            ),
        )
        chosen = offset % 2
        decision = Decision(
            candidates=candidates,
            chosen=chosen,
            engine_log_probabilities=(-0.1 * (offset + 1), float("-inf")),
            behaviour_log_probabilities=(-1 / 3, -1e-7),
            action=candidates[chosen] if chosen else candidates[0].filled("was ist é\x7f?"),
            text=None if chosen else "was ist é\x7f?",
            text_log_probability=None if chosen else -1 / 7,
            plan="read, then search" if chosen else None,
            plan_log_probability=float("-inf") if chosen else None,
            engine="gpt2",
            checkpoint="sha256:abc" if episode else None,
            remarks={"segments": offset, "cut": 1 / 3} if chosen else {},
        )
        experience = Experience(
            step=step, run=run, episode=first + episode, index=index, environment=environment,
            origin=origin, seed=2**62 + offset, generator="3", key=f"{key}-{step}",
            started=f"2026-01-01T00:00:{step % 60:02d}.000001+00:00",
            view=View(goal, index, 6, found=(Seen("x1", "Paper | one"),), recent=(Recent("a", "ok", index),)),
            decision=decision, outcome=Outcome("ok", "fine", offset % 3, 1 / 3, ("x1",)),
            reward=offset / 7, done=index == count // 3,
        )  # fmt: skip
        ledger.record(experience, f"after {step}")
    for episode in range(3):
        ledger.finish_episode(first + episode)
    ledger.commit()


def all_rows(ledger, *tables):
    run = ledger.connection.exec_driver_sql
    return [
        run(f"SELECT * FROM {table} ORDER BY 1").all()
        for table in tables or ("runs", "episodes", "steps")
    ]


@pytest.fixture
def open_ledger(tmp_path):
    """Opens ledgers by name; they are closed at the end."""
    opened = {}

    def open_(name="ledger"):
        if name not in opened:
            opened[name] = Ledger.open(tmp_path / name)
        return opened[name]

    yield open_
    for ledger in opened.values():
        ledger.close()


@pytest.fixture
def recorder():
    """The functions above, for tests (test folders are no packages)."""

    class Recorder:
        write = staticmethod(write_experience)
        rows = staticmethod(all_rows)

    return Recorder


@pytest.fixture
def old_file(tmp_path):
    """Writes a file of the old system: the examples, or any document."""

    def write(examples=None, document=None, name="old.json"):
        path = tmp_path / name
        path.write_text(json.dumps({"examples": examples} if document is None else document))
        return path

    return write


EXAMPLE = {
    "state": {
        "active_goals": ["Understand routing", "Explore search"],
        "goal_types": ["understanding", "exploration"],
        "goal_count": 2,
        "curiosity_count": 3,
        "top_curiosity": ["routing:when does gating collapse"],
        "knowledge_count": 1,
        "recent_knowledge": ["Title: routing"],
        "recent_actions": [],
        "questions_asked": 3,
        "iteration": 1,
    },
    "action": {"action": "web_search", "query": "gating collapse", "reasoning": "QUERY"},
    "result": {"status": "completed", "result": "Found and integrated 5 knowledge items"},
    "timestamp": "2026-03-02T09:15:28.000317",
    "example_id": 0,
}


@pytest.fixture
def example():
    """Makes an example of the old system; parts are replaced, or left out where None is given."""

    def make(number=0, *, without=(), **parts):
        made = json.loads(json.dumps({**EXAMPLE, "example_id": number}))
        made["state"]["iteration"] = number + 1
        for name, value in parts.items():
            made[name] = (
                {**made[name], **value} if isinstance(value, dict) and name == "state" else value
            )
        for path in without:
            table, _, key = path.rpartition(".")
            del (made[table] if table else made)[key]
        return made

    return make


@pytest.fixture
def later():
    """Returns an experience with other fields (attrs.evolve), for tests."""
    return evolve


def make_step(number=1, *, episode=1, index=1, chosen=0, candidates=("read", "search"), **more):
    """Return a settled step; candidates are names of tools, or actions."""
    offered = tuple(
        one if isinstance(one, Action) else Action(one, {"document": str(place)})
        for place, one in enumerate(candidates)
    )
    text = more.pop("text", None)
    action = offered[chosen] if offered and chosen is not None else None
    if action is not None and action.slot and text is not None:
        action = action.filled(text)
    environment, goal = more.pop("environment", "research"), more.pop("goal", f"goal {episode}")
    decision = Decision(
        candidates=offered,
        chosen=chosen if offered else None,
        engine_log_probabilities=(-1.0,) * len(offered),
        behaviour_log_probabilities=(-1.0,) * len(offered),
        action=more.pop("action", action),
        text=text,
        engine="rules",
    )
    values = {
        "run": "r", "environment": environment, "origin": "own", "seed": 0, "generator": "1",
        "key": f"k-{number}", "started": "2026-01-01T00:00:00+00:00",
        "view": View(goal, index, 40), "decision": decision, "outcome": Outcome("ok"),
        "reward": 0.0, "done": False,
    }  # fmt: skip
    return Experience(step=number, episode=episode, index=index, **{**values, **more})


def make_episodes(rewards, first=1, **more):
    """Return the steps of one episode for each list of rewards; each has its own goal."""
    made, number = [], first
    for episode, earned in enumerate(rewards, start=more.pop("episode", 1)):
        for index, reward in enumerate(earned, start=1):
            done = index == len(earned)
            step = make_step(
                number, episode=episode, index=index, chosen=number % 2, reward=reward, done=done,
                **more,
            )  # fmt: skip
            made.append(step)
            number += 1
    return made


@pytest.fixture
def make():
    """Makes single steps and whole episodes."""

    class Make:
        step = staticmethod(make_step)
        episodes = staticmethod(make_episodes)

    return Make


def play_gym(folder, library, episodes):
    """Record episodes of the rules engine in the gym over a library."""
    gym = ResearchGym(load_index(library))
    engine, exploration = RulesEngine(), Exploration(0.05, 1.0)
    with Ledger.open(folder) as ledger:
        ledger.begin_run("gym", "rules", 0, "2026-01-01T00:00:00+00:00")
        step = 0
        for episode in range(1, episodes + 1):
            view, index, done = gym.reset(episode), 0, False
            ledger.begin_episode(
                episode, "gym", "research-gym", episode, view.goal, "practice", step + 1
            )
            while not done:
                step, index = step + 1, index + 1
                offered = tuple(gym.candidates(view))
                scores = engine.score(view, offered)
                behaviour = exploration.behaviour(scores)
                chosen = sample(behaviour, step_rng(0, step))
                result = gym.step(offered[chosen])
                decision = Decision(
                    offered, chosen, tuple(map(float, scores)), tuple(map(float, behaviour)),
                    offered[chosen], engine="rules",
                )  # fmt: skip
                experience = Experience(
                    step=step, run="gym", episode=episode, index=index,
                    environment="research-gym", origin="practice", seed=episode, generator="1",
                    key=f"gym-{step}", started="2026-01-01T00:00:00+00:00", view=view,
                    decision=decision, outcome=result.outcome, reward=result.reward,
                    done=result.done,
                )  # fmt: skip
                ledger.record(experience, "2026-01-01T00:00:00+00:00")
                view, done = result.view, result.done
            ledger.finish_episode(episode)
        ledger.commit()


@pytest.fixture(scope="session")
def gym_steps(root, tmp_path_factory):
    """What 60 episodes of the rules engine in the gym over the sample library recorded."""
    folder = tmp_path_factory.mktemp("gym")
    play_gym(folder, root / "data" / "library", 60)
    with Ledger.open(folder, write=False) as ledger:
        return tuple(ledger.experiences())


@pytest.fixture(scope="session")
def old_data(shared):
    """The old system's file of 1,867 real decisions."""
    return shared / "aegis-v1" / "hrm_training_data.react.json"
