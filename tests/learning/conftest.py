"""A ledger with experience of several origins, and ways to read what is in it."""

from __future__ import annotations

import json

import pytest
from attrs import evolve

from aegis.contracts.action import Action
from aegis.contracts.experience import Decision, Experience
from aegis.contracts.outcome import Outcome
from aegis.contracts.view import Recent, Seen, View
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
