"""Tools of which each breaks one law; ``sound`` breaks none."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from typing import Any

import aegis

plugin_api = 1
_WORDS = ("low-rank", "adaptation", "reasoning")


class Tool:
    def __init__(self, name: str) -> None:
        self.broken, self.asked = name, 0
        self.spec = aegis.ToolSpec(
            name=name,
            description="Looks a word up.",
            arguments={
                "type": "object",
                "properties": {
                    "query": {"type": "string", "minLength": 1},
                    "most": {"type": "integer"},
                },
                "required": ["query"],
                "additionalProperties": False,
            },
            timeout=1.0,
        )

    def candidates(self, view: aegis.View) -> Any:
        self.asked += 1
        if self.broken == "tool-quick":
            time.sleep(0.06)
        if self.broken == "tool-candidates":
            yield {"query": f"question {self.asked}"}
        yield aegis.Action(self.spec.name, {"most": 3}, slot="query")
        for word in _WORDS:
            yield {"query": word, "most": 3}

    def call(self, arguments: Any, context: aegis.ToolContext) -> aegis.ToolResult:
        most = arguments["most"] if self.broken == "tool-calls" else arguments.get("most", 1)
        if self.broken == "tool-worker" and "aegis.agent.worker" not in sys.modules:
            time.sleep(5)
        if self.broken == "tool-offline":
            with contextlib.suppress(OSError), socket.socket() as line:
                line.settimeout(0.05)
                line.connect(("192.0.2.1", 80))
        text = "a sentence about it" * most
        if self.broken == "tool-clean":
            text += "\ud800\x00"
        return aegis.ToolResult("ok", documents=(aegis.Document(self.spec.name, "1", "It", text),))


def _component(name: str) -> aegis.Component:
    slot = None if name == "tool-described" else "query"
    return aegis.Component(
        kind="tool",
        name=name,
        summary="Looks a word up.",
        build=lambda config, parts, runtime: Tool(name),
        describe=lambda _: aegis.ToolCapabilities(text_slot=slot),
    )


@aegis.hookimpl
def aegis_tools() -> Any:
    return [_component(name) for name in os.environ["AEGIS_BROKEN"].split()]
