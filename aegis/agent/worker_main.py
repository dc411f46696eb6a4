"""The worker process: loads one plugin, builds its tools, and answers calls.

Started by `aegis.agent.worker` as ``python -m aegis.agent.worker_main``. The first line of its
input is its job; every further line is a call. Answers go to the pipe that was its standard
output; whatever a tool prints goes to standard error instead and cannot forge an answer.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from aegis.host.child import answer, end_group, private_pipes, watch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aegis.contracts.component import Runtime
    from aegis.contracts.roles import Tool, ToolContext

_GRACE: Final = 0.5
"""Seconds that a worker has to end by itself once the agent is gone; an idle one sees the end of
its input and is gone at once."""

_OVERTIME: Final = 5.0
"""Seconds after its deadline at which a call is ended by the kernel, agent or no agent: a tool
that never lets other threads run cannot be ended by this process's own watch."""


def main() -> None:
    """Load the job's plugin and answer calls until the agent hangs up."""
    calls, answers = private_pipes()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    threading.Thread(target=watch, args=(calls.fileno(), _GRACE), daemon=True).start()
    line = calls.readline()
    if not line:
        return
    job = json.loads(line)
    sys.path[:] = job["path"]
    try:
        tools = load_tools(job)
        runtime = _runtime(job["runtime"])
    except BaseException as error:  # noqa: BLE001 - whatever a plugin raises at import, the agent is told
        traceback.print_exc()
        answer(answers, {"unusable": _said(error)})
        return
    answer(answers, {"ready": {name: tool.spec.timeout for name, tool in tools.items()}})
    _serve(calls, answers, tools, runtime)
    end_group()  # the agent has hung up or is gone: nothing that a tool has started stays


def load_tools(job: Mapping[str, Any]) -> dict[str, Tool]:
    """Load the plugins of a job, and no others, and return its tools by name."""
    from aegis.host.building import build
    from aegis.host.seat import load_host, seated

    host = load_host(job, Path(job["runtime"]["project"]))
    runtime = _runtime(job["runtime"])
    return {seat["name"]: build(seated(seat, host), runtime) for seat in job["tools"]}


def _runtime(raw: Mapping[str, Any]) -> Runtime:
    from aegis.config.structure import from_json
    from aegis.contracts.component import Runtime

    return from_json(Runtime, raw)


def _serve(calls: BinaryIO, answers: int, tools: Mapping[str, Tool], runtime: Runtime) -> None:
    me = os.getpid()
    for line in calls:
        call = json.loads(line)
        result = _carried_out(call, tools[call["tool"]], runtime)
        if os.getpid() != me:  # the tool has forked, and this is the copy: only the worker answers
            os._exit(0)
        try:
            answer(answers, {"id": call["id"], **result})
        except BrokenPipeError:
            return


def _carried_out(call: Mapping[str, Any], tool: Tool, runtime: Runtime) -> dict[str, Any]:
    from aegis.agent.sanitise import sanitise
    from aegis.contracts.outcome import ToolResult

    seconds = call["seconds"]
    signal.setitimer(signal.ITIMER_REAL, seconds + _OVERTIME)
    try:
        result: object = tool.call(call["arguments"], _context(call, runtime))
    except BaseException as error:  # noqa: BLE001 - SystemExit too: a tool does not end its worker
        traceback.print_exc()
        return {"failed": _said(error)}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if not isinstance(result, ToolResult):
        return {"failed": f"it returned {type(result).__name__}, not a ToolResult"}
    clean = sanitise(result)
    return {"result": clean.value, "notes": clean.notes, "incomplete": clean.incomplete}


def _context(call: Mapping[str, Any], runtime: Runtime) -> ToolContext:
    from aegis.config.structure import from_json
    from aegis.contracts.outcome import Document
    from aegis.contracts.roles import ToolContext

    cache = runtime.data / call["tool"]
    cache.mkdir(parents=True, exist_ok=True)
    return ToolContext(
        key=call["key"],
        deadline=time.monotonic() + call["seconds"],
        cache=cache,
        documents={ref: from_json(Document, one) for ref, one in call["documents"].items()},
        offline=runtime.offline if call["offline"] is None else call["offline"],
    )


def _said(error: BaseException) -> str:
    """Return what an error says, one line, cut to what is worth sending."""
    from aegis.agent.sanitise import sanitise
    from aegis.errors import AegisError

    if isinstance(error, AegisError):
        said = "; ".join(f"{p.message} ({p.fix})" if p.fix else p.message for p in error.problems)
    else:
        said = "".join(traceback.format_exception_only(error))
    return " ".join(str(sanitise(said[:4000]).value).split())


if __name__ == "__main__":
    main()
