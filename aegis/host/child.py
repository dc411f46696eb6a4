"""The child's side of `aegis.host.process`: private pipes, answers in lines of JSON, and its end.

A child answers on the pipe that was its standard output; whatever a plugin prints goes to
standard error instead and cannot forge an answer. It ends by itself, with everything that it
started, once the parent's end of its pipe has closed, however the parent ended.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping


def private_pipes() -> tuple[BinaryIO, int]:
    """Move the two pipes to descriptors that no plugin knows; prints go to standard error.

    Returns:
        The stream of what the parent says, and the descriptor for answers.
    """
    said = os.fdopen(os.dup(0), "rb")
    answers = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if sys.stdout is not None and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    return said, answers


def answer(descriptor: int, message: Mapping[str, Any]) -> None:
    """Write one message.

    Raises:
        BrokenPipeError: If the parent is gone.
        ValueError: If the message holds NaN or an infinity.
    """
    text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    data = memoryview(text.encode("utf-8") + b"\n")
    while data:
        data = data[os.write(descriptor, data) :]


def watch(descriptor: int, grace: float) -> None:
    """Wait until the parent's end of the pipe has closed; then end, with all that was started.

    Args:
        descriptor: The pipe that the parent speaks through.
        grace: Seconds that this process then has to end by itself.
    """
    watched = select.poll()
    watched.register(descriptor, 0)  # a hang-up is always reported
    watched.poll()
    time.sleep(grace)
    end_group()


def end_group() -> NoReturn:
    """End this process at once, with its group where it leads one."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)
