"""A stream of steps that is the same in every process, and a ledger to write it to."""

from __future__ import annotations

import pytest

from aegis.contracts.action import Action
from aegis.contracts.experience import Decision, Experience
from aegis.contracts.outcome import Outcome
from aegis.contracts.view import Recent, Seen, View
from aegis.store.ledger import Ledger

EPISODE = 5


def make_step(step: int, **changes) -> Experience:
    """Return the intent of a step; five steps an episode, views and candidates that overlap."""
    episode, index = (step - 1) // EPISODE + 1, (step - 1) % EPISODE + 1
    view = View(
        goal=f"Understand topic {episode}",
        step=index,
        limit=EPISODE,
        facts=("A fact that stays.", f"A fact of step {step}."),
        found=tuple(Seen(str(n), f"Paper {n}") for n in range(step, step + 4)),
        recent=tuple(Recent(f"search {n}", "ok", n) for n in range(max(1, step - 3), step)),
    )
    candidates = (
        Action("search_library", {}, slot="query"),
        *(Action("read", {"document": str(n)}, about=f"Paper {n}") for n in range(step, step + 4)),
    )
    decision = Decision(
        candidates=candidates,
        chosen=step % 5,
        engine_log_probabilities=(-1.5, -2.25, -0.5, -3.0, -4.0),
        behaviour_log_probabilities=(-1.25, -2.5, -0.75, -3.5, float("-inf")),
        action=candidates[0].filled(f"query {step}") if step % 5 == 0 else candidates[step % 5],
        text=f"query {step}" if step % 5 == 0 else None,
        text_log_probability=-2.5 if step % 5 == 0 else None,
        engine="rules",
        checkpoint=None,
        remarks={"segments": step % 4, "cut": step / 3} if step % 2 else {},
    )
    values = {
        "step": step,
        "run": "run-1",
        "episode": episode,
        "index": index,
        "environment": "research",
        "origin": "own",
        "seed": 100 + step,
        "generator": "1",
        "key": f"key-{step}",
        "started": f"2026-01-01T00:00:{step % 60:02d}+00:00",
        "view": view,
        "decision": decision,
        **changes,
    }
    return Experience(**values)


def write_steps(ledger: Ledger, first: int, last: int) -> None:
    """Record steps `first` to `last`, one commit a step."""
    if ledger.run("run-1") is None:
        ledger.begin_run("run-1", "rules", 7, "2026-01-01T00:00:00+00:00")
    for step in range(first, last + 1):
        experience = make_step(step)
        begin_episode_of(ledger, experience)
        ledger.intend(experience)
        settle_step(ledger, step)
        ledger.commit()


def begin_episode_of(ledger: Ledger, experience: Experience) -> None:
    if experience.index == 1 and ledger.episode(experience.episode) is None:
        ledger.begin_episode(
            experience.episode, "run-1", "research", 3, experience.view.goal, "own", experience.step
        )


def outcome_of(step: int) -> Outcome:
    return Outcome("ok", f"found {step % 3}", step % 3, 0.25, tuple(map(str, range(step % 3))))


def settle_step(ledger: Ledger, step: int) -> None:
    done = step % EPISODE == 0
    ledger.settle(step, outcome_of(step), float(step % 3) - 0.5, done, f"after step {step}")
    if done:
        ledger.finish_episode((step - 1) // EPISODE + 1)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data" / "run"


@pytest.fixture
def ledger(folder):
    with Ledger.open(folder) as opened:
        yield opened


@pytest.fixture
def steps_of():
    """The functions above, for tests (test folders are no packages)."""

    class Steps:
        make = staticmethod(make_step)
        write = staticmethod(write_steps)
        settle = staticmethod(settle_step)
        outcome = staticmethod(outcome_of)
        begin_episode = staticmethod(begin_episode_of)

    return Steps
