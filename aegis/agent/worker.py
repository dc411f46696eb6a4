"""Workers: tools are called in processes of their own, one long-lived process for each plugin.

A tool may hang, exit, crash or answer anything: the agent gets a `ToolResult` by the call's
deadline and goes on. A worker that does not answer in time is killed with everything that it
started, and starts again at the next call.

The two sides speak JSON, one object a line, over two pipes (`aegis.agent.worker_main` is the other
side). A worker has its own session, so that Ctrl-C at a terminal reaches the agent only, and ends
by itself when the agent's end of its pipe closes, however the agent ended.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from aegis.agent.sanitise import LIMIT, failed, tool_result
from aegis.config.structure import to_json
from aegis.contracts.outcome import ToolResult
from aegis.errors import InputError, Problem, ToolError
from aegis.host.process import Gone, Process
from aegis.host.seat import plugins_of, runtime_of, seat_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aegis.contracts.component import Runtime
    from aegis.contracts.outcome import Document
    from aegis.host.composition import Chosen

START_LIMIT: Final = 60.0
"""Seconds in which a worker must have loaded its plugin."""

LINE_LIMIT: Final = LIMIT + (64 << 10)
"""Bytes that a line of a worker may have: a sanitised result, and the rest of its message."""

_TICK: Final = 0.05
_CLOSING: Final = 1.0


class Equipped(Protocol):
    """What has tools: a composition."""

    @property
    def tools(self) -> Iterable[Chosen]:
        """The tools, with plugin and settings."""
        ...


class Workers:
    """The workers of a composition's tools. Use as a context manager, from one thread.

    Entering starts all of them at once and does not wait; `ready` does.

    Args:
        composition: Has the tools.
        runtime: What the tools are built with; they see all of it but ``life``.
        start_limit: Seconds in which a worker must have loaded its plugin.
    """

    def __init__(
        self, composition: Equipped, runtime: Runtime, *, start_limit: float = START_LIMIT
    ) -> None:
        groups: dict[str, list[Chosen]] = {}
        for tool in composition.tools:
            groups.setdefault(tool.plugin.name, []).append(tool)
        self._workers = {
            plugin: _Worker(plugin, _job(tools, runtime), start_limit)
            for plugin, tools in groups.items()
        }
        self._of_tool = {
            tool.component.name: self._workers[plugin]
            for plugin, tools in groups.items()
            for tool in tools
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start every worker that does not run, without waiting for any."""
        for worker in self._workers.values():
            worker.start()

    def ready(self, timeout: float = START_LIMIT) -> dict[str, str]:
        """Wait until every worker has loaded its plugin.

        Returns:
            Why the others have not, by plugin. They are started again when they are called.
        """
        end = time.monotonic() + timeout
        while any(w.starting for w in self._workers.values()) and time.monotonic() < end:
            for worker in self._workers.values():
                worker.advance(_TICK if worker.starting else 0.0)
        return {name: w.trouble for name, w in self._workers.items() if not w.loaded}

    def submit(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        key: str,
        documents: Mapping[str, Document] | None = None,
        offline: bool | None = None,
    ) -> Pending:
        """Begin a call.

        Args:
            tool: Name of the tool.
            arguments: JSON values.
            key: The call's idempotency key.
            documents: What arguments of format ``document`` refer to, by reference.
            offline: Whether nothing may touch the network; None for the runtime's own.

        Raises:
            ToolError: If no such tool is active, its plugin's worker has a call to finish, or the
                arguments are no JSON.
        """
        worker = self._of_tool.get(tool)
        if worker is None:
            raise ToolError.of("tool-unknown", f'no active tool is called "{tool}"')
        try:
            call = {
                "tool": tool,
                "arguments": to_json(dict(arguments)),
                "key": key,
                "documents": to_json(dict(documents or {})),
                "offline": offline,
            }
        except InputError as error:
            raise ToolError(error.problems) from error
        return worker.submit(call)

    def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        key: str,
        documents: Mapping[str, Document] | None = None,
        offline: bool | None = None,
    ) -> ToolResult:
        """Carry out a call and wait for it; arguments and errors as in `submit`."""
        pending = self.submit(tool, arguments, key=key, documents=documents, offline=offline)
        result = pending.wait()
        assert result is not None
        return result

    def hurry(self, seconds: float) -> None:
        """End the calls that are on within `seconds`; may be called from a signal handler."""
        for worker in self._workers.values():
            worker.hurry(seconds)

    def output(self, plugin: str) -> str:
        """Return the end of what a plugin's worker has printed last, for people."""
        return self._workers[plugin].output

    def pids(self) -> dict[str, int]:
        """Return the process ids of the workers that run, by plugin."""
        return {name: w.pid for name, w in self._workers.items() if w.pid is not None}

    def close(self) -> None:
        """End all workers and what they started, within about a second."""
        end = time.monotonic() + _CLOSING
        for worker in self._workers.values():
            worker.let_go()
        for worker in self._workers.values():
            worker.close(end)


class Pending:
    """A call that was begun."""

    def __init__(self, worker: _Worker, call: dict[str, Any]) -> None:
        self._worker = worker
        self.call = call
        self.result: ToolResult | None = None

    def wait(self, timeout: float | None = None) -> ToolResult | None:
        """Return the result, or None if there is none after `timeout` seconds.

        Without a timeout there is always a result: by the tool's deadline at the latest. May be
        interrupted (``KeyboardInterrupt``) and called again.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while self.result is None:
            left = _TICK if end is None else end - time.monotonic()
            self._worker.advance(max(0.0, min(left, _TICK)))
            if end is not None and time.monotonic() >= end:
                break
        return self.result

    def cancel(self, reason: str) -> ToolResult:
        """End the call now; its worker is killed. Returns its result, a ``timeout``."""
        if self.result is None:
            self._worker.abandon(ToolResult("timeout", f"ended early: {reason}"))
        assert self.result is not None
        return self.result


class _Worker:
    """One worker: its process where it runs, its call where it has one."""

    def __init__(self, plugin: str, job: Mapping[str, Any], start_limit: float) -> None:
        self._plugin = plugin
        self._job = job
        self._start_limit = start_limit
        self._process: Process | None = None
        self._timeouts: dict[str, float] | None = None
        self._pending: Pending | None = None
        self._sent = 0
        self._deadline = 0.0
        self.trouble = "it was not started"
        self.output = ""

    @property
    def starting(self) -> bool:
        return self._process is not None and self._timeouts is None

    @property
    def loaded(self) -> bool:
        return self._timeouts is not None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the process where none runs; it loads the plugin while others do other work."""
        if self._process is not None and self._process.alive:
            return
        self._drop()
        command = [sys.executable, "-P", "-m", "aegis.agent.worker_main"]
        self._process = Process(command, self._job["runtime"]["project"], LINE_LIMIT)
        self._process.send(self._job)
        self._deadline = time.monotonic() + self._start_limit
        self.trouble = "it has not loaded the plugin yet"

    def submit(self, call: dict[str, Any]) -> Pending:
        if self._pending is not None:
            raise ToolError(
                Problem(
                    "worker-busy", f'the worker of plugin "{self._plugin}" has a call to finish'
                )
            )
        self.start()
        self._pending = pending = Pending(self, call)
        if self.loaded:
            self._send()
        return pending

    def advance(self, timeout: float) -> None:
        """Read and write for at most `timeout` seconds, and act on what has happened."""
        process = self._process
        if process is None:
            return
        try:
            for line in process.exchange(timeout):
                self._heard(_decoded(line))
                if self._process is not process:
                    return
        except Gone as gone:
            self._lost(f"{self._name} {gone}")
            return
        if time.monotonic() >= self._deadline and (self.starting or self._pending is not None):
            self._too_late()

    def hurry(self, seconds: float) -> None:
        if self._pending is not None:
            self._deadline = min(self._deadline, time.monotonic() + seconds)

    def abandon(self, result: ToolResult) -> None:
        """Kill the process and finish the call with `result`."""
        self.trouble = result.message
        self._drop()
        if self._pending is not None:
            self._pending.result = result
            self._pending = None

    def _drop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self.output = self._process.output
        self._process, self._timeouts = None, None

    def let_go(self) -> None:
        """Close the pipe that keeps an idle worker waiting, so that it ends."""
        if self._process is not None:
            self._process.hang_up()

    def close(self, end: float) -> None:
        """Wait until `end` for the process, then kill it and what it started."""
        if self._process is not None:
            self._process.wait(max(0.0, end - time.monotonic()))
            self.abandon(ToolResult("timeout", "ended early: the agent has ended"))

    @property
    def _name(self) -> str:
        return f'worker of plugin "{self._plugin}"'

    def _send(self) -> None:
        assert self._pending is not None
        assert self._process is not None
        assert self._timeouts is not None
        self._sent += 1
        seconds = self._timeouts[self._pending.call["tool"]]
        self._deadline = time.monotonic() + seconds
        self._process.send({"id": self._sent, "seconds": seconds, **self._pending.call})

    def _heard(self, message: Any) -> None:
        match message:
            case {"ready": dict(timeouts)} if self.starting:
                self._timeouts, self.trouble = timeouts, ""
                if self._pending is not None:
                    self._send()
            case {"unusable": str(reason)} if self.starting:
                self._lost(f"{self._name} could not start: {reason}")
            case {"id": self._sent, "failed": str(reason)} if self._pending is not None:
                self._finish(failed(reason))
            case {"id": self._sent, "result": data} if self._pending is not None:
                cut, notes = message.get("incomplete") is True, message.get("notes", ())
                texts = [note for note in notes if isinstance(note, str)]
                self._finish(tool_result(data, incomplete=cut, notes=texts))
            case _:
                self._lost(f"{self._name} did not keep to the protocol")

    def _finish(self, result: ToolResult) -> None:
        assert self._pending is not None
        self._pending.result = result
        self._pending = None

    def _lost(self, message: str) -> None:
        self.abandon(failed(message))

    def _too_late(self) -> None:
        if self.starting:
            self._lost(f"{self._name} did not load the plugin within {self._start_limit:g} s")
            return
        assert self._pending is not None
        tool = self._pending.call["tool"]
        limit = (self._timeouts or {}).get(tool, 0.0)
        self.abandon(ToolResult("timeout", f"{tool} did not answer within {limit:g} s"))


def _decoded(line: bytes) -> Any:
    """Return the message in a line; None, which is no message, where there is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


# ------------------------------------------------------------------ what a worker is told first


def _job(tools: list[Chosen], runtime: Runtime) -> dict[str, Any]:
    return {
        "path": [entry for entry in sys.path if entry],
        **plugins_of(tools),
        "tools": [seat_of(tool) for tool in tools],
        "runtime": runtime_of(runtime),
    }
