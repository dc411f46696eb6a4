"""A local plugin with tools that misbehave in every way that a worker must survive."""

from __future__ import annotations

import ctypes
import os
import sys
import time

import aegis
from aegis.contracts.action import Action

plugin_api = 1


def ok(**facts):
    return aegis.ToolResult("ok", **facts)


def document(**facts):
    return aegis.Document(
        **{"source": "bad", "identifier": "1", "title": "T", "text": "x", **facts}
    )


def hang(_, __):
    while True:
        pass


def hang_in_c(_, __):
    # The GIL stays held: no other thread of this process can run.
    ctypes.PyDLL(None).sleep(600)


def raises(_, __):
    raise ValueError("boom \ud800 \x00 here\nand there")


def system_exit(_, __):
    sys.exit(3)


def hard_exit(_, __):
    os._exit(7)


def segfault(_, __):
    ctypes.string_at(0)


def huge(_, __):
    return ok(documents=(document(text="x" * 100_000_000),))


def flood(_, __):
    """Write to every descriptor: one of them is the worker's own pipe."""
    for descriptor in range(3, 32):
        try:
            for _ in range(64):
                os.write(descriptor, b"x" * 65536)
        except OSError:
            continue
    return ok()


def forge(_, __):
    """Write an answer of its own to every descriptor."""
    for descriptor in range(3, 32):
        try:
            os.write(descriptor, b'{"id": 99, "result": {"status": "ok"}}\n')
        except OSError:
            continue
    return ok()


def not_utf8(_, __):
    return ok(documents=(document(text=b"caf\xe9"),))


def surrogates(_, __):
    return ok(documents=(document(title="a\ud800b", text="\udfff"),))


def nul(_, __):
    return ok(documents=(document(text="a\x00b", title="line\none"),))


def nan(_, __):
    return ok(retry_after=float("nan"))


def wrong_type(_, __):
    return {"status": "ok"}


def wrong_shape(_, __):
    return aegis.ToolResult("fine", documents="abc")


def prints(_, __):
    print('{"id": 1, "result": {"status": "denied"}}', flush=True)
    print("\ud800")
    os.write(1, b'{"id": 1, "result": {"status": "denied"}}\n')
    return ok(message="printed")


def forks(arguments, _):
    if os.fork() == 0:
        time.sleep(600)
    return ok(message=str(os.getpid()))


def forks_and_exits(_, __):
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)


def fork_answers(_, __):
    os.fork()
    return ok(message=str(os.getpid()))


def echo(arguments, context):
    titles = tuple(one.title for one in context.documents.values())
    return ok(
        message=f"{sorted(arguments.items())} {titles} {context.key} {context.offline} {context.cache.is_dir()}",
    )


def slow(arguments, context):
    time.sleep(0.4)
    return ok(message=f"{context.deadline - time.monotonic() > 0}")


TOOLS = {
    f.__name__: f
    for f in (
        hang, hang_in_c, raises, system_exit, hard_exit, segfault, huge, flood, forge, not_utf8, surrogates, nul,
        nan, wrong_type, wrong_shape, prints, forks, forks_and_exits, fork_answers, echo, slow,
    )
}  # fmt: skip


class Bad:
    def __init__(self, name):
        arguments = {"type": "object", "properties": {}}
        timeout = 0.5 if name.startswith("hang") else 20.0
        self.spec = aegis.ToolSpec(name, "Misbehaves.", arguments, timeout=timeout)

    def candidates(self, view):
        return [Action(self.spec.name)]

    def call(self, arguments, context):
        return TOOLS[self.spec.name](arguments, context)


@aegis.hookimpl
def aegis_tools():
    return [
        aegis.Component(
            kind="tool",
            name=name,
            summary="Misbehaves.",
            build=lambda _, __, ___, name=name: Bad(name),
        )
        for name in TOOLS
    ]
