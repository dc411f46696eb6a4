"""A child process that is spoken to in lines of JSON, without threads and without blocking."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_CHUNK: Final = 1 << 16
_TAIL: Final = 8 << 10


class Gone(Exception):  # noqa: N818 - a state, not a mistake
    """The child can no longer be spoken to; the text says how it ended."""


class Process:
    """A child in a session of its own, with pipes for its input, output and messages to people.

    Args:
        command: Program and arguments.
        cwd: Folder that it runs in.
        line_limit: Bytes that a line of its messages may have.
        environment: Variables that it gets beside those of this process.
    """

    def __init__(
        self,
        command: Sequence[str],
        cwd: str,
        line_limit: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._line_limit = line_limit
        self._child = subprocess.Popen(  # noqa: S603 - the command is the host's own
            list(command),
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        pipes = (self._child.stdin, self._child.stdout, self._child.stderr)
        self._in, self._out, self._err = (pipe.fileno() for pipe in pipes if pipe is not None)
        for descriptor in (self._in, self._out, self._err):
            os.set_blocking(descriptor, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        self._selector.register(self._err, selectors.EVENT_READ)
        self._unsent = bytearray()
        self._unread = bytearray()
        self._searched = 0
        self._tail = bytearray()

    @property
    def pid(self) -> int:
        """Its process id, which is that of its group too."""
        return self._child.pid

    @property
    def output(self) -> str:
        """The end of what it printed for people."""
        return self._tail.decode("utf-8", "replace")

    def send(self, message: Any) -> None:
        """Put a message on its way; `exchange` writes it."""
        if not self._unsent:
            self._selector.register(self._in, selectors.EVENT_WRITE)
        self._unsent += json.dumps(message).encode("ascii") + b"\n"

    def exchange(self, timeout: float) -> Iterator[bytes]:
        """Write what is to be sent and yield the lines that came, within `timeout` seconds.

        Raises:
            Gone: If it has ended, closed its pipe, or sends a line without end.
        """
        ready = {key.fd for key, _ in self._selector.select(timeout)}
        if self._err in ready:
            self._listen()
        if self._in in ready:
            self._write()
        ended = self._out in ready and self._read() == 0
        if not ended and self._child.poll() is not None:
            ended = True  # what it started may hold the pipe open for ever
            while (self._read() or 0) > 0 and len(self._unread) <= self._line_limit:
                pass
        yield from self._lines()
        if ended:
            self.wait(1.0)
            raise Gone(self._ending())

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._child.poll() is None

    def hang_up(self) -> None:
        """Close its input, which tells an idle child to end."""
        self._forget(self._in)
        assert self._child.stdin is not None
        with contextlib.suppress(OSError):
            self._child.stdin.close()

    def wait(self, timeout: float) -> None:
        """Wait for its end, at most `timeout` seconds."""
        end = time.monotonic() + timeout
        while self._child.poll() is None and time.monotonic() < end:
            self._listen()
            time.sleep(0.002)

    def kill(self) -> None:
        """End it and every process of its group at once, and close the pipes."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._listen()
        self._selector.close()
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _forget(self, descriptor: int) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(descriptor)

    def _write(self) -> None:
        try:
            sent = os.write(self._in, self._unsent[:_CHUNK])
        except BlockingIOError:
            return
        except OSError:  # it closed its input: what it says or how it ends tells more
            sent = len(self._unsent)
        del self._unsent[:sent]
        if not self._unsent:
            self._forget(self._in)

    def _read(self) -> int | None:
        """Read what there is; return its bytes: 0 at the end, None where there is nothing yet."""
        try:
            chunk = os.read(self._out, _CHUNK)
        except BlockingIOError:
            return None
        self._unread += chunk
        return len(chunk)

    def _lines(self) -> Iterator[bytes]:
        while (end := self._unread.find(b"\n", self._searched)) >= 0:
            line = bytes(self._unread[:end])
            del self._unread[: end + 1]
            self._searched = 0
            yield line
        self._searched = len(self._unread)
        if len(self._unread) > self._line_limit:
            raise Gone(f"answered more than {self._line_limit >> 10} KiB")

    def _listen(self) -> None:
        """Keep the end of what it prints for people."""
        with contextlib.suppress(BlockingIOError, OSError):
            while chunk := os.read(self._err, _CHUNK):
                self._tail = (self._tail + chunk)[-_TAIL:]
                if len(chunk) < _CHUNK:
                    return
            self._forget(self._err)

    def _ending(self) -> str:
        code = self._child.poll()
        if code is None:
            return "closed its pipe"
        if code < 0:
            return f"exited with signal {-code} ({_signal_name(-code)})"
        return f"exited with status {code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no names
        return "unnamed"
