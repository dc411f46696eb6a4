"""One process owns a run's folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from aegis.errors import StoreError
from aegis.store.lock import LOCK_FILE, PID_FILE, RunLock

HOLDER = """
import sys, time
from pathlib import Path
from aegis.store.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_process_is_refused_at_once_and_told_who_holds_it(folder, holder):
    with pytest.raises(StoreError) as caught:
        RunLock(folder).acquire()
    problem = caught.value.problems[0]
    assert problem.code == "locked"
    assert f"process {holder.pid} " in problem.message
    assert "aegis status" in problem.fix


def test_a_killed_holder_leaves_the_folder_free(folder, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (folder / PID_FILE).read_text() == str(holder.pid)
    with RunLock(folder) as lock:
        assert lock.held
        assert lock.holder() == os.getpid()


def test_a_left_over_process_id_is_not_named(folder, holder):
    """The file still names the killed holder; the new one has not written its own yet."""
    from filelock import FileLock

    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with FileLock(folder / LOCK_FILE), pytest.raises(StoreError, match="another process"):
        RunLock(folder).acquire()


def test_a_released_lock_can_be_taken_again(folder):
    for _ in range(2):
        with RunLock(folder) as lock:
            assert lock.held
        assert not lock.held
        assert not (folder / PID_FILE).exists()
    lock.release()


def test_the_same_process_cannot_take_it_twice(folder):
    with RunLock(folder), pytest.raises(StoreError, match=f"process {os.getpid()} "):
        RunLock(folder).acquire()


@pytest.mark.parametrize("content", ["", "no number", "-1", "0", "99999999999999999999"])
def test_a_damaged_process_id_file_names_nobody(folder, content):
    folder.mkdir(parents=True)
    (folder / PID_FILE).write_text(content)
    assert RunLock(folder).holder() is None


def test_of_many_that_start_at_once_one_wins_and_the_others_name_it(folder):
    """Forked children race for the lock; each reports what it got."""
    outcomes = []
    start_read, start_write = os.pipe()
    ends = []
    for _ in range(20):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(start_write)
            os.read(start_read, 1)
            try:
                held = RunLock(folder).acquire()
                os.write(write, b"won")
                time.sleep(60)
                held.release()
            except StoreError as error:
                os.write(write, error.problems[0].message.encode())
            os._exit(0)
        os.close(write)
        ends.append((pid, read))
    os.close(start_read)
    os.close(start_write)
    for pid, read in ends:
        outcomes.append((pid, os.read(read, 1000).decode()))
        os.close(read)
    winners = [pid for pid, said in outcomes if said == "won"]
    for pid, _ in ends:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert len(winners) == 1
    assert all(said.startswith(f"process {winners[0]} ") for _, said in outcomes if said != "won")
