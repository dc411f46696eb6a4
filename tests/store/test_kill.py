"""kill -9 while steps are written: what was acknowledged is there, once, and the chain holds."""

from __future__ import annotations

import os
import random
import signal

import pytest

from aegis.store.ledger import Ledger


def write_until_killed(folder, steps_of, acknowledge, *, planted_bug=False):
    """Go on where the ledger stops, as the loop does, and acknowledge each commit."""
    with Ledger.open(folder) as ledger:
        if ledger.run("run-1") is None:
            ledger.begin_run("run-1", "rules", 7, "2026-01-01T00:00:00+00:00")
        pending = ledger.pending()
        if pending is not None:
            steps_of.settle(ledger, pending.step)
        while True:
            step = ledger.last_step() + 1
            experience = steps_of.make(step)
            steps_of.begin_episode(ledger, experience)
            ledger.intend(experience)
            if not planted_bug or step % 50 == 0:
                ledger.commit()
            os.write(acknowledge, step.to_bytes(4, "big"))
            steps_of.settle(ledger, step)


def run_and_kill(folder, steps_of, after, **bug):
    """Fork a writer, kill it once `after` commits were acknowledged; return the last of them."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        try:
            write_until_killed(folder, steps_of, write, **bug)
        finally:
            os._exit(1)
    os.close(write)
    acknowledged = 0
    for _ in range(after):
        said = os.read(read, 4)
        if len(said) < 4:
            break
        acknowledged = int.from_bytes(said, "big")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    while len(said := os.read(read, 4)) == 4:
        acknowledged = int.from_bytes(said, "big")
    os.close(read)
    return acknowledged


def test_twenty_kills_lose_nothing_and_double_nothing(folder, tmp_path, steps_of):
    chance = random.Random(11)
    for _ in range(20):
        acknowledged = run_and_kill(folder, steps_of, chance.randrange(1, 12))
        with Ledger.open(folder) as ledger:
            assert ledger.last_step() >= acknowledged > 0
            assert ledger.verify() == []
            steps = [e.step for e in ledger.experiences()]
            assert steps == list(range(1, ledger.last_step()))
            assert ledger.pending() == steps_of.make(ledger.last_step())
    with Ledger.open(folder) as ledger:
        steps_of.settle(ledger, ledger.last_step())
        ledger.commit()
        last = ledger.last_step()
        killed = rows_of(ledger)
    with Ledger.open(tmp_path / "twin") as twin:
        steps_of.write(twin, 1, last)
        assert rows_of(twin) == killed


def rows_of(ledger):
    run = ledger.connection.exec_driver_sql
    return [
        run(f"SELECT * FROM {table} ORDER BY 1").all() for table in ("runs", "episodes", "steps")
    ]


def test_the_harness_sees_a_writer_that_acknowledges_before_it_commits(folder, steps_of):
    acknowledged = run_and_kill(folder, steps_of, 7, planted_bug=True)
    with Ledger.open(folder) as ledger:
        assert ledger.last_step() < acknowledged


@pytest.mark.parametrize("kills", [8])
def test_a_kill_while_the_database_is_made_leaves_one_that_opens(tmp_path, kills):
    for number in range(kills):
        folder = tmp_path / str(number)
        pid = os.fork()
        if pid == 0:
            try:
                Ledger.open(folder)
            finally:
                os._exit(0)
        signal.sigtimedwait([signal.SIGCHLD], 0.002 * number)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with Ledger.open(folder) as ledger:
            assert ledger.verify() == []
