"""kill -9 at random points of a real run: real ledger, real workers, the sample library."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
import traceback
from pathlib import Path

import pytest
import sqlalchemy as sa

from aegis.agent.assembly import assemble
from aegis.agent.loop import Listener
from aegis.project import load
from aegis.store import tables
from aegis.store.ledger import Ledger

STEPS = 60
KILLS = 20
TIMES = {"started", "finished", "seconds", "retrieved_at", "run", "key", "digest"}


class FixedClock:
    """Time stands still, so that nothing depends on how often a run was cut."""

    def now(self) -> str:
        return "2026-01-01T00:00:00.000000+00:00"

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def make_project(tmp_path, root):
    def make(name):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "data").mkdir()
        (folder / "data" / "library").symlink_to(root / "data" / "library")
        (folder / "aegis.toml").write_text(
            'profile = "rules"\n[agent]\ninterests = ["low-rank adaptation", "policy gradient"]\n'
        )
        return folder

    return make


def run(folder, listener=None):
    """Run the agent until the ledger holds STEPS steps."""
    project = load(folder / "aegis.toml")
    with assemble(project, listener=listener, clock=FixedClock()) as agent:
        finished = agent.ledger.last_step() - (agent.ledger.pending() is not None)
        for _ in agent.run(STEPS - finished):
            pass


def run_and_die(folder, events, delay):
    """Run in a child that is killed once `events` things have happened, after `delay` seconds."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        code = 1
        try:
            tell = lambda *_: os.write(writer, b".")  # noqa: E731 - three listeners, one act
            run(folder, Listener(decided=tell, settled=tell, committed=tell))
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    for _ in range(events):
        if not os.read(reader, 1):
            break
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(reader)
    return status


def state(folder):
    """Everything that a run leaves behind, but for times and the run's own name."""
    with Ledger.open(folder / "data" / "run", write=False) as ledger:
        steps = [
            (e.step, e.episode, e.index, e.seed, e.view, e.decision, e.outcome, e.reward, e.done)
            for e in ledger.experiences()
        ]
        rows = {}
        for table in (tables.knowledge, tables.goals, tables.gaps, tables.calls, tables.episodes):
            columns = [c for c in table.c if c.name not in TIMES]
            found = ledger.connection.execute(sa.select(*columns).order_by(*columns))
            rows[table.name] = [tuple(row) for row in found]
        return steps, rows, ledger.verify()


@pytest.mark.slow
def test_twenty_kills_leave_what_an_unkilled_run_leaves(make_project, monkeypatch):
    """No acknowledged step is lost, none doubled, and the end equals an unkilled twin's."""
    monkeypatch.setattr("secrets.token_hex", lambda _: "same")  # keys name a run's notes
    twin, victim = make_project("twin"), make_project("victim")
    run(twin)
    dice = random.Random(20)
    killed = 0
    for _ in range(KILLS):
        status = run_and_die(victim, dice.randint(1, 8), dice.choice([0, 0, 0.002, 0.01, 0.03]))
        killed += os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        ledger_file = victim / "data" / "run" / "ledger.sqlite"
        if ledger_file.exists():
            assert state(victim)[2] == []
    run(victim)
    expected, found = state(twin), state(victim)
    assert killed >= KILLS - 2
    assert found[0] == expected[0]
    assert found[1] == expected[1]
    assert found[2] == []
    assert [row[0] for row in found[0]] == list(range(1, STEPS + 1))


def test_no_worker_outlives_a_killed_agent(make_project):
    folder = make_project("orphans")
    run_and_die(folder, 6, 0.0)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        found = subprocess.run(
            ["pgrep", "-f", "aegis.agent.worker_main"], capture_output=True, text=True, check=False
        )
        mine = [pid for pid in found.stdout.split() if _project_of(pid) == str(folder)]
        if not mine:
            return
        time.sleep(0.1)
    pytest.fail(f"workers {mine} outlived their agent")


def _project_of(pid):
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return ""
