"""Tools are called in processes of their own, and nothing that they do stops the agent."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from aegis.agent.worker import Workers
from aegis.contracts.component import Runtime
from aegis.contracts.outcome import Document
from aegis.errors import ToolError
from aegis.host.composition import Chosen
from aegis.host.manager import Host

HERE = Path(__file__).parent
BAD = str(HERE / "bad_tools.py")


def equipped(plugins, project):
    host = Host.load(plugins, project, builtins=())
    tools = [Chosen(f"tool.{p.component.name}", p, None, "test") for p in host.components("tool")]
    return SimpleNamespace(tools=tools)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def workers(folder):
    runtime = Runtime(project=folder, data=folder / "cache", offline=True)
    with Workers(equipped([BAD], folder), runtime) as made:
        assert made.ready() == {}
        yield made


def still_answers(workers):
    result = workers.call("echo", {"n": 1}, key="k")
    assert result.status == "ok", result.message
    return result


def alive(pid):
    """Return whether a process runs; one that is dead and not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_a_call_gets_arguments_documents_key_and_cache(workers):
    document = Document("library", "lora", "LoRA", "text")
    result = workers.call(
        "echo", {"b": [1, "é\ud800"], "a": None}, key="run-1", documents={"7": document}
    )
    assert result.status == "ok", result.message
    assert result.message.startswith("[('a', None), ('b', [1, ")
    assert result.message.endswith("('LoRA',) run-1 True True")


def test_a_call_takes_little_once_the_worker_runs(workers):
    pid = workers.pids()
    for _ in range(50):
        still_answers(workers)
    assert workers.pids() == pid, "one long-lived process"


@pytest.mark.parametrize("tool", ["hang", "hang_in_c"])
def test_a_tool_that_hangs_is_killed_at_its_deadline(workers, tool):
    still_answers(workers)
    (before,) = workers.pids().values()
    began = time.monotonic()
    result = workers.call(tool, {}, key="k")
    assert time.monotonic() - began < 5
    assert result.status == "timeout"
    assert result.message == f"{tool} did not answer within 0.5 s"
    assert not alive(before)
    still_answers(workers)


def test_what_a_tool_raises_is_the_message(workers):
    result = workers.call("raises", {}, key="k")
    assert result.status == "error"
    assert result.message == "ValueError: boom \ufffd \ufffd here and there"
    assert "bad_tools.py" in workers.output(BAD) or workers.pids(), (
        "the trace is printed for people"
    )


def test_system_exit_ends_the_call_and_not_the_worker(workers):
    still_answers(workers)
    before = workers.pids()
    result = workers.call("system_exit", {}, key="k")
    assert (result.status, result.message) == ("error", "SystemExit: 3")
    assert workers.pids() == before


@pytest.mark.parametrize(
    ("tool", "how"),
    [
        ("hard_exit", "exited with status 7"),
        ("segfault", "exited with signal 11 (SIGSEGV)"),
        ("forks_and_exits", "exited with status 0"),
    ],
)
def test_a_worker_that_dies_is_an_error_and_restarts(workers, tool, how):
    began = time.monotonic()
    result = workers.call(tool, {}, key="k")
    assert time.monotonic() - began < 10
    assert result.status == "error"
    assert result.message == f'worker of plugin "{BAD}" {how}'
    still_answers(workers)


def test_the_end_of_what_a_dead_worker_printed_is_kept(workers):
    workers.call("segfault", {}, key="k")
    assert "Segmentation fault" in workers.output(BAD)


def test_a_huge_answer_is_cut_in_the_worker(workers):
    result = workers.call("huge", {}, key="k")
    assert result.status == "partial"
    assert "cut" in result.message
    assert 900_000 < len(result.documents[0].text) <= 1 << 20
    assert result.documents[0].title == "T"
    still_answers(workers)


@pytest.mark.parametrize(
    ("tool", "said"),
    [("flood", "answered more than 1088 KiB"), ("forge", "did not keep to the protocol")],
)
def test_bytes_on_the_workers_own_pipe_break_the_protocol_and_not_the_agent(workers, tool, said):
    result = workers.call(tool, {}, key="k")
    assert result.status == "error"
    assert said in result.message
    still_answers(workers)


def test_bytes_that_are_no_utf8_are_replaced(workers):
    result = workers.call("not_utf8", {}, key="k")
    assert result.status == "ok", result.message
    assert result.documents[0].text == "caf\ufffd"


def test_lone_surrogates_and_controls_are_replaced(workers):
    (one,) = workers.call("surrogates", {}, key="k").documents
    assert (one.title, one.text) == ("a\ufffdb", "\ufffd")
    (two,) = workers.call("nul", {}, key="k").documents
    assert (two.title, two.text) == ("line one", "a\ufffdb")


@pytest.mark.parametrize("tool", ["nan", "wrong_type", "wrong_shape"])
def test_what_is_no_result_is_an_error_that_says_what_is_wrong(workers, tool):
    result = workers.call(tool, {}, key="k")
    assert result.status == "error"
    said = {"nan": "retry_after", "wrong_type": "returned dict", "wrong_shape": "status"}[tool]
    assert said in result.message
    assert result.documents == ()


def test_what_a_tool_prints_is_no_answer(workers):
    result = workers.call("prints", {}, key="k")
    assert (result.status, result.message) == ("ok", "printed")


def test_a_forked_child_that_keeps_the_pipe_open_holds_nothing_up(workers):
    began = time.monotonic()
    result = workers.call("forks", {}, key="k")
    assert time.monotonic() - began < 5
    assert result.status == "ok", result.message
    (pid,) = workers.pids().values()
    assert result.message == str(pid), "the worker answered, not its child"
    assert len(group(pid)) == 2
    workers.call("hard_exit", {}, key="k")
    assert wait_until(lambda: not group(pid)), "what a worker started ends with it"


def test_a_forked_copy_that_returns_does_not_answer_too(workers):
    still_answers(workers)
    (pid,) = workers.pids().values()
    assert workers.call("fork_answers", {}, key="k").message == str(pid)
    for _ in range(3):
        still_answers(workers)
    assert wait_until(lambda: group(pid) == [pid])


def group(leader):
    """Return the living processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) == leader and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return found


def test_waiting_can_be_divided_and_ended_early(workers):
    pending = workers.submit("slow", {}, key="k")
    assert pending.wait(0.01) is None
    with pytest.raises(ToolError, match="has a call to finish"):
        workers.submit("echo", {}, key="k")
    assert pending.wait().message == "True"
    assert pending.cancel("late").status == "ok", "an answer stays"
    pending = workers.submit("slow", {}, key="k")
    result = pending.cancel("the agent stops")
    assert (result.status, result.message) == ("timeout", "ended early: the agent stops")
    still_answers(workers)


def test_a_hurried_call_ends_soon(workers):
    still_answers(workers)
    pending = workers.submit("hang_in_c", {}, key="k")
    pending.wait(0.05)
    workers.hurry(0.1)
    assert pending.wait(5).status == "timeout"


def test_a_signal_in_the_agent_does_not_lose_the_call(workers):
    still_answers(workers)
    pending = workers.submit("slow", {}, key="k")

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            pending.wait()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert pending.wait().status == "ok"


def test_an_interrupt_at_the_terminal_does_not_reach_a_worker(workers):
    still_answers(workers)
    (pid,) = workers.pids().values()
    assert os.getpgid(pid) == pid
    assert os.getsid(pid) == pid
    os.kill(pid, signal.SIGINT)
    still_answers(workers)
    assert list(workers.pids().values()) == [pid]


def test_a_worker_that_died_while_idle_is_replaced_unseen(workers):
    still_answers(workers)
    (pid,) = workers.pids().values()
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    still_answers(workers)
    assert list(workers.pids().values()) != [pid]


def test_a_tool_that_is_not_active_is_a_mistake_of_the_caller(workers):
    with pytest.raises(ToolError, match='no active tool is called "nothing"'):
        workers.call("nothing", {}, key="k")
    with pytest.raises(ToolError, match="no JSON form"):
        workers.call("echo", {"x": float("nan")}, key="k")


# ------------------------------------------------------------------ starting and ending


def test_workers_start_at_once_and_each_for_itself(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(
            textwrap.dedent(f"""
            import os, time
            import aegis
            if os.environ.get("BROKEN") == "{name}":
                raise ImportError("no such thing")

            @aegis.tool
            def {name}(word: str = "x") -> str:
                "Say a word."
                return f"{name} {{word}} {{os.getpid()}}"
            """)
        )
    host = equipped(["./one.py", "./two.py"], tmp_path)
    runtime = Runtime(project=tmp_path, data=tmp_path / "cache")
    with Workers(host, runtime) as both:
        assert set(both.pids()) == {"./one.py", "./two.py"}
        pending = [both.submit(name, {"word": "é"}, key="k") for name in ("one", "two")]
        titles = [each.wait().documents[0].title.split() for each in pending]
        assert [title[:2] for title in titles] == [["one", "é"], ["two", "é"]]
        assert {int(title[2]) for title in titles} == set(both.pids().values())
        pids = list(both.pids().values())
    assert not any(map(alive, pids))
    os.environ["BROKEN"] = "two"
    try:
        with Workers(host, runtime) as both:
            (trouble,) = both.ready().items()
            assert trouble[0] == "./two.py"
            assert "ImportError: no such thing" in trouble[1]
            result = both.call("two", {}, key="k")
            assert result.status == "error"
            assert "could not start" in result.message
            assert "ImportError: no such thing" in result.message
            assert both.call("one", {}, key="k").status == "ok"
    finally:
        del os.environ["BROKEN"]


def test_a_plugin_that_never_loads_is_given_up(tmp_path):
    (tmp_path / "sleeps.py").write_text(
        textwrap.dedent("""
        import os, time
        import aegis
        if os.getpid() != int(os.environ["AGENT"]):
            time.sleep(600)

        @aegis.tool
        def sleepy() -> str:
            "Do nothing."
            return "x"
        """)
    )
    os.environ["AGENT"] = str(os.getpid())
    try:
        found = equipped(["./sleeps.py"], tmp_path)
        runtime = Runtime(project=tmp_path, data=tmp_path)
        with Workers(found, runtime, start_limit=1.0) as made:
            result = made.call("sleepy", {}, key="k")
            assert result.status == "error"
            assert "did not load the plugin within 1 s" in result.message
            assert made.pids() == {}
    finally:
        del os.environ["AGENT"]


AGENT = """
import json, sys, os
from pathlib import Path
from types import SimpleNamespace
from aegis.agent.worker import Workers
from aegis.contracts.component import Runtime
from aegis.host.composition import Chosen
from aegis.host.manager import Host

plugin, project, tool = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
host = Host.load([plugin], project, builtins=())
tools = [Chosen(f"tool.{p.component.name}", p, None, "") for p in host.components("tool")]
workers = Workers(SimpleNamespace(tools=tools), Runtime(project=project, data=project / "cache"))
workers.start()
workers.ready()
if tool != "-":
    if tool == "forks":
        workers.call(tool, {}, key="k")
        tool = "slow_forever"
    else:
        pending = workers.submit(tool, {}, key="k")
        pending.wait(0.2)
print(json.dumps(list(workers.pids().values())), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("tool", ["-", "hang", "forks"])
def test_nothing_is_left_when_the_agent_is_killed(tmp_path, tool):
    agent = subprocess.Popen(
        [sys.executable, "-c", AGENT, BAD, str(tmp_path), tool],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with agent:
        (pid,) = json.loads(agent.stdout.readline())
        assert group(pid)
        agent.kill()
    assert wait_until(lambda: not group(pid), 5)


def test_nothing_is_left_when_the_agent_leaves_without_a_word(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", AGENT, BAD, str(tmp_path), "forks"],
        input=b"", stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    (pid,) = json.loads(done.stdout)
    assert wait_until(lambda: not group(pid), 5)
