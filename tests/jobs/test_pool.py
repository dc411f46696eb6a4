"""Real processes whose program is written here; each job says what it does."""

from __future__ import annotations

import time
from functools import partial

import psutil
import pytest
from attrs import field, frozen

from aegis.errors import EvaluationError, InputError
from aegis.jobs import pool as pools
from aegis.jobs.pool import Piece, Pool

CHILD = """
import os, signal, time
from attrs import frozen
from aegis.errors import InputError
from aegis.jobs.child_job import carry_out

@frozen(kw_only=True)
class Job:
    name: str
    does: str
    seconds: float
    grace: float

def work(job, link):
    link.send({"begun": job.name, "pid": os.getpid()})
    if job.does == "a moment":
        time.sleep(0.2)
    while job.does == "wait" and not link.should_stop():
        time.sleep(0.01)
    if job.does == "deaf":
        time.sleep(600)
    if job.does == "die":
        os._exit(0)
    if job.does == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if job.does == "raise":
        raise ZeroDivisionError("the third layer")
    if job.does == "refuse":
        raise InputError.of("not-today", "not on a Sunday", fix="wait")
    return {"name": job.name}

carry_out(Job, work)
"""


@frozen(kw_only=True)
class Job:
    name: str
    does: str
    seconds: float = 60.0
    grace: float = 0.3


@frozen
class Played:
    """What became of the jobs of a pool."""

    begun: dict = field(factory=dict)
    ended: list = field(factory=list)
    most: list = field(factory=list)


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Carries out jobs, ``(name, what it does)``; `seen` is called after each look."""
    (tmp_path / "pool_child.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(pools, "GRACE", 0.3)

    def run(jobs, size=2, seen=lambda played, pool: None, take=None, played=None):
        played = Played() if played is None else played

        def taken(message):
            played.begun[message["begun"]] = message["pid"]
            if take is not None:
                take(message)

        with Pool(tmp_path, size, code="evaluation", error=EvaluationError) as pool:
            for name, does in jobs:
                ended = partial(played.ended.append, name)
                pool.add(
                    Piece("pool_child", Job(name=name, does=does), f"job {name}", taken, ended)
                )
            while not pool.over:
                pool.poll(0.05)
                played.most.append(len(pool._working))
                seen(played, pool)
        played.most.append(pool._folder)
        return played

    return run


def gone(played):
    """Wait until no process of the jobs is left."""
    end = time.monotonic() + 10
    while any(map(psutil.pid_exists, played.begun.values())):
        assert time.monotonic() < end, "orphans"
        time.sleep(0.02)
    return True


def test_all_jobs_are_done_so_many_at_a_time(play):
    played = play([(name, "a moment") for name in "abcd"], size=2)
    *working, folder = played.most
    assert max(working) == 2
    assert sorted(played.ended) == sorted(played.begun) == list("abcd")
    assert set(played.ended[:2]) == {"a", "b"}
    assert not folder.exists()
    assert gone(played)


@pytest.mark.parametrize(
    ("does", "error", "said"),
    [
        ("raise", EvaluationError, r"job-failed.*third layer"),
        ("refuse", InputError, r"not-today.*Sunday(.|\n)*wait"),
        ("die", EvaluationError, r"evaluation-died.*job b: its process exited with status 0"),
        ("segfault", EvaluationError, r"evaluation-died.*job b:.*SIGSEGV"),
    ],
)
def test_a_job_that_fails_ends_those_beside_it_and_is_named(play, does, error, said):
    played = Played()
    with pytest.raises(error, match=said) as raised:
        play([("a", "wait"), ("b", does), ("c", "wait")], played=played)
    assert raised.value.problems[0].fix, "something can be done"
    assert set(played.begun) <= {"a", "b"}
    assert played.ended == []
    assert gone(played)


def test_what_cannot_be_taken_ends_all(play):
    def full(_):
        raise InputError.of("unwritable", "the disk is full")

    played = Played()
    with pytest.raises(InputError, match="disk is full"):
        play([("a", "wait"), ("b", "wait")], take=full, played=played)
    assert gone(played)


def test_a_pool_that_is_stopped_begins_nothing_more_and_asks_who_works_to_end(play):
    def stop(played, pool):
        if len(played.begun) == 2:
            pool.stop()
            assert pool.stopping

    began = time.monotonic()
    played = play([("a", "wait"), ("b", "deaf"), ("c", "wait")], seen=stop)
    assert set(played.begun) == {"a", "b"}
    assert played.ended == [], "they did not end by themselves"
    assert time.monotonic() - began < 8
    assert gone(played)


def test_who_does_not_end_when_asked_is_killed_after_the_grace(play):
    def stop(played, pool):
        if played.begun:
            pool.stop()

    assert gone(play([("a", "deaf")], seen=stop))


def test_a_process_that_takes_too_much_memory_is_ended_with_advice(play, monkeypatch):
    monkeypatch.setattr(pools, "_SHARE", 1e-9)
    with pytest.raises(EvaluationError, match="evaluation-memory") as raised:
        play([("a", "wait")])
    assert raised.value.problems[0].fix == "take fewer --jobs"


def test_nothing_to_do_is_over_at_once(play):
    assert play([]).most[:-1] == []
