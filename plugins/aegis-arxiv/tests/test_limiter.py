from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_arxiv.failure import NoAnswerError
from aegis_arxiv.limiter import INTERVAL, Limiter
from aegis_arxiv.loopback import library, serve
from aegis_arxiv.state import StateFile

HOUR = 3600.0
BROKEN = NoAnswerError("h broke the connection")
AWAY = NoAnswerError("h is unreachable", "unreachable")
BUSY = NoAnswerError("h answered with HTTP 429", "refused")


@pytest.fixture
def file(tmp_path) -> StateFile:
    return StateFile(tmp_path)


@pytest.fixture
def limiter(file, clock) -> Limiter:
    return Limiter(file, clock=clock)


def test_arxiv_wants_three_seconds():
    assert INTERVAL == 3.0


def test_a_new_limiter_lets_go_at_once(limiter):
    assert limiter.peek() is None
    assert limiter.acquire(10.0) is None


def test_three_seconds_pass_between_the_end_of_a_request_and_the_next(limiter, clock):
    assert limiter.acquire(10.0) is None
    clock.advance(1.5)
    assert limiter.release(None) == 3.0
    clock.advance(2.0)
    wait = limiter.acquire(10.0)
    assert wait is not None
    assert wait.seconds == pytest.approx(1.0)
    assert wait.reason == "waits for arXiv's limit of one request in 3 s"
    assert not wait.unreachable
    clock.advance(0.999)
    assert limiter.peek() is not None
    clock.advance(0.001)
    assert limiter.peek() is None
    assert limiter.acquire(10.0) is None


def test_a_refused_start_does_not_count_as_a_request(limiter, clock):
    limiter.acquire(10.0)
    limiter.release(None)
    for _ in range(5):
        clock.advance(0.5)
        assert limiter.acquire(10.0) is not None
    clock.advance(0.5)
    assert limiter.acquire(10.0) is None


def test_one_request_at_a_time(file, limiter, clock):
    other = Limiter(file, clock=clock)
    assert limiter.acquire(10.0) is None
    clock.advance(5.0)
    wait = other.acquire(10.0)
    assert wait is not None
    assert wait.seconds == pytest.approx(5.0)
    limiter.release(None)
    clock.advance(3.0)
    assert other.acquire(10.0) is None


def test_a_process_that_died_in_a_request_holds_the_others_no_longer_than_that(
    file, limiter, clock
):
    assert limiter.acquire(10.0) is None  # and never releases
    clock.advance(10.0)
    assert Limiter(file, clock=clock).acquire(10.0) is None


def test_pauses_double_while_it_fails_and_end_with_an_answer(limiter, clock):
    pauses = []
    for _ in range(14):
        assert limiter.acquire(10.0) is None
        pauses.append(limiter.release(BROKEN))
        clock.advance(pauses[-1])
    assert pauses[:4] == [3.0, 6.0, 12.0, 24.0]
    assert pauses[-1] == HOUR
    assert limiter.acquire(10.0) is None
    assert limiter.release(None) == 3.0
    clock.advance(3.0)
    limiter.acquire(10.0)
    assert limiter.release(BROKEN) == 3.0


@pytest.mark.parametrize("error", [AWAY, BUSY])
def test_what_will_not_pass_in_seconds_pauses_a_minute_first(limiter, clock, error):
    limiter.acquire(10.0)
    assert limiter.release(error) == 60.0
    clock.advance(59.0)
    wait = limiter.peek()
    assert wait is not None
    assert wait.seconds == pytest.approx(1.0)
    assert wait.reason == error.message
    assert wait.unreachable == (error is AWAY)
    clock.advance(1.0)
    assert limiter.acquire(10.0) is None
    assert limiter.release(error) == 120.0


@pytest.mark.parametrize(
    ("asked", "kept"), [(17.0, 17.0), (0.0, 3.0), (5 * HOUR, 5 * HOUR), (1e9, 24 * HOUR)]
)
def test_the_pause_that_the_server_asks_for_is_kept(limiter, clock, asked, kept):
    limiter.acquire(10.0)
    assert limiter.release(NoAnswerError("m", "refused", retry_after=asked)) == kept
    clock.advance(kept - 0.001)
    assert limiter.acquire(10.0) is not None
    clock.advance(0.001)
    assert limiter.acquire(10.0) is None


def test_a_wrong_question_is_an_answer_of_a_server_that_works(limiter, clock):
    limiter.acquire(10.0)
    limiter.release(AWAY)
    clock.advance(60.0)
    limiter.acquire(10.0)
    assert limiter.release(NoAnswerError("m", "question")) == 3.0
    clock.advance(3.0)
    limiter.acquire(10.0)
    assert limiter.release(AWAY) == 60.0


def test_another_process_learns_of_a_pause_and_so_does_the_next_run(file, limiter, clock):
    limiter.acquire(10.0)
    limiter.release(AWAY)
    wait = Limiter(file, clock=clock).peek()
    assert wait is not None
    assert (wait.seconds, wait.reason, wait.unreachable) == (60.0, "h is unreachable", True)


def test_a_deleted_file_does_not_free_the_process_that_asked(file, limiter, clock):
    limiter.acquire(10.0)
    limiter.release(None)
    file.path.unlink()
    clock.advance(1.0)
    assert limiter.acquire(10.0) is not None


@settings(max_examples=50)
@given(jump=st.one_of(st.integers(-(10**19), -(10**14)), st.integers(10**14, 10**19)))
def test_times_of_another_start_of_the_machine_hold_nobody_for_long(tmp_path_factory, jump):
    now = [10**20]
    file = StateFile(tmp_path_factory.mktemp("state"))
    limiter = Limiter(file, clock=lambda: now[0] % (1 << 62))
    limiter.acquire(10.0)
    limiter.release(AWAY)
    before = now[0] % (1 << 62)
    now[0] = max(1, min(before + jump, (1 << 62) - 1))
    fresh = Limiter(file, clock=lambda: now[0])
    wait = fresh.peek()
    assert wait is None or wait.seconds <= 24 * HOUR


def test_a_clock_that_starts_again_does_not_stop_the_tool(file, limiter, clock):
    clock.seconds = 1e9
    limiter.acquire(10.0)
    limiter.release(None)
    clock.seconds = 60.0  # a minute after the machine was started again
    assert Limiter(file, clock=clock).acquire(10.0) is None


PROCESS = """
import sys, time
from pathlib import Path
from aegis import ToolContext
from aegis_arxiv.settings import ArxivSettings
from aegis_arxiv.tool import SearchArxiv

url, folder, name = sys.argv[1:]
tool = SearchArxiv(ArxivSettings(base_url=url, timeout=5.0), Path(folder), interval=0.15)
answered = denied = 0
while answered < 4:
    context = ToolContext("k", time.monotonic() + 10, Path(folder))
    result = tool.call({"query": f"{name} {answered}"}, context)
    if result.status == "denied":
        denied += 1
        time.sleep(0.01)
    else:
        assert result.status == "empty", result
        answered += 1
print(denied)
"""


def test_processes_that_share_a_folder_keep_one_limit(tmp_path):
    with serve(library([])) as server:
        command = [sys.executable, "-c", PROCESS, server.url, str(tmp_path)]
        running = [
            subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True)
            for name in ("one", "two", "three")
        ]
        denied = [int(process.communicate(timeout=50)[0]) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(server.asked) == 12
    assert all(count > 0 for count in denied)  # each came too early at least once
    moments = sorted(asked.moment for asked in server.asked)
    gaps = [after - before for before, after in pairwise(moments)]
    assert min(gaps) >= 0.15
    assert all(asked.beside == 0 for asked in server.asked)


def test_nothing_sleeps(limiter, monkeypatch: pytest.MonkeyPatch):
    def slept(_: float) -> None:
        raise AssertionError("the limiter waits")

    monkeypatch.setattr(time, "sleep", slept)
    for _ in range(3):
        limiter.acquire(10.0)
    limiter.release(None)
